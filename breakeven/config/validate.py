"""Check a part of a config against its model: every mistake at once, in the words of a user and not of pydantic."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from breakeven.config.advice import form
from breakeven.config.derive import LARGEST, json_schema
from breakeven.config.messages import nearest, not_known, show, unknown_key
from breakeven.config.yaml_file import NUMBER, Place

Schema = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)

NOUNS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
FOLDER_NAME = (
    "cannot be the name of a folder; allowed: letters, digits, '_', '.', '-', beginning with a letter or digit, at most 60 "
    "characters"
)


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands and what is wrong."""

    place: Place
    message: str


class Invalid(ValueError):
    """All mistakes of a value."""

    def __init__(self, problems: list[Problem]):
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def validated(model: type[Model], value: Any) -> Model:
    """``value`` as a ``model``, with its defaults, and numbers of the right type; an Invalid with all its mistakes."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(_explained(error, json_schema(model), value)) from None


def _explained(error: ValidationError, schema: Schema, whole: Any) -> list[Problem]:
    """The errors of pydantic in our words, one for each place; ``whole``: what was checked."""
    errors = error.errors(include_url=False)
    unknown = {each["loc"] for each in errors if each["type"] == "extra_forbidden"}
    found: dict[Place, Problem] = {}
    for each in errors:
        for problem in _problems(each, schema, whole, unknown):
            found.setdefault(problem.place, problem)
    return list(found.values())


def _problems(error: Any, schema: Schema, whole: Any, unknown: set[Place]) -> Iterator[Problem]:
    place, value, cause = error["loc"], error["input"], error.get("ctx", {}).get("error")
    if isinstance(cause, Invalid):
        yield from (Problem((*place, *each.place), each.message) for each in cause.problems)
    elif place[-1:] == ("[key]",):
        yield Problem(place[:-1], str(cause or FOLDER_NAME))
    elif error["type"] == "extra_forbidden":
        known = [name for part in _parts(schema, place[:-1], whole) for name in part.get("properties", {})]
        yield Problem(place, unknown_key(place[-1], known))
    elif error["type"] == "missing":
        beside = [name for *parent, name in unknown if tuple(parent) == place[:-1]]
        if not any(
            nearest(name, [str(place[-1])]) for name in beside
        ):  # else the unknown key is told, with what it should be
            yield Problem(place, "required, but missing")
    elif error["type"] == "too_short" and len(value):
        pass  # pydantic counts the valid items only; the others are told
    elif isinstance(cause, ValueError):
        yield Problem(place, str(cause))
    else:
        parts = _parts(schema, place, whole)
        yield Problem(place, _with_advice(_message(error["type"], value, parts), place, value, parts))


def _parts(schema: Schema, place: Place, value: Any) -> list[Schema]:
    """What the schema says of ``place`` in ``value``: more than one part where there are alternatives."""
    found = list(_alternatives(schema, schema))
    for key in place:
        found = [
            each
            for part in _of_its_kind(found, value)
            if (inner := _inner(part, key))
            for each in _alternatives(inner, schema)
        ]
        value = _at(value, key)
    return _of_its_kind(found, value)


def _of_its_kind(parts: list[Schema], value: Any) -> list[Schema]:
    """Of alternatives that ``kind`` tells apart, that of ``value``; all of them where it is of none."""
    if not isinstance(value, dict):
        return parts
    kinds = [part.get("properties", {}).get("kind", {}).get("enum", []) for part in parts]
    its = [
        part for part, kind in zip(parts, kinds, strict=True) if kind == ([value["kind"]] if "kind" in value else [])
    ]
    return its or parts


def _at(value: Any, key: str | int) -> Any:
    """What stands at ``key`` of a mapping or list, if there is something."""
    try:
        return value[key]
    except (LookupError, TypeError):
        return None


def _inner(schema: Schema, key: str | int) -> Schema | None:
    named = schema.get("properties", {})
    others = schema.get("patternProperties", {}).values()
    found: Schema | None = schema.get("items") if isinstance(key, int) else named.get(key, next(iter(others), None))
    return found


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _alternatives(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _alternatives(each, root)
    else:
        yield schema


def _message(kind: str, value: Any, parts: list[Schema]) -> str:
    match kind:
        case "literal_error" if isinstance(value, str):
            return not_known(value, [name for part in parts for name in part.get("enum", ())])
        case "greater_than" | "greater_than_equal":
            return f"{show(value)} is too small; allowed: {_allowed(parts if value < -LARGEST else _declared(parts))}"
        case "less_than" | "less_than_equal":
            return f"{show(value)} is too large; allowed: {_allowed(parts)}"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case _:
            return _wrong_type(value, _declared(parts))


def _with_advice(message: str, place: Place, value: Any, parts: list[Schema]) -> str:
    """``message``, and how the value is to be written, where it is of a wrong type."""
    if " is not " not in message or "text that looks like" in message:
        return message
    types = [name for part in parts for name in _types(part)]
    advice = form(place, value, types)
    return message if advice is None else f"{message}; {advice}"


def _declared(parts: list[Schema]) -> list[Schema]:
    """Without the bounds that all integers have, which are only told where a value is beyond them."""
    return [{key: value for key, value in part.items() if value not in (-LARGEST, LARGEST)} for part in parts]


def _types(part: Schema) -> list[str]:
    types = part.get("type", [])
    return [types] if isinstance(types, str) else types


def _wrong_type(value: Any, parts: list[Schema]) -> str:
    types = [name for part in parts for name in _types(part)]
    if isinstance(value, str) and NUMBER.fullmatch(value) and {"number", "integer"} & set(types):
        return f"{show(value)} is a text that looks like a number; write it without quotes"
    noun = " or ".join(dict.fromkeys(NOUNS[name] for name in types))
    if isinstance(value, float) and not math.isfinite(value):
        noun = "a finite number"
    allowed = _allowed(parts)
    return f"{show(value)} is not {noun}" + (f"; allowed: {allowed}" if allowed != noun else "")


def _allowed(parts: list[Schema]) -> str:
    """The values that are allowed, in words: `an integer of at least 1 or null`."""
    words = []
    for part in parts:
        if "enum" in part:
            words.append(", ".join(part["enum"]))
        else:
            words += [NOUNS[name] + (_bounds(part) if name in ("number", "integer") else "") for name in _types(part)]
    return " or ".join(dict.fromkeys(words))


def _bounds(part: Schema) -> str:
    bounds = []
    for keyword, words in (
        ("minimum", "of at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if keyword in part:
            bounds.append(f"{words} {part[keyword]}")
    return " " + " and ".join(bounds) if bounds else ""
