"""Check and coerce the options of a network, or of a data set of the user's own, against those that its function declares."""

import ast
from functools import cache
from typing import Any

from breakeven.config.validate import Problem, Schema, filled, find_problems
from breakeven.networks import registry

TYPES = "int, float, bool, str, tuple[TYPE, ...], Literal['name', 'other']"
# Of options that mean the same in every network that has them.
BOUNDS: dict[str, Schema] = {"dropout": {"minimum": 0, "exclusiveMaximum": 1}}


def option_problems(network: str, options: dict[str, Any]) -> list[Problem]:
    """What is wrong with ``options``: unknown ones and wrong types; or with how code of the user's own declares them."""
    try:
        schema = _schema(network)
    except TypeError as error:
        return [Problem((), str(error))]
    return find_problems(options, schema)


def canonical_options(network: str, options: dict[str, Any]) -> dict[str, Any]:
    """Valid ``options`` with numbers of the declared types, without those that equal the network's own default."""
    schema = _schema(network)
    return {
        name: value
        for name, value in sorted(filled(options, schema).items())
        if value != schema["properties"][name]["default"]
    }


@cache
def _schema(network: str) -> Schema:
    properties = {}
    for name, option in registry.network_options(network).items():
        schema = _type_schema(ast.parse(option.type, mode="eval").body)
        if schema is None:
            raise TypeError(f"option '{name}' of '{network}' has the type {option.type}; allowed: {TYPES}")
        default = list(option.default) if isinstance(option.default, tuple) else option.default
        properties[name] = schema | _bounds(option.default) | BOUNDS.get(name, {}) | {"default": default}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _bounds(default: Any) -> Schema:
    """An integer counts something, so it is at least 1, unless its default says otherwise."""
    return {"minimum": 1} if isinstance(default, int) and not isinstance(default, bool) and default >= 1 else {}


def _type_schema(annotation: ast.expr) -> Schema | None:
    """The JSON schema of a type as written in a signature, None for others; integers in a tuple are at least 1."""
    match annotation:
        case ast.Name("int"):
            return {"type": "integer"}
        case ast.Name("float"):
            return {"type": "number"}
        case ast.Name("bool"):
            return {"type": "boolean"}
        case ast.Name("str"):
            return {"type": "string"}
        case ast.Subscript(ast.Name("tuple"), ast.Tuple([items, ast.Constant(value)])) if value is ...:
            items_schema = _type_schema(items)
            return items_schema and {
                "type": "array",
                "minItems": 1,
                "items": items_schema | _bounds(int(items_schema["type"] == "integer")),
            }
        case ast.Subscript(ast.Name("Literal"), choices):
            allowed = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            names = [each.value for each in allowed if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            return {"type": "string", "enum": names} if len(names) == len(allowed) else None
        case _:
            return None
