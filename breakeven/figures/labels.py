"""How hyperparameters, their values and what was measured are called, in figures and in the report."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from breakeven.specs import measurements, quantities
from breakeven.specs.own_code import is_own
from breakeven.specs.study import Study
from breakeven.specs.words import in_words

QUANTITIES = {quantity.name: quantity for quantity in measurements.QUANTITIES}
COLUMNS = {column.name: column for column in measurements.RUN_COLUMNS}
HYPERPARAMETERS = {each.name: f"{each.words} {each.symbol}" for each in quantities.HYPERPARAMETERS}


def label(hyperparameter: str) -> str:
    """A hyperparameter's name in words."""
    return HYPERPARAMETERS.get(hyperparameter, hyperparameter.replace("_", " "))


def compared(study: Study) -> list[str]:
    """The hyperparameters that tell the curves of a figure apart; a study without a sweep is shown by its learning rate."""
    return list(study.compared) or ["learning_rate"]


def with_schedules_in_words(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with each schedule, JSON in the file, as it is told: ``0.03, 0.1 from 0.5 x break-even``."""
    if "schedule" not in table:
        return table
    pairs = zip(table["learning_rate"], table["schedule"], strict=True)
    return table.assign(schedule=[_schedule(float(rate), switches) for rate, switches in pairs])


@cache
def _schedule(learning_rate: float, switches: str) -> str:
    return in_words(learning_rate, json.loads(switches))


def shortened(values: Iterable[Any], name: str) -> dict[Any, str]:
    """What those of the values of a hyperparameter are called that can be shorter and still differ from all the others.

    A function in a file, without the folder; options without the marks of JSON.
    """
    each = set(values)
    short = {value: _short(value, name) for value in each}
    count = Counter(map(text, short.values()))
    taken = {text(value) for value in each}
    return {
        value: made
        for value, made in short.items()
        if made != value and count[text(made)] == 1 and text(made) not in taken
    }


def _short(value: Any, name: str) -> Any:
    if is_own(value):
        file, _, function = value.rpartition(":")
        return f"{PurePath(file).name}:{function}"
    if name.endswith("_options") and isinstance(value, str):
        try:
            options = json.loads(value)
        except ValueError:
            return value
        told = (f"{key} {each if isinstance(each, str) else json.dumps(each)}" for key, each in options.items())
        return ", ".join(told) or "defaults"
    return value


def number(value: Any) -> float | None:
    """A swept value as a finite number, or None where it isn't one (a string, a bool, JSON text, an empty cell)."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def text(value: Any) -> str:
    """A swept value as it stands in legends; different values give different texts."""
    as_number = number(value)
    if as_number is not None:
        return str(int(as_number)) if as_number.is_integer() and abs(as_number) < 1e15 else repr(as_number)
    return "none" if isinstance(value, float) else str(value)
