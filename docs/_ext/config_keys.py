"""Every key of a config with its type, default, bounds and description, from the schema that editors read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from breakeven.config.models import REQUIRED
from breakeven.config.schema import schema
from breakeven.publish.markdown import code, plain, table

HEADS = ("key", "type", "default", "what it is")
LARGEST = 1_000_000_000  # bounds that only say that a number is no nonsense are left out
BOUNDS = {
    "minimum": "≥\u00a0{}",
    "exclusiveMinimum": ">\u00a0{}",
    "maximum": "≤\u00a0{}",
    "exclusiveMaximum": "<\u00a0{}",
}
NAMES = {"object": "mapping"}
# the parts of a config, in the order of a file: heading, the definition in the schema
PARTS = (
    ("The top of a config", ""),
    ("measurements: covariance", "Covariance"),
    ("measurements: hessian", "Hessian"),
    ("measurements: density", "Density"),
    ("measurements: locate", "Locate"),
    ("measurements: sharpness", "Sharpness"),
    ("studies: NAME", "StudyConfig"),
    ("studies: NAME: base, and what sweeps may list", "Hyperparameters"),
    ("studies: NAME: base: snapshots, each segment", "Segment"),
    ("studies: NAME: base: schedule, each switch", "Switch"),
    ("studies: NAME: base: schedule, kind: warm_up", "WarmUp"),
    ("studies: NAME: base: schedule, kind: cosine", "Cosine"),
    ("studies: NAME: base: schedule, kind: linear", "Linear"),
    ("studies: NAME: base: schedule, kind: step_decay", "StepDecay"),
)
BESIDE = {"Grid", "Measurements"}  # of the schema, told in words
WHERE = {
    "Hyperparameters": "Hyperparameters, below",
    "Measurements": "the sections below",
    "Grid": "mapping of a key of base to a list of values",
}
WHERE |= {"Segment": "segments, below", "Switch": "switches, below"}
WHERE |= dict.fromkeys(("WarmUp", "Cosine", "Linear", "StepDecay"), "what multiplies the learning rate, below")

_schema = cache(schema)


def text() -> str:
    """The keys, part by part."""
    made = _schema()
    written = {name for _, name in PARTS} | BESIDE
    new = [(name, name) for name in made["$defs"] if name not in written and not _is_loader(made, name)]
    pieces = [_part(made, *part) for part in (*PARTS, *new)]
    return "\n\n".join([*pieces, "(data-sets)=", "## datasets: NAME", *_loaders(made)])


def _part(made: Mapping[str, Any], heading: str, name: str) -> str:
    section = made["$defs"][name] if name else made
    return "\n\n".join([f"## {heading}", words(section), keys(section, REQUIRED if name == "Hyperparameters" else ())])


def words(described: Mapping[str, Any]) -> str:
    """A description, in which a docstring's two backticks mark code."""
    parts = described.get("description", "").split("``")
    return "".join(code(part) if index % 2 else plain(part) for index, part in enumerate(parts))


def keys(section: Mapping[str, Any], somewhere: Sequence[str] = ()) -> str:
    """The keys of a section of the schema, as a table."""
    required = section.get("required", ())
    rows = []
    for name, key in section["properties"].items():
        default = "required" if name in required else _default(key)
        if name in somewhere:
            default = "required, here or in sweeps"
        referred = _schema()["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
        rows.append((code(name), kind(key), default, words(key if "description" in key else referred)))
    return table(HEADS, rows)


def _loaders(made: Mapping[str, Any]) -> Iterator[str]:
    for name, section in made["$defs"].items():
        if _is_loader(made, name):
            heading = "A function of your own" if name == "own_loader" else f"`loader: {name}`"
            yield f"### {heading}"
            yield words(section)
            yield keys(section)


def _is_loader(made: Mapping[str, Any], name: str) -> bool:
    return "loader" in made["$defs"][name].get("properties", {})


def kind(key: Mapping[str, Any]) -> str:
    """The type of a key and its bounds, in words."""
    if "$ref" in key:
        name = key["$ref"].rpartition("/")[2]
        return WHERE.get(name, plain(name))
    for joined in ("anyOf", "oneOf"):
        if joined in key:
            return " or ".join(dict.fromkeys(kind(each) for each in key[joined]))
    if "const" in key:
        return code(key["const"])
    if "enum" in key:
        return ", ".join(code(value) for value in key["enum"])
    types = key.get("type", "any")
    types = [types] if isinstance(types, str) else types
    words = " or ".join(
        f"list of {kind(key.get('items', {}))}" if each == "array" else NAMES.get(each, each) for each in types
    )
    bounds = [
        plain(form.format(f"{key[name]:g}" if key[name] < 1e6 else f"{key[name]:,}"))
        for name, form in BOUNDS.items()
        if name in key and abs(key[name]) < LARGEST
    ]
    return ", ".join([words, *bounds])


def _default(key: Mapping[str, Any]) -> str:
    if "default" not in key:
        return ""
    return code(json.dumps(key["default"], ensure_ascii=False))
