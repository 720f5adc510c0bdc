"""The runs of a study as blocks: seeds are compared with each other at the points of the sweep that all of them have.

A point at which a run diverged, or has no number, with any seed, is left out for all seeds; a note names it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from breakeven.claims.catalogue import SYMBOLS
from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.quantities import StudyTables


def combinations(study: StudyTables, without: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The runs at each combination of the swept hyperparameters other than ``without``, with the combination in words."""
    others = [name for name in study.swept if name not in without]
    if not others:
        yield "", study.runs
        return
    for values, runs in study.runs.groupby(others, dropna=False):
        yield _point(others, values), runs


def complete(runs: pd.DataFrame, swept: list[str], *needed: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """The runs at the points of the sweep where no seed diverged and every seed has a number; notes on the others."""
    if not swept or runs.empty:
        points = pd.Series("the runs", index=runs.index)
    else:
        points = pd.Series([_point(swept, values) for values in runs[swept].to_numpy(dtype=object)], index=runs.index)
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


def _point(names: list[str], values: Any) -> str:
    pairs = zip(names, values, strict=True)
    return ", ".join(f"{SYMBOLS.get(name, name)} = {_show(value)}" for name, value in pairs)


def _show(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, int | float | np.number) and not isinstance(value, bool) else str(value)
