"""Check a config against the schema: every mistake at once, one line each; then fill in defaults and coerce numbers."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from breakeven.config.messages import distinct_lines, nearest, not_known, show
from breakeven.config.yaml_file import NUMBER
from breakeven.specs.own_code import is_own
from breakeven.store.errors import ConfigError

Schema = dict[str, Any]
Path = tuple[str | int, ...]

NOUNS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands and what is wrong."""

    path: Path
    message: str


def _is_number(_: Any, value: Any) -> bool:
    """Finite numbers that fit a float; NaN, infinity and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _is_integer(checker: Any, value: Any) -> bool:
    """Integers, also those written like 3.0."""
    return _is_number(checker, value) and value == int(value)


def _known(validator: Any, allowed: list[Any], value: Any, schema: Schema) -> Iterator[ValidationError]:
    """The keyword `enum`, which lets the name of the user's own code pass where the schema says `own_code`."""
    if not (schema.get("own_code") and is_own(value)):
        yield from Draft202012Validator.VALIDATORS["enum"](validator, allowed, value, schema)


def _unique(validator: Any, unique: bool, value: Any, schema: Schema) -> Iterator[ValidationError]:
    """The keyword `uniqueItems`; jsonschema's own compares each item of a list with all others."""
    if isinstance(value, list) and _repeated(value):
        yield ValidationError("repeated")


def _repeated(items: list[Any]) -> list[Any]:
    """The items that equal an earlier one; 1 equals 1.0, but not true."""
    seen, repeated = set(), []
    for item in items:
        key = _hashable(item)
        if key in seen:
            repeated.append(item)
        seen.add(key)
    return repeated


