"""Models of pydantic, made from what is declared elsewhere: the dataclasses of `breakeven.specs`, the signatures of functions."""

import dataclasses
import types
from collections.abc import Hashable, Iterable, Mapping
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    WrapValidator,
    create_model,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from breakeven.config.folders import path_problem
from breakeven.config.messages import show
from breakeven.specs.checked import by_kind, default_of
from breakeven.specs.source import AsPath, Option


class Section(BaseModel):
    """A mapping of the config: unknown keys are refused, and numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _whole(value: Any) -> Any:
    """3.0 is 3; a text or true is no integer, which they are for pydantic."""
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "no integer")
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)  # stands behind the bounds of an integer
LARGEST = 1_000_000_000  # of an integer, and of one below zero, where no other bound is declared
Count = Annotated[int, Ge(1), Le(LARGEST), WHOLE]
Number = Annotated[float, Strict()]


def repeated(items: tuple[Any, ...]) -> list[Any]:
    """The items that equal an earlier one; 1 equals 1.0, but not true."""
    seen: set[Hashable] = set()
    again = []
    for item in items:
        key = _hashable(item)
        if key in seen:
            again.append(item)
        seen.add(key)
    return again


def _hashable(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    made: Hashable = (bool, value) if isinstance(value, bool) else value
    return made


def _each_once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    again = repeated(items)
    if again:
        raise ValueError(f"{show(again[0])} stands here more than once")
    return items


def _path(text: str) -> str:
    problem = path_problem(text)
    if problem:
        raise ValueError(problem)
    return text


EachOnce = AfterValidator(_each_once)


def as_checked(annotation: Any) -> Any:
    """``annotation`` as pydantic must check it: numbers are numbers, and a dataclass is made from a mapping."""
    if annotation is int:
        return _integer()
    if annotation in (float, bool):
        return Annotated[annotation, Strict()]
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return record(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *marks = arguments
        marks = [AfterValidator(_path) if isinstance(mark, AsPath) else mark for mark in marks]
        return _integer(*marks) if inner is int else Annotated[as_checked(inner), *marks]
    if origin in (Union, types.UnionType):
        if all(map(dataclasses.is_dataclass, arguments)):
            return _one_of(arguments)
        return Number if set(arguments) == {int, float} else reduce(or_, map(as_checked, arguments))
    if origin is tuple:
        return types.GenericAlias(tuple, (as_checked(arguments[0]), ...))
    return dict[str, Any] if origin is Mapping else annotation


@cache
def _one_of(classes: tuple[Any, ...]) -> Any:
    """A mapping of the fields of one of several dataclasses, which its ``kind`` tells; their union alone would be told the
    mistakes of all of them.
    """
    made = {kind: TypeAdapter(record(cls)) for kind, cls in by_kind(classes).items()}
    kinds: Any = Literal[tuple(filter(None, made))]
    named = TypeAdapter(create_model("Kind", kind=(kinds, ...)))

    def chosen(value: Any, _: Any) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind is None and isinstance(value, dict) and "kind" not in value:
            _refuse_without_kind(value, classes)
        elif isinstance(value, dict):
            named.validate_python(value)  # an error at 'kind' where it is none of them
        return made[kind].validate_python(value)

    return Annotated[reduce(or_, map(record, classes)), WrapValidator(chosen)]


def _refuse_without_kind(value: Mapping[str, Any], classes: Iterable[Any]) -> None:
    """Raise a ValueError if ``value``, which says no ``kind``, has a key that only dataclasses with one have."""
    with_key = {kind: {field.name for field in dataclasses.fields(cls)} for kind, cls in by_kind(classes).items()}
    without = with_key.pop(None)
    for key in value:
        kinds = sorted(kind for kind, names in with_key.items() if key in names and kind is not None)
        if kinds and key not in without:
            raise ValueError(f"has '{key}' and no 'kind'; allowed: kind: {' or '.join(kinds)}")


def _integer(*marks: Any) -> Any:
    """An integer with ``marks``, and with a bound on each side."""
    bounds: list[Any] = [Ge(-LARGEST)] if not any(isinstance(mark, Ge | Gt) for mark in marks) else []
    bounds += [Le(LARGEST)] if not any(isinstance(mark, Le | Lt) for mark in marks) else []
    return Annotated[int, *marks, *bounds, WHOLE]


def described(annotation: Any) -> str:
    """The text in an `Annotated`."""
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return " ".join(mark for mark in marks if isinstance(mark, str))


def fields_of(options: Mapping[str, Option]) -> dict[str, Any]:
    """The fields of a model that takes ``options``."""
    return {
        name: (
            as_checked(option.type),
            Field(... if option.default is dataclasses.MISSING else option.default, description=described(option.type)),
        )
        for name, option in options.items()
    }


def declared_by(cls: Any) -> dict[str, Option]:
    """The fields of a dataclass; ``kind``, which tells it from others, must be said."""
    return {
        field.name: Option(field.type, dataclasses.MISSING if field.name == "kind" else default_of(field))
        for field in dataclasses.fields(cls)
    }


def made_of(fields: Mapping[str, Any], words: str | None = None) -> Any:
    """A model with these ``fields``; ``words`` describe it."""
    return create_model("Made", __base__=Section, __doc__=words, **fields)


@cache
def record(cls: Any) -> Any:
    """The type of a config's value that stands for an instance of the dataclass ``cls``: a mapping of its fields."""
    model = create_model(
        cls.__name__, __base__=Section, __doc__=cls.__doc__.split("\n")[0], **fields_of(declared_by(cls))
    )
    return Annotated[model, AfterValidator(lambda made: cls(**dict(made)))]


class _Schema(GenerateJsonSchema):
    """JSON Schema as people write it: no titles, ``type: [integer, "null"]``."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        return inner | {"type": [inner["type"], "null"]} if "type" in inner else super().nullable_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        return made

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """One choice is a list of choices as well."""
        return {"type": "string", "enum": schema["expected"]}


@cache
def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of what ``model`` takes."""
    return model.model_json_schema(schema_generator=_Schema)
