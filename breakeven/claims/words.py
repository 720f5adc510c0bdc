"""How claims name and write numbers."""

import math
from collections.abc import Sequence

from breakeven.claims.hypothesis_tests import Numbers
from breakeven.specs import measurements
from breakeven.specs.quantities import HYPERPARAMETERS

SEPARATOR = "; "  # of several texts in one
# of quantities along a run, of columns of runs.csv and of hyperparameters, by name
SYMBOLS = (
    measurements.SYMBOLS
    | {each.name: each.symbol for each in measurements.RUN_COLUMNS}
    | {each.name: each.symbol for each in HYPERPARAMETERS}
)


def symbol(name: str) -> str:
    """The symbol of a quantity, a column of ``runs.csv`` or a hyperparameter; where it has none, its name."""
    return SYMBOLS.get(name, name)


SMOOTHED = ", smoothed"  # in the name of what is tested, where its curve is


def maximum(quantity: str, smoothed: bool) -> str:
    """The largest value of a quantity along a run, of its raw or of its smoothed curve."""
    return f"max {symbol(quantity)}{SMOOTHED if smoothed else ''}"


def joined(parts: Sequence[str]) -> str:
    """Those of several texts that aren't empty, in one."""
    return SEPARATOR.join(part for part in parts if part)


def with_names(pairs: Sequence[tuple[float, str]]) -> str:
    """Numbers with what they belong to, as the paper's are written: 1.9 (η = 0.3), 9.8 (η = 0.03)."""
    return ", ".join(f"{value:.3g} ({name})" for value, name in pairs if math.isfinite(value))


def smallest_to_largest(values: Numbers) -> str:
    """The range of the numbers of several runs, and how many they are; empty where there are none."""
    if len(values) < 2:
        return "".join(f"{value:.3g} (1 run)" for value in values)
    return f"{values.min():.3g} to {values.max():.3g} ({len(values)} runs)"
