"""The runs of a study as blocks: seeds are compared with each other at the points of the sweep that all of them have.

A point at which a run diverged, or has no number, with any seed, is left out for all seeds; a note names it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.study_tables import StudyTables
from breakeven.claims.words import symbol


def combinations(tables: StudyTables, without: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The runs at each combination of the swept hyperparameters other than ``without``, with the combination in words."""
    others = [name for name in tables.study.compared if name not in without]
    if not others:
        yield "", tables.runs
        return
    for values, runs in tables.runs.groupby(others, dropna=False):
        yield _point(others, values), runs


def complete(runs: pd.DataFrame, compared: Sequence[str], *needed: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """The runs at the points of the sweep where no seed diverged and every seed has a number; notes on the others."""
    if not compared or runs.empty:
        points = pd.Series("the runs", index=runs.index)
    else:
        values_of_runs = runs[list(compared)].to_numpy(dtype=object)
        points = pd.Series([_point(compared, values) for values in values_of_runs], index=runs.index)
    seeds = set(runs["seed"])
    diverged: list[str] = []
    without: list[str] = []
    notes: list[str] = []
    for point, of_point in runs.groupby(points, sort=False):
        if of_point["diverged"].any():
            diverged.append(point)
        elif set(of_point["seed"]) != seeds or any(values[of_point.index].isna().any() for values in needed):
            without.append(point)
    notes += [f"left out, diverged: {', '.join(diverged)}"] if diverged else []
    notes += [f"left out, no number with every seed: {', '.join(without)}"] if without else []
    return runs[~points.isin([*diverged, *without])], notes


def by_seed(values: pd.Series, runs: pd.DataFrame) -> Numbers:
    """The mean over the runs of each seed that have a number."""
    return values.groupby(runs["seed"]).mean().dropna().to_numpy(float)


def lacking(values: pd.Series, why: str) -> list[str]:
    """A note on the runs that have no number, if there are any."""
    count = int(values.isna().sum())
    return [f"{count} of {len(values)} runs {why}"] if count else []


def _point(names: Sequence[str], values: Any) -> str:
    pairs = zip(names, values, strict=True)
    return ", ".join(f"{symbol(name)} = {_show(value)}" for name, value in pairs)


def _show(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, int | float | np.number) and not isinstance(value, bool) else str(value)
