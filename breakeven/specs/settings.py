"""Settings as they are declared: fields of a dataclass, ``Annotated`` with bounds and a description."""

from dataclasses import dataclass, fields
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from breakeven.specs.checked import LARGEST

BOUNDS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}


@dataclass(frozen=True)
class Setting:
    """A setting: its name, its type with bounds, what it is, its default."""

    name: str
    hint: Any
    description: str
    default: Any

    def parse(self, text: str) -> Any:
        """The value that ``text`` says; a ValueError says what is allowed."""
        return _value(self.hint, text)


def settings(declared: type) -> dict[str, Setting]:
    """The settings that a dataclass declares, by name."""
    hints = get_type_hints(declared, include_extras=True)
    return {
        each.name: Setting(
            each.name,
            hints[each.name],
            " ".join(part for part in get_args(hints[each.name])[1:] if isinstance(part, str)),
            each.default,
        )
        for each in fields(declared)
    }


def _value(hint: Any, text: str) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        kind, *bounds = get_args(hint)
        value = _value(kind, text)
        for bound in bounds:
            _check(value, bound)
        return value
    if origin in (Union, UnionType):
        if text == "null":
            return None
        [kind] = [each for each in get_args(hint) if each is not type(None)]
        return _value(kind, text)
    if origin is Literal:
        if text not in get_args(hint):
            raise ValueError(f"'{text}' is not known; allowed: {', '.join(get_args(hint))}")
        return text
    noun = "an integer" if hint is int else "a finite number"
    try:
        value = hint(text)
    except ValueError:
        raise ValueError(f"'{text}' is not {noun}") from None
    if abs(value) <= LARGEST[hint]:
        return value
    raise ValueError(f"'{text}' is not {noun}" + (f" of at most {LARGEST[int]}" if hint is int else ""))


def _check(value: Any, bound: Any) -> None:
    if type(bound) not in BOUNDS:
        return
    words, name = BOUNDS[type(bound)]
    limit = getattr(bound, name)
    fits = {"ge": value >= limit, "gt": value > limit, "le": value <= limit, "lt": value < limit}[name]
    if not fits:
        raise ValueError(f"{value} is not allowed; allowed: {words} {limit}")
