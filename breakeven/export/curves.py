"""What there is to draw of a run, from its tables alone: a curve for each number of its history and of its measurements."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.specs.measurements import MEASUREMENTS, Measurement
from breakeven.specs.run import canonical_json, run_id
from breakeven.specs.run_file import read_spec
from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN
from breakeven.store.record import check_recorded
from breakeven.store.rows import check_steps
from breakeven.store.tables import read_table
from breakeven.store.training_record import FILE, HISTORY_FILE, TrainingRecord, read_training

SYMBOLS = {"covariance": "K", "hessian": "H"}
NO_CURVES = ["step", "epoch", "split", "note"]

Points = list[tuple[int, float]]


@dataclass(frozen=True)
class Curves:
    """A run: its name, its hyperparameters, and by tag its curves as (step, value); an empty cell is no point.

    A tag is ``SPLIT/COLUMN`` of the history, as ``train/loss``, ``learning_rate``, or what is measured and the column, as
    ``K/trace``.
    ``time``: when it was trained, in seconds.
    """

    run: str
    hyperparameters: Mapping[str, str | float | bool]
    curves: Mapping[str, Points]
    time: float


def read_curves(run: Path) -> Curves:
    """The curves of the run in folder ``run``: its history, and what was measured of it so far."""
    spec, training = read_spec(run), read_training(run)
    if run_id(spec) != run.name:
        raise UserError(f"the folder '{run}' holds the run {run_id(spec)}: delete it, {AGAIN}")
    curves = _history(run)
    for measurement in MEASUREMENTS:
        if measurement.quantities and (run / measurement.table).exists():
            curves |= _measured(run, measurement, training)
    hyperparameters = dict(_flat(json.loads(canonical_json(spec))))
    drawn = {tag: points for tag, points in curves.items() if points}
    return Curves(run.name, hyperparameters, drawn, (run / HISTORY_FILE).stat().st_mtime)


def _history(run: Path) -> dict[str, Points]:
    check_recorded(run / FILE, run / HISTORY_FILE)
    table = read_table(run / HISTORY_FILE, ["step", "split", "loss", "accuracy", "learning_rate"])
    curves = {
        f"{split}/{column}": _points(rows, column)
        for split, rows in table.groupby("split", sort=False)
        for column in rows.columns.difference([*NO_CURVES, "learning_rate"], sort=False)  # which all splits share
    }
    return curves | {"learning_rate": _points(table[table["split"] == "train"], "learning_rate")}


def _measured(run: Path, measurement: Measurement, training: TrainingRecord) -> dict[str, Points]:
    path, what = run / measurement.table, SYMBOLS.get(measurement.name, measurement.name)
    check_recorded(path, path)
    table = read_table(path, ["step"])
    [by] = {each.by for each in measurement.quantities}  # one table, one form
    if measurement.at_snapshots:
        check_steps(path, (table["step"].drop_duplicates() if by else table["step"]).tolist(), training.measured_steps)
    if by:
        names = [each.column for each in measurement.quantities]
        pairs = [(value, rows, name) for value, rows in table.groupby(by, sort=False) for name in names]
        return {f"{what}/{value}/{name}": _points(rows, name) for value, rows, name in pairs}
    columns = table.columns.difference(NO_CURVES, sort=False)
    return {f"{what}/{column.removeprefix(f'{what}_')}": _points(table, column) for column in columns}


def _points(table: pd.DataFrame, column: str) -> Points:
    rows = zip(table["step"], table[column], strict=True)
    return [(int(step), float(value)) for step, value in rows if not math.isnan(value)]


def _flat(content: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str | float | bool]]:
    """Mappings by dotted names; lists as JSON."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{within}{name}.")
        else:
            yield within + name, value if isinstance(value, str | int | float) else json.dumps(value)
