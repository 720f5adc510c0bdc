"""Whether a value that came as JSON is what a type declares: for what people write by hand on the command line of a stage.

A config is checked by pydantic, which a job doesn't import.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen

LARGEST = {int: 4_294_967_295, float: sys.float_info.max}  # of an integer that is the largest seed
NOUNS = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}


def check(declared: Any, value: Any, name: str) -> None:
    """Raise a ValueError, in words, if ``value``, which is called ``name``, is not of the type ``declared``, bounds included."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        check(arguments[0], value, name)
        for bound in arguments[1:]:
            _check_bound(bound, value, name)
    elif origin in (Union, UnionType):
        if all(map(is_dataclass, arguments)):
            _check_by_kind(arguments, value, name)
        elif value is not None or type(None) not in arguments:
            check(
                [kind for kind in arguments if kind is not type(None)][-1], value, name
            )  # of int | float, float takes both
    elif origin is Literal:
        _must_be(value in arguments, value, name, ", ".join(arguments))
    elif origin in (tuple, Mapping):
        _check_each(origin, arguments, value, name)
    elif is_dataclass(declared):
        check_fields(declared, value, name)
    elif declared in NOUNS:
        _must_be(_is(declared, value), value, name, NOUNS[declared])


def by_kind(classes: Iterable[Any]) -> dict[str | None, Any]:
    """Dataclasses by what their field ``kind`` always is; None for the one that has no such field."""
    return {getattr(cls, "kind", None): cls for cls in classes}


def _check_by_kind(classes: Iterable[Any], value: Any, name: str) -> None:
    _must_be(isinstance(value, Mapping), value, name, "a mapping")
    kinds, kind = by_kind(classes), value.get("kind")
    known = isinstance(kind, str | None) and kind in kinds
    _must_be(known, kind, f"{name}.kind", ", ".join(sorted(filter(None, kinds))))
    check_fields(kinds[kind], value, name)


def _check_each(origin: Any, arguments: tuple[Any, ...], value: Any, name: str) -> None:
    if origin is tuple:
        _must_be(isinstance(value, list | tuple), value, name, "a list")
        for index, each in enumerate(value):
            check(arguments[0], each, f"{name}[{index}]")
    else:
        _must_be(isinstance(value, Mapping), value, name, "a mapping")
        for key, each in value.items():
            check(arguments[1], each, f"{name}.{key}")


def check_fields(declared: Any, content: Any, name: str) -> None:
    """Raise a ValueError, in words, if the mapping ``content`` is not what the dataclass ``declared`` can be made of."""
    _must_be(isinstance(content, Mapping), content, name, "a mapping")
    known = {field.name: field for field in fields(declared)}
    unknown = [key for key in content if key not in known]
    if unknown:
        raise ValueError(f"{name} has no {_show(unknown[0])}; allowed: {', '.join(sorted(known))}")
    for key, field in known.items():
        if key in content:
            check(field.type, content[key], f"{name}.{key}")
        elif default_of(field) is MISSING:
            raise ValueError(f"{name} needs {key!r}")


def default_of(field: "Field[Any]") -> Any:
    """The default of a field of a dataclass; MISSING where it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _is(kind: type, value: Any) -> bool:
    if kind in (str, bool):
        return isinstance(value, kind)
    numbers = int | float if kind is float else int
    return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) <= LARGEST[kind]  # nan isn't


def _must_be(fits: bool, value: Any, name: str, noun: str) -> None:
    if not fits:
        raise ValueError(f"{name} is {_show(value)}; allowed: {noun}")


def _check_bound(bound: Any, value: Any, name: str) -> None:
    match bound:
        case Ge(ge=limit):
            _must_be(value >= limit, value, name, f"at least {limit}")
        case Gt(gt=limit):
            _must_be(value > limit, value, name, f"above {limit}")
        case Le(le=limit):
            _must_be(value <= limit, value, name, f"at most {limit}")
        case Lt(lt=limit):
            _must_be(value < limit, value, name, f"below {limit}")
        case MinLen():
            _must_be(len(value) >= bound.min_length, value, name, "what is not empty")


def _show(value: Any) -> str:
    return repr(value)[:60]
