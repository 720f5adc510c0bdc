"""Stage ``summarise``: the two tables of a study, from the tables of its runs.

``runs.csv`` has one row per run, ``trajectories.csv`` one row per run, step and quantity. Runs are sorted by the swept
hyperparameters and the seed, so that the tables don't depend on the order in which files were found.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.specs.measurements import MEASUREMENTS, QUANTITIES
from breakeven.specs.quantities import Quantity
from breakeven.specs.run_file import run_in
from breakeven.specs.schedule import are_located
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN
from breakeven.store.progress import progress
from breakeven.store.rows import check_steps
from breakeven.store.tables import cell, read_table, write_table
from breakeven.store.training_record import TrainingRecord, read_training
from breakeven.summary.break_even import break_even
from breakeven.summary.proportionality import proportionality
from breakeven.summary.remarks import remarks
from breakeven.summary.switches import first_switch

# columns of runs.csv that hold a number of steps
STEPS = [
    "step_of_max_lambda_K",
    "step_of_max_lambda_H",
    "break_even_step",
    "break_even_after_step",
    "first_peak_step",
    "first_switch_step",
    "unconverged_snapshots",
    "measured_break_even_step",
    "stable_again_step",
]


@dataclass(frozen=True)
class RunTables:
    """What the pipeline knows of one run: its labels (swept values, η, S, seed), its training and its tables by name."""

    run: str
    labels: Mapping[str, Any]
    training: TrainingRecord
    tables: Mapping[str, pd.DataFrame]


def read_run(folder: Path, labels: Mapping[str, Any], optional: Collection[str] = ()) -> RunTables:
    """Read the tables of the run in ``folder``, which must be that run's and have the steps of its snapshots.

    ``optional``: the measurements that not every run has and this one does, by name.
    """
    run = run_in(folder)
    if run != folder.name:
        raise UserError(f"the folder '{folder}' holds the run {run}: delete it, {AGAIN}")
    training = read_training(folder)
    history = read_table(folder / "history.csv", ["step", "epoch", "split", "loss", "accuracy", "learning_rate"])
    end = training.steps if training.stopped_step is None else training.stopped_step
    if not training.diverged and not history["step"].max() >= end:
        raise UserError(f"'{folder / 'history.csv'}' ends before the run does: delete it, {AGAIN}")
    tables = {"history": history}
    for measurement in (each for each in MEASUREMENTS if each.always or each.name in optional):
        path = folder / measurement.table
        columns = [quantity.column for quantity in measurement.quantities if not quantity.optional]
        table = tables[measurement.name] = read_table(path, ["step", *columns, "note"])
        steps = table["step"].drop_duplicates() if any(each.by for each in measurement.quantities) else table["step"]
        if measurement.at_snapshots:
            check_steps(path, steps.tolist(), training.measured_steps)
    located, sides = (
        list(tables[name][["step", "stability_lhs"]].itertuples(index=False, name=None))
        for name in ("locate", "stability")
    )
    if not are_located(located, sides, _is_preconditioned(tables)):
        raise UserError(
            f"'{folder / 'locate.csv'}' does not have the steps of the run's break-even point: delete it, {AGAIN}"
        )
    return RunTables(folder.name, labels, training, tables)


def summarise(results: Path, study: Study, out: Path) -> None:
    """Write ``runs.csv`` and ``trajectories.csv`` of ``study`` into the folder ``out``; see `Study.points`."""
    if not study.points:
        raise UserError("the study has no points, so there are no runs to read")
    points = {run: {name: cell(value) for name, value in labels.items()} for run, labels in study.points.items()}
    ordered = sorted(points, key=lambda run: _order([*points[run].values(), run]))
    read = [
        read_run(results / "runs" / run, points[run], study.measurements)
        for run in progress(ordered, "read tables", unit="run")
    ]
    runs = pd.DataFrame([summary(tables, study.accuracy_threshold) for tables in read])
    runs = runs.astype(dict.fromkeys(STEPS, "Int64"))  # also where another run of the study has none: 10, never 10.0
    write_table(out / "runs.csv", runs)
    trajectories = pd.concat([trajectory(tables) for tables in read], ignore_index=True)
    write_table(out / "trajectories.csv", trajectories, infinite=["value"])


def trajectory(run: RunTables) -> pd.DataFrame:
    """The long table of one run: its labels, step, epoch, quantity, value; no row where there is no value."""
    # history first, then eigenvalues
    order = sorted(QUANTITIES, key=lambda quantity: (quantity.table != "history", not quantity.numbered))
    there = [quantity for quantity in order if _is_there(quantity, run.tables)]
    pieces = [_values(run.tables[quantity.table], quantity) for quantity in there]
    rows = pd.concat(pieces, ignore_index=True)
    rows.insert(1, "epoch", rows["step"] / run.training.steps_per_epoch)
    for position, (name, value) in enumerate({"run": run.run, **run.labels}.items()):
        rows.insert(position, name, value)
    return rows


def _is_there(quantity: Quantity, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether it was measured of a run with these tables."""
    table = tables.get(quantity.table)
    return table is not None and (not quantity.optional or quantity.column in table)


