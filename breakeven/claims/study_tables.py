"""The tables of a study, and numbers of each of its runs: a series over run ids, NaN where a run has no number.

Nothing is tested here.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breakeven.claims.hypothesis_tests import spearman_z
from breakeven.specs.measurements import QUANTITIES
from breakeven.specs.run import entry
from breakeven.specs.study import Study
from breakeven.specs.words import in_words
from breakeven.store.errors import UserError
from breakeven.store.tables import read_table

WINDOW = 3  # measured steps; the paper smooths its curves, and does not say over how many
SMOOTHED_AND_RAW = (True, False)  # the curves of the primary test, and of the one that stands beside it

# of embedding.csv, where a study has one: the distance of predictions to the trajectory of the largest learning rate, and the
# way that they have gone since the measured step before
DISTANCE, MOVED = "distance_to_path", "moved"

NO_CURVE = pd.DataFrame({"step": [], "epoch": [], "value": []}, dtype=float)

# the column of runs.csv that is empty where a value of the quantity along the run could not be computed
EMPTY_WITH = {each.name: each.maximum or each.empty_with for each in QUANTITIES if each.maximum or each.empty_with}


@dataclass(frozen=True)
class StudyTables:
    """A study and its tables: a row of ``runs`` for each run, by its id, and its ``curves``.

    ``curves``: (quantity, run) -> table with a row for each measured step: step, epoch, value. Where the study sweeps
    schedules, column ``schedule`` of ``runs`` has them in words, and column ``entries`` as tuples of `Entry`.
    """

    study: Study
    runs: pd.DataFrame
    curves: Mapping[tuple[str, str], pd.DataFrame]


def read_study(folder: Path, study: Study) -> StudyTables:
    """Read the tables of ``study`` from its folder in ``folder``."""
    labels = dict.fromkeys([*study.swept, *(["learning_rate"] if "schedule" in study.swept else [])])
    runs = read_table(folder / study.name / "runs.csv", ["run", "seed", "diverged", *labels])
    trajectories = read_table(folder / study.name / "trajectories.csv", ["run", "step", "epoch", "quantity", "value"])
    if study.predictions:
        embedding = read_table(folder / study.name / "embedding.csv", ["run", "step", DISTANCE, MOVED])
        of_predictions = embedding.melt(["run", "step"], [DISTANCE, MOVED], "quantity").assign(epoch=math.nan)
        trajectories = pd.concat([trajectories, of_predictions.dropna(subset="value")], ignore_index=True)
    return study_tables(study, runs, trajectories)


def study_tables(study: Study, runs: pd.DataFrame, trajectories: pd.DataFrame) -> StudyTables:
    """The study with its tables ``runs.csv`` and ``trajectories.csv``, as they were read."""
    runs = runs.set_index("run")
    if "schedule" in study.swept:
        runs = _with_entries(runs, study.name)
    by_curve = trajectories.sort_values("step", kind="stable").groupby(["quantity", "run"])
    curves = {(str(quantity), str(run)): rows for (quantity, run), rows in by_curve[["step", "epoch", "value"]]}
    return StudyTables(study, runs, curves)


def _with_entries(runs: pd.DataFrame, study: str) -> pd.DataFrame:
    """``runs`` with its column ``schedule``, JSON, in words, and the entries in a column of their own."""
    try:
        schedules = [json.loads(text) for text in runs["schedule"]]
        entries = [tuple(map(entry, schedule)) for schedule in schedules]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"'{study}/runs.csv' has a schedule that can't be read ({error!r}): delete it") from error
    words = [in_words(rate, schedule) for rate, schedule in zip(runs["learning_rate"], schedules, strict=True)]
    return runs.assign(schedule=words, entries=pd.Series(entries, index=runs.index, dtype=object))


def has_accuracy(tables: StudyTables) -> bool:
    """Whether runs have an accuracy, which those that predict numbers have not."""
    quantities = {quantity for quantity, _ in tables.curves}
    return "train_accuracy" in quantities or "train_loss" not in quantities


def curve(tables: StudyTables, run: str, quantity: str, smoothed: bool = False) -> pd.DataFrame:
    """A quantity along a run: step, epoch, value.

    Smoothed: the centred moving average over 3 measured steps, where there are three; so the first and the last step
    have none.
    """
    rows = tables.curves.get((quantity, run), NO_CURVE)
    if smoothed:
        rows = rows.assign(value=rows["value"].rolling(WINDOW, center=True).mean())
    return rows[rows["value"].notna()]


def maxima(tables: StudyTables, quantity: str, smoothed: bool) -> pd.Series:
    """The largest value that a quantity attains along each run; NaN where one is missing, as that may be the largest."""
    return _of_runs(tables, lambda run: _whole_curve(tables, run, quantity, smoothed)["value"].max())


def log_levels(tables: StudyTables, quantity: str) -> pd.Series:
    """The mean logarithm of a quantity along each run; NaN where a value is missing, or not positive."""

    def level(run: str) -> float:
        values = _whole_curve(tables, run, quantity, smoothed=False)["value"].to_numpy(float)
        return float(np.log(values).mean()) if len(values) and (values > 0).all() else math.nan

    return _of_runs(tables, level)


def peak_epochs(tables: StudyTables, quantity: str, smoothed: bool) -> pd.Series:
    """The epoch at which a quantity is largest along each run; of several, the first. NaN where a value is missing."""

    def peak(run: str) -> float:
        rows = _whole_curve(tables, run, quantity, smoothed)
        return float(rows["epoch"].iloc[rows["value"].argmax()]) if len(rows) else math.nan

    return _of_runs(tables, peak)


def first_peaks(tables: StudyTables) -> pd.Series:
    """λ_H^1 at its first peak along each run; NaN where it has none, or at the first measured step, or a value is missing."""

    def peak(run: str) -> float:
        later = _whole_curve(tables, run, "lambda_H_1", smoothed=False).iloc[1:]
        at = later["value"][later["step"] == number(tables, run, "first_peak_step")]
        return float(at.iloc[0]) if len(at) else math.nan

    return _of_runs(tables, peak)


def keeps_its_rate(tables: StudyTables, run: str) -> bool:
    """Whether the learning rate is one from the break-even point to the first peak of λ_H^1, or from this to that.

    At all measured steps from the last before the earlier of the two, which curvature has grown from, to the first after the
    later one, which has ended growth; to the end where there is no peak. The rate at a step is that of the step from there.
    """
    rates = curve(tables, run, "two_over_lr").set_index("step")["value"]
    break_even, peak = number(tables, run, "break_even_step"), number(tables, run, "first_peak_step")
    until = math.inf if math.isnan(peak) else np.fmax(break_even, peak)
    since = rates.index.searchsorted(np.fmin(break_even, peak)) - 1
    after = rates.index.searchsorted(until, side="right")
    return rates.iloc[max(since, 0) : after + 1].nunique() <= 1


def _whole_curve(tables: StudyTables, run: str, quantity: str, smoothed: bool) -> pd.DataFrame:
    """The `curve` of a run that lacks no value of it; otherwise no curve."""
    whole = math.isfinite(number(tables, run, EMPTY_WITH[quantity]))
    return curve(tables, run, quantity, smoothed) if whole else NO_CURVE


def early_spearman_z(tables: StudyTables, x: str, y: str, until: str) -> pd.Series:
    """Fisher's z of Spearman's ρ of two quantities along the measured steps of each run up to the epoch in column ``until``.

    NaN for a run that has no such epoch: nobody knows which of its steps are early. Steps that lack a value are left out,
    see `early_gaps`.
    """

    def z(run: str) -> float:
        pair = _early_steps(tables, run, x, y, until).dropna()
        return spearman_z(pair["value_x"].to_numpy(float), pair["value_y"].to_numpy(float))

    return _of_runs(tables, z)


def early_gaps(tables: StudyTables, x: str, y: str, until: str) -> pd.Series:
    """How many early steps of each run have a value of one of the quantities, and none of the other."""
    return _of_runs(tables, lambda run: int(_early_steps(tables, run, x, y, until).isna().any(axis=1).sum()))


def early_smallest(tables: StudyTables, x: str, y: str, until: str) -> pd.Series:
    """The smallest ``y`` over the early steps of each run at which both quantities have a value; NaN for a run without."""
    return _of_runs(tables, lambda run: float(_early_steps(tables, run, x, y, until).dropna()["value_y"].min()))


def typical_early(tables: StudyTables, quantity: str) -> pd.Series:
    """The median of a quantity over the measured steps of each run up to its break-even point; NaN for a run that has none."""

    def typical(run: str) -> float:
        rows = curve(tables, run, quantity)
        return float(rows["value"][rows["epoch"] <= number(tables, run, "break_even_epoch")].median())

    return _of_runs(tables, typical)


def typical_ratio_after_steps(tables: StudyTables, unstable: bool) -> pd.Series:
    """The curvature along e_H^1 after a step over that before: the median over the steps that are ``unstable``, or not."""

    def typical(run: str) -> float:
        names = ("curvature_after_step", "lambda_H_1", "stability_lhs")
        after, before, side = (curve(tables, run, name).set_index("step")["value"] for name in names)
        ratios = (after / before.where(before > 0)).dropna()
        at = side.index[(side >= 1) == unstable]
        return float(ratios[ratios.index.isin(at)].median())

    return _of_runs(tables, typical)


def _early_steps(tables: StudyTables, run: str, x: str, y: str, until: str) -> pd.DataFrame:
    curves = [curve(tables, run, name).set_index(["step", "epoch"])["value"] for name in (x, y)]
    pair = pd.concat(curves, axis=1, keys=["value_x", "value_y"])
    return pair[pair.index.get_level_values("epoch") <= number(tables, run, until)]


def column(tables: StudyTables, name: str) -> pd.Series:
    """A column of ``runs.csv`` as numbers; NaN where a cell is empty."""
    return _of_runs(tables, lambda run: number(tables, run, name))


def number(tables: StudyTables, run: str, name: str) -> float:
    """A cell of ``runs.csv`` as a finite number; NaN where there is none."""
    cell: Any = tables.runs.at[run, name] if name in tables.runs else math.nan
    value = float(pd.to_numeric(cell, errors="coerce"))
    return value if math.isfinite(value) else math.nan


def predicted_curvatures(tables: StudyTables) -> pd.Series:
    """The logarithm of the λ_H^1 at which Eq. 1 puts the break-even point; NaN where that is of another curvature.

    Which is so where the optimizer has a preconditioner.
    """
    predicted = logarithms(column(tables, "predicted_lambda_H"))
    others = [run for quantity, run in tables.curves if quantity == "preconditioned_lambda_H_1"]
    return predicted.where(~predicted.index.isin(others))


def logarithms(values: pd.Series) -> pd.Series:
    """Natural logarithms; NaN where a value isn't positive."""
    logs: pd.Series = np.log(values.where(values > 0))
    return logs


def _of_runs(tables: StudyTables, of_run: Callable[[str], float]) -> pd.Series:
    values = pd.Series({run: of_run(str(run)) for run in tables.runs.index}, dtype=float)
    return values.where(np.isfinite(values))
