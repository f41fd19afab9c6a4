"""Which of two releases is the newer one. packaging only here."""

from collections.abc import Iterable

from packaging.version import InvalidVersion, Version


def parsed(tag: str) -> Version | None:
    """The version that a tag such as v1.2.0 names; None where it names none."""
    try:
        return Version(tag)
    except InvalidVersion:
        return None


def newest(tags: Iterable[str]) -> str | None:
    """The tag of the newest version; one that is only tried out counts where nothing else is."""
    known = {tag: version for tag in tags if (version := parsed(tag))}
    final = {tag: version for tag, version in known.items() if not version.is_prerelease}
    return max(final or known, key=known.__getitem__, default=None)


def before(tag: str, tags: Iterable[str]) -> list[str]:
    """The tags of final versions that are older than that of `tag`, oldest first."""
    limit = parsed(tag)
    known = {one: version for one in tags if (version := parsed(one)) and not version.is_prerelease}
    older = {one: version for one, version in known.items() if limit and version < limit}
    return sorted(older, key=older.__getitem__)
