"""Reads the tool's own data (TOML, YAML, JSON) and, with limits, what a user hands over (YAML)."""

import json
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import yaml

from scaffold.errors import BadAnswersFile
from scaffold.escaping import escape, quote

# Bytes: twenty resources of forty fields are about 80 KiB, and a record may have two such lists.
LARGEST = 256 * 1024
DEEPEST = 8
MOST_VALUES = 35_000  # twenty resources of forty fields have about 16,000; a record has two lists

SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXT_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "timestamp")}
NULL_TAG = "tag:yaml.org,2002:null"
COLLECTION_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("seq", "map")}
# Plain values of data, as YAML 1.2 and JSON have them: `no` and `12:30` are text, 1e16 is a number.
WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
FLOAT = re.compile(r"[-+]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][-+]?[0-9]{1,4})?")


def read_toml(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def is_yaml(text: str) -> bool:
    """Whether it is YAML, in which no mapping has a key twice."""
    try:
        waiting = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node]
    except yaml.YAMLError:
        return False
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [str(key.value) for key, _ in node.value]
            if len({*keys}) < len(keys):
                return False
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return True


def read_json(path: Path) -> Any:
    """Raises ValueError where the file is no JSON in UTF-8."""
    try:
        return json.loads(path.read_bytes().decode())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """Raises ValueError where the file is no mapping in YAML."""
    try:
        loaded = yaml.load(path.read_bytes(), Loader=SAFE_LOADER)
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {_place_of(error)}") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} is not a mapping")
    return loaded


def front_matter(text: str) -> dict[str, Any]:
    """The mapping in YAML between the first two lines of `---`."""
    _, front, _ = text.split("---\n", 2)
    loaded: dict[str, Any] = yaml.load(front, Loader=SAFE_LOADER)
    return loaded


def answers_in(
    content: bytes, source: str, data: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The answers that `content` (YAML or JSON) gives, and a sentence for whatever is no answer.

    A plain value is taken as it is written, so that `no` is the answer "no" and no boolean. Of the
    keys in `data` the value may be lists and mappings, and comes as YAML 1.2 has it. `source` names
    the file. Raises BadAnswersFile where there is no mapping to read.
    """
    try:
        text = _decoded(content, source)
        _check_events(text, source)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadAnswersFile(f"{source} is not valid YAML: {_place_of(error)}.") from error
    if root is None or (root.tag == NULL_TAG and not root.value):
        return {}, []
    if not isinstance(root, yaml.MappingNode):
        raise BadAnswersFile(f"{source} must be a mapping of questions to answers.")
    return _answers(root, data)


def _decoded(content: bytes, source: str) -> str:
    if len(content) > LARGEST:
        raise BadAnswersFile(f"{source} is larger than {LARGEST // 1024} KiB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadAnswersFile(f"{source} is not UTF-8 (byte {error.start}).") from error


def _check_events(text: str, source: str) -> None:
    """Stops at the first alias, and at more values or levels than answers need.

    That is before anything is built: a file of 128 KiB can hold 64,000 values.
    """
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if count > MOST_VALUES:
            raise BadAnswersFile(f"{source} has more than {MOST_VALUES} values and brackets.")
        if isinstance(event, yaml.AliasEvent):
            raise BadAnswersFile(f"{source} uses a YAML alias; write the answer out instead.")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise BadAnswersFile(f"{source} is nested more than {DEEPEST} levels deep.")


def _place_of(error: yaml.YAMLError) -> str:
    """What is wrong and where, as the end of a sentence."""
    if isinstance(error, yaml.reader.ReaderError):
        return f"it contains the character U+{error.character:04X}, which is not allowed"
    problem = getattr(error, "problem", None) or "it cannot be read"
    mark = getattr(error, "problem_mark", None)
    return escape(f"{problem}, line {mark.line + 1}" if mark else problem)


def _answers(root: yaml.MappingNode, data: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    answers: dict[str, Any] = {}
    problems: list[str] = []
    answered: set[str] = set()
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(
                f"line {key.start_mark.line + 1}: the name of a question must be one word."
            )
        elif key.value in answered:
            problems.append(f"{quote(key.value)} is answered twice.")
        elif why := next(_no_data(value), None) if key.value in data else _no_text(value):
            problems.append(f"{quote(key.value)} {why}.")
        else:
            answers[key.value] = _value_of(value) if key.value in data else _text_of(value)
        answered.add(str(key.value))
    return answers, list(dict.fromkeys(problems))


def _no_data(node: yaml.Node) -> Iterator[str]:
    """Why a value is no data, as ends of sentences."""
    line = f"in line {node.start_mark.line + 1}"
    if node.tag not in TEXT_TAGS | COLLECTION_TAGS | {NULL_TAG}:
        yield f"has a YAML tag {line}; remove it"
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _no_data(item)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                yield f"has a key that is not one word {line}"
            elif key.value in seen:
                where = f"line {key.start_mark.line + 1}"
                yield f"has the key {quote(key.value)} again in {where}; remove one of them"
            seen.add(str(key.value))
            yield from _no_data(item)


def _value_of(node: yaml.Node) -> Any:
    """Lists, mappings and values as JSON has them."""
    if isinstance(node, yaml.SequenceNode):
        return [_value_of(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _value_of(item) for key, item in node.value}
    assert isinstance(node, yaml.ScalarNode)
    text = _text_of(node)
    return text if node.style else _plain_value(text)


def _plain_value(text: str) -> bool | int | float | str | None:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def _text_of(node: yaml.ScalarNode) -> str:
    """A value as it is written; JSON's two escapes for one character beyond U+FFFF are joined."""
    written = str(node.value)
    return written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _no_text(node: yaml.Node) -> str | None:
    """Why a value is no text, as the end of a sentence."""
    if isinstance(node, yaml.CollectionNode):
        return "must be text, not a list or a mapping"
    if node.tag == NULL_TAG and node.value:
        return "must be text, not null"
    if node.tag not in TEXT_TAGS | {NULL_TAG}:
        return "must be plain text, without a YAML tag"
    return None
