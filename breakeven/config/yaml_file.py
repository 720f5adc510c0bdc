"""Read a YAML file strictly: YAML 1.2 numbers, no duplicate keys, every mistake one line with its place.

PyYAML follows YAML 1.1, where ``1e-1`` is a text, ``yes`` is true and ``010`` is eight, and lets the last of two equal
keys win in silence. Here scalars follow the core schema of YAML 1.2, and keys are always texts. Anchors, aliases and
merge keys (``<<``) work.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from breakeven.config.messages import show
from breakeven.store.errors import ConfigError

Place = tuple[str | int, ...]  # keys and indices from the top of the file: ("studies", "a", "seeds", 0)

NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
DEEPEST = 50
LARGEST = 1_000_000  # bytes
MOST_VALUES = 100_000  # ten lines of aliases of aliases can stand for billions


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with the scalars of YAML 1.2; ``_value`` turns its nodes into Python values."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own interface


def _resolve(tag: str, pattern: str, first: str) -> None:
    """Plain scalars that match ``pattern`` and begin with one of ``first`` have this tag."""
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), list(first) or [""])


_resolve("null", "", "")
_resolve("null", "~|null|Null|NULL", "~nN")
_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_resolve("float", NUMBER.pattern + r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789")
_resolve("merge", "<<", "<")


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file holds, and the line in which each key and each item of a list stands, counted from 1.

    Without ``lines`` it is no file, but a mapping that a program gave.
    """

    name: str
    content: dict[str, Any]
    lines: Mapping[Place, int]

    def line(self, place: Place) -> int:
        """The line of ``place``; of what isn't there, that of what should hold it."""
        if not self.lines:
            return 0
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def where(self, place: Place) -> str:
        """The file and the line of ``place``."""
        return f"{self.name}:{self.line(place)}" if self.lines else self.name


class _Mistake(Exception):
    """What is wrong at a node."""

    def __init__(self, node: yaml.Node, message: str):
        super().__init__(message)
        self.node = node


def read_yaml(path: str | Path) -> YamlFile:
    """The YAML file ``path``, which must hold a mapping; any mistake is a ConfigError of one line."""
    return _parsed(_read_text(path), path)


def given(mapping: Any, name: str) -> YamlFile:
    """What a program gave as a config, called ``name``, as if it had been read from a file."""
    try:
        return YamlFile(name, _parsed(as_text(mapping), name).content, {})
    except yaml.YAMLError:  # what no YAML file can hold
        raise ConfigError(
            [f"{name}: it may hold mappings, lists, texts, numbers, true, false and null alone"]
        ) from None


def as_text(mapping: Any) -> str:
    """A mapping as the text of a YAML file."""
    text: str = yaml.safe_dump(mapping, sort_keys=False, allow_unicode=True, width=120)
    return text


def _parsed(text: str, path: str | Path) -> YamlFile:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError([f"{path}: the file is empty"])
        if not isinstance(node, yaml.MappingNode):
            raise _Mistake(node, "the file must be a mapping, with lines like 'key: value'")
        reader = _Reader({(): _line(node)})
        return YamlFile(str(path), reader.mapping(node, (), (node,)), reader.lines)
    except _Mistake as error:
        raise ConfigError([f"{path}:{_place(error.node.start_mark)}: {error}"]) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([f"{path}:{_place(error.problem_mark or error.context_mark)}: {_problem(error)}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: nested too deeply"]) from None
    finally:
        loader.dispose()


def _read_text(path: str | Path) -> str:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(raw) > LARGEST:
        raise ConfigError([f"{path}: more than {LARGEST} bytes, too long for a config"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{number}: not UTF-8 text (byte 0x{raw[error.start]:02x})"]) from None
    forbidden = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if forbidden:
        number = text.count("\n", 0, forbidden.start()) + 1
        raise ConfigError([f"{path}:{number}: the character {forbidden.group()!r} is not allowed in YAML"])
    return text


def _place(mark: Any) -> str:
    return f"{mark.line + 1}:{mark.column + 1}"


def _line(node: yaml.Node) -> int:
    number: int = node.start_mark.line + 1
    return number


def _problem(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words in one line, with advice for the commonest mistake."""
    words = f"{error.context}: {error.problem}" if error.context else str(error.problem)
    advice = "; indent with spaces, not tabs" if r"'\t'" in words else ""
    return " ".join(words.split()) + advice


@dataclass
class _Reader:
    """Turns nodes into Python values, and notes the line of each."""

    lines: dict[Place, int]
    values: int = field(default=1, init=False)  # the file itself

    def value(self, node: yaml.Node, place: Place, parents: tuple[yaml.Node, ...]) -> Any:
        """The Python value of a node: dict, list, str, int, float, bool or None."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise _Mistake(node, f"more than {MOST_VALUES} values, counting what aliases repeat")
        if node in parents:
            raise _Mistake(node, "an anchor that contains itself")
        if len(parents) == DEEPEST:
            raise _Mistake(node, "nested too deeply")
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self.mapping(node, place, (*parents, node))
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.item(item, (*place, index), (*parents, node)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and kind in ("null", "bool", "int", "float", "str", "merge"):
            return _scalar(node, kind)
        raise _Mistake(node, f"the tag {show(node.tag)} is not supported")

    def item(self, node: yaml.Node, place: Place, parents: tuple[yaml.Node, ...]) -> Any:
        self.lines[place] = _line(node)
        return self.value(node, place, parents)

    def mapping(self, node: yaml.MappingNode, place: Place, parents: tuple[yaml.Node, ...]) -> dict[str, Any]:
        """Its own keys, and behind them what ``<<`` brings in."""
        own: dict[str, yaml.Node] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _Mistake(key_node, "a key must be a plain name, not a list or a mapping")
            key, number = key_node.value, _line(key_node)
            if key in lines:
                stands = f"it stands in line {lines[key]} and in line {number}"
                raise _Mistake(key_node, f"duplicate key {show(key)}: {stands}")
            lines[key] = number
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged = self.merged(value_node, place, parents)
            else:
                own[key] = value_node
        result = merged
        for key, value_node in own.items():
            self.lines[*place, key] = lines[key]
            result[key] = self.value(value_node, (*place, key), parents)
        return result

    def merged(self, node: yaml.Node, place: Place, parents: tuple[yaml.Node, ...]) -> dict[str, Any]:
        """One mapping, or a list of them in which the earlier ones win."""
        sources = node.value[::-1] if isinstance(node, yaml.SequenceNode) else [node]
        result: dict[str, Any] = {}
        for source in sources:
            value = self.value(source, place, parents)
            if not isinstance(value, dict):
                raise _Mistake(node, "'<<' takes a mapping or a list of mappings")
            result |= value
        return result


def _scalar(node: yaml.ScalarNode, kind: str) -> Any:
    text: str = node.value
    try:
        match kind:
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case "int":
                base = {"0o": 8, "0x": 16}.get(text[:2], 10)
                if len(text) > 100:  # Python refuses to print integers of thousands of digits
                    raise ValueError
                return int(text, base)
            case "float":
                return float(re.sub(r"\.(?=[iInN])", "", text))  # .inf and .nan
            case _:
                text.encode()  # fails where an escape like \ud800 is half of a character
                return text
    except (KeyError, ValueError):
        raise _Mistake(node, f"{show(text)} cannot be read as {'text' if kind == 'str' else kind}") from None
