"""Stage ``summarise``: the two tables of a study, from the tables of its runs.

``runs.csv`` has one row per run, ``trajectories.csv`` one row per run, step and quantity. Runs are sorted by the swept
hyperparameters and the seed, so that the tables don't depend on the order in which files were found.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.store.progress import progress
from breakeven.store.tables import cell, read_table, write_table
from breakeven.store.training_record import FILE, TrainingRecord, read_training
from breakeven.summary.break_even import break_even
from breakeven.summary.remarks import remarks
from breakeven.summary.switches import first_switch

# quantity in trajectories.csv -> file and column of the run's tables
MEASURED = {
    "lambda_K_star": ("covariance", "lambda_star"),
    "trace_K": ("covariance", "trace"),
    "lambda_star_over_lambda_1": ("covariance", "lambda_star_over_lambda_1"),
    "trace_over_lambda_1": ("covariance", "trace_over_lambda_1"),
    "g_over_g5": ("covariance", "g_over_g5"),
    "gamma_norm": ("covariance", "gamma_norm"),
    "trace_H": ("hessian", "trace"),
    "converged_H": ("hessian", "converged"),  # 1 or 0
    "curvature_variance": ("stability", "curvature_variance"),
    "stability_lhs": ("stability", "stability_lhs"),
    "alpha_star": ("stability", "alpha_star"),
    "delta_loss": ("stability", "delta_loss"),
}
MEASUREMENTS = ("covariance", "hessian", "stability")

# columns of runs.csv that hold a number of steps
STEPS = [
    "step_of_max_lambda_K",
    "step_of_max_lambda_H",
    "break_even_step",
    "break_even_after_step",
    "first_peak_step",
    "first_switch_step",
    "unconverged_snapshots",
]


@dataclass(frozen=True)
class RunTables:
    """What the pipeline knows of one run: its labels (swept values, η, S, seed), its training and its tables."""

    run: str
    labels: dict[str, Any]
    training: TrainingRecord
    history: pd.DataFrame
    covariance: pd.DataFrame
    hessian: pd.DataFrame
    stability: pd.DataFrame


def read_run(folder: Path, labels: dict[str, Any]) -> RunTables:
    """Read the tables of the run in ``folder``."""
    history = read_table(folder / "history.csv", by=folder / FILE)
    tables = {name: read_table(folder / f"{name}.csv") for name in MEASUREMENTS}
    return RunTables(folder.name, labels, read_training(folder), history, **tables)


def summarise(results: Path, points: dict[str, Any], accuracy_threshold: float, out: Path) -> None:
    """Write ``runs.csv`` and ``trajectories.csv`` of a study into the folder ``out``.

    ``points``: {"columns": ["run", hyperparameters …, "seed"], "rows": [[run id, values …, seed], …]}.
    """
    labels = [name for name in points["columns"] if name != "run"]
    rows = [[cell(value) for value in row] for row in points["rows"]]
    rows.sort(key=lambda row: _order([*row[1:], row[0]]))
    tables = [
        read_run(results / "runs" / run, dict(zip(labels, values, strict=True)))
        for run, *values in progress(rows, "read tables", unit="run")
    ]
    runs = pd.DataFrame([summary(table, accuracy_threshold) for table in tables])
    runs = runs.astype(dict.fromkeys(STEPS, "Int64"))  # also where another run of the study has none: 10, never 10.0
    trajectories = pd.concat([trajectory(table) for table in tables], ignore_index=True)
    for name, table in (("runs", runs), ("trajectories", trajectories)):
        write_table(out / f"{name}.csv", table)


def trajectory(table: RunTables) -> pd.DataFrame:
    """The long table of one run: its labels, step, epoch, quantity, value; no row where there is no value."""
    per_epoch = table.training.steps_per_epoch
    pieces = [
        _quantity(rows, f"{split}_{column}", column)
        for split, rows in table.history.groupby("split", sort=False)
        for column in ("loss", "accuracy")
    ]
    files = {"covariance": table.covariance, "hessian": table.hessian, "stability": table.stability}
    for matrix, name in (("K", "covariance"), ("H", "hessian")):
        columns = [c for c in files[name].columns if c.removeprefix("lambda_").isdigit()]
        pieces += [_quantity(files[name], f"lambda_{matrix}_{c.removeprefix('lambda_')}", c) for c in columns]
    pieces += [_quantity(files[name], quantity, column) for quantity, (name, column) in MEASURED.items()]
    rows = pd.concat(pieces, ignore_index=True)
    rows.insert(1, "epoch", rows["step"] / per_epoch)
    for position, (name, value) in enumerate({"run": table.run, **table.labels}.items()):
        rows.insert(position, name, value)
    return rows


def summary(table: RunTables, accuracy_threshold: float) -> dict[str, Any]:
    """The row of one run in ``runs.csv``.

    Maxima are over the measured steps, of the raw values; of a run that diverged, over those before. There is none where the
    value of a measured step could not be computed, as that may be the largest; a ratio that doesn't exist, since K = 0, is not
    missing. ``break_even_*``, ``predicted_lambda_H``: see `breakeven.summary.break_even`. ``first_peak_step``: where λ_H^1 stops
    growing, see `_first_peak`; later peaks are often larger, as λ_H^1 goes up and down about the break-even value.
    ``threshold_epoch``: the first epoch (a fraction, at an evaluated step) at which the training accuracy is above the
    threshold. ``first_switch_step``: where the learning rate switched first. Without a value, the cell is empty; ``remarks``
    say what could not be computed.
    """
    k, h = table.covariance, table.hessian
    ratios = k[k["lambda_1"] != 0]
    point = break_even(table.stability, table.labels["batch_size"], table.training.train_examples)
    train = table.history[table.history["split"] == "train"]
    test = table.history[table.history["split"] == "test"]
    past = train[train["accuracy"] > accuracy_threshold]
    return {
        "run": table.run,
        **table.labels,
        "diverged": table.training.diverged,
        "max_lambda_K": _max(k, "lambda_1"),
        "step_of_max_lambda_K": _step_of_max(k, "lambda_1"),
        "max_lambda_H": _max(h, "lambda_1"),
        "step_of_max_lambda_H": _step_of_max(h, "lambda_1"),
        "max_trace_K": _max(k, "trace"),
        "max_lambda_star_over_lambda_1": _max(ratios, "lambda_star_over_lambda_1"),
        "max_trace_over_lambda_1": _max(ratios, "trace_over_lambda_1"),
        "break_even_step": point.step,
        "break_even_lambda_H": point.lambda_H,
        "break_even_epoch": None if point.step is None else point.step / table.training.steps_per_epoch,
        "threshold_epoch": past["epoch"].iloc[0] if len(past) else None,
        # one that diverged has no end
        "final_train_accuracy": None if table.training.diverged else train["accuracy"].iloc[-1],
        "final_test_accuracy": None if table.training.diverged else test["accuracy"].iloc[-1],
        "break_even_after_step": point.after_step,
        "predicted_lambda_H": point.predicted_lambda_H,
        "break_even_note": point.note,
        "first_peak_step": _first_peak(h),
        "unconverged_snapshots": int(((h["converged"].astype(str) != "True") & h["lambda_1"].notna()).sum()),
        "first_switch_step": first_switch(table.training),
        "max_trace_H": _max(h, "trace"),
        "remarks": remarks(table.training, table.history, k, h, table.stability),
    }


def _quantity(table: pd.DataFrame, quantity: str, column: str) -> pd.DataFrame:
    values = pd.DataFrame({"step": table["step"], "quantity": quantity, "value": table[column]})
    return values.dropna(subset="value")


def _max(table: pd.DataFrame, column: str) -> float:
    """The largest value; NaN where one is missing."""
    return float(table[column].max(skipna=False))


def _step_of_max(table: pd.DataFrame, column: str) -> int | None:
    return None if math.isnan(_max(table, column)) else int(table["step"].iloc[table[column].argmax()])


def _first_peak(hessian: pd.DataFrame) -> int | None:
    """The step at which λ_H^1 stops growing: its first local maximum of at least half of the largest value.

    It is less at the next measured step, and not more at the one before, if there is one. None where there is no such step, or
    a value is missing.
    """
    values = hessian["lambda_1"]
    if values.isna().any():
        return None
    rises = ~(values < values.shift(1))  # also to the first
    peaks = rises & (values > values.shift(-1)) & (values >= values.max() / 2) & (values > 0)
    return int(hessian["step"][peaks].iloc[0]) if peaks.any() else None


def _order(values: list[Any]) -> list[tuple[bool, Any]]:
    """Numbers before text, each in its own order."""
    return [(isinstance(value, str), value if isinstance(value, str) else float(value or 0)) for value in values]