def _hashable(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    return (bool, value) if isinstance(value, bool) else value


_Validator = validators.extend(
    Draft202012Validator,
    {"enum": _known, "uniqueItems": _unique},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)


def validate(config: Any, schema: Schema, filename: str) -> dict[str, Any]:
    """``config`` with defaults filled in at all depths and numbers coerced; a ConfigError lists all mistakes."""
    problems = find_problems(config, schema)
    if problems:
        raise ConfigError(distinct_lines(filename, ((problem.path, problem.message) for problem in problems)))
    result: dict[str, Any] = filled(config, schema)
    return result


def find_problems(value: Any, schema: Schema) -> list[Problem]:
    """All mistakes of ``value``, in the order in which they stand in the file, one for each place."""
    found: dict[Path, Problem] = {}
    for error in sorted(_Validator(schema).iter_errors(value), key=lambda error: error.validator != "type"):
        for problem in _explain(error):
            found.setdefault(problem.path, problem)
    return sorted(found.values(), key=lambda problem: _position(value, problem.path))


def filled(value: Any, schema: Schema, root: Schema | None = None) -> Any:
    """A copy of a valid ``value`` with defaults filled in and numbers of the schema's type."""
    root = root or schema
    schema = _resolved(schema, root)
    if isinstance(value, dict):
        result = copy.deepcopy(value)
        for part in _parts(value, schema, root):
            properties = part.get("properties", {})
            for name, subschema in properties.items():
                default = _resolved(subschema, root).get("default", ...)
                if name in value or default is not ...:
                    result[name] = filled(value.get(name, default), subschema, root)
            if isinstance(part.get("additionalProperties"), dict):
                for name in value.keys() - properties.keys():
                    result[name] = filled(value[name], part["additionalProperties"], root)
        return result
    if isinstance(value, list):
        return [filled(item, schema.get("items", {}), root) for item in value]
    if _is_number(None, value):
        types = _types(schema)
        return int(value) if "integer" in types else float(value) if "number" in types else value
    return value


def _parts(value: dict[str, Any], schema: Schema, root: Schema) -> Iterator[Schema]:
    """The schema itself and those of its `if`/`then` branches that apply to ``value``."""
    yield schema
    for branch in schema.get("allOf", []):
        if _Validator(branch["if"]).is_valid(value):
            yield _resolved(branch["then"], root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its `$ref` into `$defs` replaced by what that says."""
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return _resolved(target, root) | {key: value for key, value in schema.items() if key != "$ref"}


def _position(value: Any, path: Path) -> list[int]:
    """Sorts like the places in the file: YAML mappings keep their order."""
    position = []
    for part in path:
        if isinstance(value, dict):
            position.append(list(value).index(part) if part in value else -1)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            position.append(part)
            value = value[part]
    return position


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _explain(error: ValidationError) -> Iterator[Problem]:
    """An error of jsonschema in our words; errors that concern several keys become one problem for each."""
    path: Path = tuple(error.absolute_path)
    value, schema = error.instance, error.schema
    if "propertyNames" in error.absolute_schema_path:
        allowed = "letters, digits, '_', '.', '-', beginning with a letter or digit, at most 60 characters"
        yield Problem((*path, value), f"cannot be the name of a folder; allowed: {allowed}")
    elif error.validator == "additionalProperties":
        for name in value.keys() - schema["properties"].keys():
            yield Problem((*path, name), f"unknown key{_hint(name, schema)}")
    elif error.validator == "required":
        yield from _missing(path, value, schema)
    else:
        yield Problem(path, _message(error))


def _missing(path: Path, value: dict[str, Any], schema: Schema) -> Iterator[Problem]:
    unknown = value.keys() - schema["properties"].keys()
    for name in schema["required"]:
        if name in value:
            continue
        similar = nearest(name, unknown)
        if similar is None:
            yield Problem((*path, name), "required, but missing")
        elif schema.get("additionalProperties") is not False:  # where it is, the unknown key is told already
            yield Problem((*path, name), f"required, but missing; is it {show(similar)}?")


def _hint(name: str, schema: Schema) -> str:
    if name in schema.get("hints", {}):
        return f"; {schema['hints'][name]}"
    guess = nearest(name, schema["properties"])
    if guess:
        return f"; did you mean '{guess}'?"
    return f"; allowed: {', '.join(schema['properties']) or 'none'}"


def _message(error: ValidationError) -> str:
    value, schema = error.instance, error.schema
    match error.validator:
        case "type":
            return _wrong_type(value, schema)
        case "enum":
            hint = schema.get("hints", {}).get(value) if isinstance(value, str) else None
            return not_known(value, schema["enum"], hint)
        case "minimum" | "exclusiveMinimum":
            return f"{show(value)} is too small; allowed: {allowed_values(schema)}"
        case "maximum" | "exclusiveMaximum":
            return f"{show(value)} is too large; allowed: {allowed_values(schema)}"
        case "minItems" | "minProperties" | "minLength":
            return "must not be empty"
        case "uniqueItems":
            return f"{show(_repeated(value)[0])} stands here more than once"
        case _:
            return f"{show(value)} is not allowed ({error.validator})"


def _wrong_type(value: Any, schema: Schema) -> str:
    types = _types(schema)
    allowed = allowed_values(schema)
    if isinstance(value, str) and NUMBER.fullmatch(value) and {"number", "integer"} & set(types):
        return f"{show(value)} is a text that looks like a number; write it without quotes"
    noun = " or ".join(NOUNS[name] for name in types)
    if isinstance(value, float) and not math.isfinite(value):
        noun = "a finite number"
    return f"{show(value)} is not {noun}" + (f"; allowed: {allowed}" if allowed != noun else "")


def allowed_values(schema: Schema) -> str:
    """The values that a schema allows, in words: `an integer of at least 1 or null`."""
    if "enum" in schema:
        return ", ".join(schema["enum"])
    words = []
    for name in _types(schema):
        bounds = _bounds(schema) if name in ("number", "integer") else ""
        words.append(NOUNS[name] + bounds)
    return " or ".join(words)


def _bounds(schema: Schema) -> str:
    bounds = []
    for keyword, words in (
        ("minimum", "of at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if keyword in schema:
            bounds.append(f"{words} {schema[keyword]}")
    return " " + " and ".join(bounds) if bounds else ""