def _values(table: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """The steps and values of a quantity, or of all that its row stands for, one below the other."""
    if quantity.split:
        table = table[table["split"] == quantity.split]
    if quantity.by:
        names = [f"{quantity.name}[{value}]" for value in table[quantity.by]]
        found = pd.DataFrame({"step": table["step"], "quantity": names, "value": table[quantity.column].astype(float)})
        return found.dropna(subset="value")
    columns = {quantity.name: quantity.column}
    if quantity.numbered:
        stem, name = quantity.column.removesuffix("1"), quantity.name.removesuffix("1")
        numbers = [column.removeprefix(stem) for column in table.columns if column.removeprefix(stem).isdigit()]
        columns = {f"{name}{number}": f"{stem}{number}" for number in numbers}
    pieces = [
        pd.DataFrame({"step": table["step"], "quantity": name, "value": table[column].astype(float)})
        for name, column in columns.items()
    ]
    return pd.concat(pieces, ignore_index=True).dropna(subset="value")


def summary(run: RunTables, accuracy_threshold: float) -> dict[str, Any]:
    """The row of one run in ``runs.csv``.

    Maxima are over the measured steps, of the raw values; of a run that diverged, over those before. There is none where the
    value of a measured step could not be computed, as that may be the largest; a ratio that doesn't exist, since K = 0, is not
    missing. ``break_even_*``, ``predicted_lambda_H``: see `breakeven.summary.break_even`. ``first_peak_step``: where λ_H^1 stops
    growing, see `_first_peak`; later peaks are often larger, as λ_H^1 goes up and down about the break-even value.
    ``threshold_epoch``: the first epoch (a fraction, at an evaluated step) at which the training accuracy is above the
    threshold. ``first_switch_step``: where the learning rate switched first. ``sampling``: how mini-batches were drawn.
    ``lambda_K_over_lambda_H*``, ``lambda_K_lambda_H_slope``: see `proportionality`. Without a value, the cell is empty;
    ``remarks`` say what could not be computed.
    """
    training, history = run.training, run.tables["history"]
    k, h, stability = (run.tables[name] for name in ("covariance", "hessian", "stability"))
    ratios = k[k["lambda_1"] != 0]
    point = break_even(stability, run.tables["locate"], _is_preconditioned(run.tables))
    early = proportionality(k, h, point.step)
    train, test = (history[history["split"] == split] for split in ("train", "test"))
    past = train[train["accuracy"] > accuracy_threshold]
    row = {
        "run": run.run,
        **run.labels,
        "diverged": training.diverged,
        "max_lambda_K": _max(k, "lambda_1"),
        "step_of_max_lambda_K": _step_of_max(k, "lambda_1"),
        "max_lambda_H": _max(h, "lambda_1"),
        "step_of_max_lambda_H": _step_of_max(h, "lambda_1"),
        "max_trace_K": _max(k, "trace"),
        "max_lambda_star_over_lambda_1": _max(ratios, "lambda_star_over_lambda_1"),
        "max_trace_over_lambda_1": _max(ratios, "trace_over_lambda_1"),
        "break_even_step": point.step,
        "break_even_lambda_H": point.lambda_H,
        "break_even_epoch": None if point.step is None else point.step / training.steps_per_epoch,
        "threshold_epoch": past["epoch"].iloc[0] if len(past) else None,
        # a run that diverged was not trained to its end
        "final_train_accuracy": None if training.diverged else train["accuracy"].iloc[-1],
        "final_test_accuracy": None if training.diverged else test["accuracy"].iloc[-1],
        "break_even_after_step": point.after_step,
        "predicted_lambda_H": point.predicted_lambda_H,
        "break_even_note": point.note,
        "first_peak_step": _first_peak(h),
        "unconverged_snapshots": _unconverged(h),
        "first_switch_step": first_switch(training),
        "max_trace_H": _max(h, "trace"),
        "max_g_over_g5": _max(ratios, "g_over_g5"),
        "lambda_K_over_lambda_H": early.alpha,
        "lambda_K_over_lambda_H_spread": early.spread,
        "lambda_K_lambda_H_slope": early.slope,
        "remarks": remarks(training, history, run.tables),
        "sampling": training.sampling,
        "measured_break_even_step": point.measured_step,
        "stable_again_step": point.stable_again_step,
    }
    maxima = {each.maximum: each for each in QUANTITIES if each.maximum and each.maximum not in row}
    row |= {
        name: _max(run.tables[each.table], each.column) for name, each in maxima.items() if each.table in run.tables
    }
    validation = history["accuracy"][history["split"] == "validation"]
    if len(validation):
        row["final_validation_accuracy"] = None if training.diverged else validation.iloc[-1]
    return row


def _is_preconditioned(tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether Eq. 1 is of a preconditioned H."""
    return "preconditioned_lambda_1" in tables["hessian"]


def _unconverged(hessian: pd.DataFrame) -> int:
    """Steps at which an eigenvalue of H, or of the preconditioned H, is there but did not converge."""
    doubtful = ~hessian["converged"] & hessian["lambda_1"].notna()
    if "preconditioned_converged" in hessian:
        doubtful |= ~hessian["preconditioned_converged"] & hessian["preconditioned_lambda_1"].notna()
    return int(doubtful.sum())


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
