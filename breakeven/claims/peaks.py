"""The largest values of a quantity along runs that are compared, and what they are where the runs begin with them.

What a run has at its first measured step it has before its learning rate and its batch size did anything: the weights of a seed
are the same there. Where *all* runs of a comparison are largest there, their largest values would compare nothing. Then the
largest value *after the fall from the start* is compared: from the lowest point before the quantity has first risen by half;
where it never does, the last value. Which of the two is taken depends on all runs of a comparison alike, whatever their
hyperparameters, so that it makes no verdict more likely to be wrong.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.study_tables import StudyTables, curve, logarithms, maxima
from breakeven.claims.words import SMOOTHED, maximum, symbol

RISEN = 1.5  # a quantity has risen where it is that many times its lowest value so far; ours
AFTER = " (after its fall from the start)"
# the figures of a quantity's curves: the maxima that others show are not what is tested
FIGURES = {
    "lambda_K_1": "lambda_K",
    "lambda_H_1": "lambda_H",
    "lambda_star_over_lambda_1": "lambda_star_over_lambda_K",
    "trace_over_lambda_1": "trace_over_lambda_K",
}


@dataclass(frozen=True)
class Peaks:
    """The largest values along runs: what they are called, their logarithms, and what rows of ``claims.csv`` say of them."""

    name: str
    values: pd.Series
    notes: tuple[str, ...] = ()
    restriction: str = ""
    figure: str | None = None


def peaks(tables: StudyTables, runs: pd.DataFrame, quantity: str, smoothed: bool) -> Peaks:
    """The largest values of ``quantity`` along ``runs``; NaN where one could not be computed."""
    name, largest = maximum(quantity, smoothed), maxima(tables, quantity, smoothed)[runs.index]
    compared = runs.index[~runs["diverged"].astype(bool) & largest.notna()]
    count = sum(is_largest_at_the_start(tables, str(run), quantity) for run in compared)
    if count < len(compared) or not count:
        some = f"{count} of {len(compared)} runs are largest at their first measured step"
        return Peaks(name, logarithms(largest), (some,) if count else ())
    after = {run: after_the_fall(tables, str(run), quantity, smoothed) for run in compared}
    note = "all runs are largest at their first measured step, before training: compared is what comes after the fall from there"
    return Peaks(
        f"{symbol(quantity)} after its fall from the start{SMOOTHED if smoothed else ''}",
        logarithms(pd.Series(after, dtype=float).reindex(runs.index)),
        (note,),
        AFTER,
        FIGURES.get(quantity, ""),
    )


def is_largest_at_the_start(tables: StudyTables, run: str, quantity: str) -> bool:
    """Whether a quantity is largest at the first measured step of a run that has others, and nowhere else as large."""
    values = curve(tables, run, quantity)["value"].to_numpy(float)
    return len(values) > 1 and bool((values[0] > values[1:]).all())


def after_the_fall(tables: StudyTables, run: str, quantity: str, smoothed: bool) -> float:
    """The largest value along a run after its fall from the start, as above; NaN where nothing comes after the first step."""
    return largest_after_the_fall(curve(tables, run, quantity, smoothed)["value"].to_numpy(float)[1:])


def largest_after_the_fall(values: Numbers) -> float:
    """The largest of ``values`` from the lowest before they have risen by half; the last one where they never have."""
    if not len(values):
        return float("nan")
    lowest = np.minimum.accumulate(values)
    risen = np.flatnonzero(values >= RISEN * np.maximum(lowest, 0))
    if not len(risen):
        return float(values[-1])
    bottom = int(values[: risen[0] + 1].argmin())
    return float(values[bottom:].max())
