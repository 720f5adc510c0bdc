"""What is computed of the runs of a study, from its tables ``runs.csv`` and ``trajectories.csv``.

A number of each run, as a series over run ids; no number (NaN) where it can't be had. Nothing is tested here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breakeven.claims.hypothesis_tests import rank_correlation
from breakeven.store.errors import UserError
from breakeven.store.tables import read_table

# quantity -> the maximum in runs.csv that is empty where a value along the run could not be computed; the curve just lacks it
LARGEST = {
    "lambda_K_1": "max_lambda_K",
    "lambda_K_star": "max_lambda_K",
    "g_over_g5": "max_lambda_K",
    "trace_K": "max_trace_K",
    "lambda_star_over_lambda_1": "max_lambda_star_over_lambda_1",
    "trace_over_lambda_1": "max_trace_over_lambda_1",
    "lambda_H_1": "max_lambda_H",
    "trace_H": "max_trace_H",
}
WINDOW = 3  # measured steps; the paper smooths its curves, and does not say over how many

NOTHING = pd.DataFrame({"step": [], "epoch": [], "value": []}, dtype=float)


@dataclass(frozen=True)
class StudyTables:
    """A study: its name, the hyperparameters that it sweeps, a row of ``runs`` for each run, by its id, and its curves.

    ``curves``: (quantity, run) -> table with a row for each measured step: step, epoch, value.
    """

    name: str
    swept: list[str]
    runs: pd.DataFrame
    curves: Mapping[tuple[str, str], pd.DataFrame]


def read_study(tables: Path, study: dict[str, Any]) -> StudyTables:
    """Read the tables of ``study``, with the keys ``name`` and ``swept``, from its folder in ``tables``."""
    needed = {
        "runs": ["run", "seed", "diverged", *study["swept"]],
        "trajectories": ["run", "step", "epoch", "quantity", "value"],
    }
    read = {}
    for name, columns in needed.items():
        path = tables / study["name"] / f"{name}.csv"
        read[name] = read_table(path)
        lacking = [column for column in columns if column not in read[name]]
        if lacking:
            raise UserError(f"'{path}' has no column {', '.join(map(repr, lacking))}: delete it")
    return study_tables(study, **read)


def study_tables(study: dict[str, Any], runs: pd.DataFrame, trajectories: pd.DataFrame) -> StudyTables:
    """The study of tables that have been read."""
    runs = runs.set_index("run").assign(diverged=runs["diverged"].astype(str).str.lower().eq("true").to_numpy())
    curves = {
        (str(quantity), str(run)): rows[["step", "epoch", "value"]].sort_values("step")
        for (quantity, run), rows in trajectories.groupby(["quantity", "run"])
    }
    return StudyTables(study["name"], list(study["swept"]), runs, curves)


def curve(study: StudyTables, run: str, quantity: str, smoothed: bool = False) -> pd.DataFrame:
    """A quantity along a run: step, epoch, value.

    Smoothed: the centred moving average over 3 measured steps, where there are three; so the first and the last step
    have none.
    """
    rows = study.curves.get((quantity, run), NOTHING)
    if smoothed:
        rows = rows.assign(value=rows["value"].rolling(WINDOW, center=True).mean())
    return rows.dropna(subset="value")


def maxima(study: StudyTables, quantity: str, smoothed: bool) -> pd.Series:
    """The largest value that a quantity attains along each run; NaN where one is missing, as that may be the largest."""
    return _of_runs(study, lambda run: _whole_curve(study, run, quantity, smoothed)["value"].max())


def early_correlation(study: StudyTables, x: str, y: str, until: str) -> pd.Series:
    """How two quantities correlate along the measured steps of each run up to the epoch in column ``until``: Fisher's z.

    NaN for a run that has no such epoch: nobody knows which of its steps are early.
    """

    def correlation(run: str) -> float:
        epoch = number(study, run, until)
        pair = curve(study, run, x).merge(curve(study, run, y)[["step", "value"]], on="step", suffixes=("_x", "_y"))
        pair = pair[pair["epoch"] <= epoch]
        return rank_correlation(pair["value_x"].to_numpy(float), pair["value_y"].to_numpy(float))

    return _of_runs(study, correlation)


def peak_epochs(study: StudyTables, quantity: str, smoothed: bool) -> pd.Series:
    """The epoch at which a quantity is largest along each run; of several, the first. NaN where a value is missing."""

    def peak(run: str) -> float:
        rows = _whole_curve(study, run, quantity, smoothed)
        return float(rows["epoch"].iloc[rows["value"].argmax()]) if len(rows) else math.nan

    return _of_runs(study, peak)


def _whole_curve(study: StudyTables, run: str, quantity: str, smoothed: bool) -> pd.DataFrame:
    """The `curve` of a run that lacks no value of it; otherwise nothing."""
    whole = math.isfinite(number(study, run, LARGEST[quantity]))
    return curve(study, run, quantity, smoothed) if whole else NOTHING


def column(study: StudyTables, name: str) -> pd.Series:
    """A column of ``runs.csv`` as numbers; NaN where a cell is empty."""
    return _of_runs(study, lambda run: number(study, run, name))


def number(study: StudyTables, run: str, name: str) -> float:
    """A cell of ``runs.csv`` as a finite number; NaN where there is none."""
    cell: Any = study.runs.at[run, name] if name in study.runs else math.nan
    value = float(pd.to_numeric(cell, errors="coerce"))
    return value if math.isfinite(value) else math.nan


def logarithms(values: pd.Series) -> pd.Series:
    """Natural logarithms; NaN where a value isn't positive."""
    return np.log(values.where(values > 0))


def _of_runs(study: StudyTables, of_run: Callable[[str], float]) -> pd.Series:
    values = pd.Series({run: of_run(str(run)) for run in study.runs.index}, dtype=float)
    return values.where(np.isfinite(values))
