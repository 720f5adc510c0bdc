"""The options of a function that a config names, checked and coerced by how its signature declares them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic_core import to_jsonable_python

from breakeven.config.derive import Section, fields_of, made_of
from breakeven.config.validate import Invalid, Problem, validated
from breakeven.specs.source import Source


@cache
def options_model(source: Source) -> type[Section]:
    """What ``source`` takes as options."""
    made: type[Section] = made_of(fields_of(source.options))
    return made


def option_problems(source: Source, options: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with ``options``: unknown ones, wrong types."""
    try:
        validated(options_model(source), options)
    except Invalid as error:
        return error.problems
    return []


def canonical_options(source: Source, options: Mapping[str, Any]) -> dict[str, Any]:
    """Valid ``options`` as plain data with numbers of the declared types, without those that equal the function's own default."""
    return changed(source, dict(validated(options_model(source), options)))


def changed(source: Source, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of all ``options`` that differ from their defaults and don't only say where data lies, sorted."""
    return {
        name: to_jsonable_python(options[name])
        for name, option in sorted(source.options.items())
        if not option.is_location and options[name] != option.default
    }
