"""What a service may be called, and the names that are derived from it."""

import builtins
import keyword
import re
import sys
from collections.abc import Callable, Iterable, Set

from scaffold.errors import BadName
from scaffold.escaping import quote

MAX_LENGTH = 40
PATTERN = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"

# A name has to be good or bad on every Python alike, so what one version has and another
# has not is listed here beside what the running one knows.
OTHER_KEYWORDS = {"type", "match", "case", "lazy"}
OTHER_MODULES = frozenset(
    "aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils "
    "imghdr imp lib2to3 mailcap msilib msvcrt nis nntplib ossaudiodev pipes smtpd sndhdr spwd "
    "sunau telnetlib uu winreg winsound xdrlib".split()
)
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
# Folders of a service, folders that its .gitignore leaves out, and modules that Python or
# pytest would import by these names.
PLACES = frozenset(
    "build conftest deploy dist docs env site sitecustomize src test tests usercustomize "
    "venv".split()
)
# Where a name stands bare in YAML, these are a boolean or nothing at all, by one reader or another.
YAML_VALUES = frozenset("false n no null off on true y yes".split())
# The service's command stands before the system's in its image and in `uv run`.
COMMANDS = frozenset(
    "bash busybox cat chmod chown cp curl docker git install kubectl kustomize ls make mkdir mv "
    "podman pre_commit psql rm sh sudo".split()
)
IMAGES = frozenset("postgres rabbitmq scratch".split())
CLUSTER = frozenset("default kubernetes localhost".split())
CLUSTER_PREFIX = "kube_"

Rule = tuple[Callable[[str], bool], str]


def package_of(name: str) -> str:
    """The import name of the service called `name`."""
    return name.replace("-", "_")


def rule_broken(name: str, reserved: Set[str] = frozenset()) -> str | None:
    """Why a service cannot be called `name`, as the end of a sentence; None if it can be.

    `reserved` holds the names that its environment uses, in lower case with underscores.
    """
    clash = (reserved.__contains__, "a dependency of the service has that name")
    package = package_of(name)
    return _first_broken(_SPELLING, name) or _first_broken((*_MEANING, clash), package)


def _first_broken(rules: Iterable[Rule], value: str) -> str | None:
    return next((why for broken, why in rules if broken(value)), None)


def check_name(name: str, reserved: Set[str] = frozenset()) -> None:
    """Raises BadName with the value, the rule and the nearest name that works."""
    if why := rule_broken(name, reserved):
        raise BadName(
            f"{quote(name)} is not a valid service name: {why}. "
            f"Try {quote(suggest(name, reserved))}."
        )


def suggest(name: str, reserved: Set[str] = frozenset()) -> str:
    """The name most like `name` that a service may have."""
    import unicodedata  # a large table, which few commands need

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-")
    words = words.removeprefix(CLUSTER_PREFIX.replace("_", "-"))
    base = words[:MAX_LENGTH].rstrip("-") or "my-service"
    longer = (
        base[: MAX_LENGTH - len(end)].rstrip("-") + end for end in ("-service", "-svc", "-app")
    )
    return next(n for n in (base, *longer, "my-service") if not rule_broken(n, reserved))


_SPELLING: tuple[Rule, ...] = (
    (lambda name: not name, "it is empty"),
    (lambda name: len(name) > MAX_LENGTH, f"it is longer than {MAX_LENGTH} characters"),
    (
        lambda name: not re.fullmatch(PATTERN, name),
        "use lower-case letters, digits and single dashes, starting with a letter",
    ),
)
_MEANING: tuple[Rule, ...] = (
    (lambda p: keyword.iskeyword(p), "it is a Python keyword"),
    (lambda p: keyword.issoftkeyword(p) or p in OTHER_KEYWORDS, "it is a Python soft keyword"),
    (lambda p: hasattr(builtins, p), "it is a Python builtin"),
    (
        lambda p: p in sys.stdlib_module_names or p in OTHER_MODULES,
        "a module of Python's standard library has that name",
    ),
    (DEVICES.__contains__, "Windows reserves that name for a device"),
    (PLACES.__contains__, "every service has a file or folder of that name"),
    (YAML_VALUES.__contains__, "YAML reads that word as a value, not as text"),
    (COMMANDS.__contains__, "a command that the image or the checks use has that name"),
    (IMAGES.__contains__, "a well-known container image has that name"),
    (
        lambda p: p in CLUSTER or p.startswith(CLUSTER_PREFIX),
        "Kubernetes reserves that name",
    ),
)
