"""What is drawn of a quantity along training: curves averaged over seeds, lines of each curve, points of single runs."""

import numpy as np
import pandas as pd

from breakeven.figures import common
from breakeven.specs.study import Study

MARKS_PER_CURVE = 8
PRECONDITIONED = "preconditioned_lambda_H_1"
STEADY = 1e-9  # relative: seeds are averaged with rounding
# what stage locate measures between snapshots, too
LOCATED = {
    "lambda_H_1": "located_lambda_H_1",
    PRECONDITIONED: "located_lambda_H_1",
    "stability_lhs": "located_stability_lhs",
}


def average(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Mean, minimum, maximum and number of seeds at every step of every curve; the run, where it is a single one."""
    groups = common.labelled(rows, study).groupby(["panel", "colour", "step"], sort=True)
    table = groups.agg(
        run=("run", "first"),
        epoch=("epoch", "first"),
        mean=("value", "mean"),
        min=("value", "min"),
        max=("value", "max"),
        seeds=("seed", "nunique"),
    ).reset_index()
    return table.assign(run=table["run"].astype(object).where(table["seeds"] == 1, None))


def with_marks(curves: pd.DataFrame, colours: list[str], x: str) -> pd.DataFrame:
    """Say which points of each curve carry its symbol: a few, evenly spread, shifted from curve to curve."""
    marked = pd.Series(False, index=curves.index)
    for (_, colour), curve in curves.groupby(["panel", "colour"]):
        start, end = curve[x].min(), curve[x].max()
        shift = (colours.index(str(colour)) + 0.5) / len(colours)
        targets = start + (end - start) * (np.arange(MARKS_PER_CURVE) + shift) / MARKS_PER_CURVE
        nearest = np.abs(curve[x].to_numpy()[:, None] - targets[None, :]).argmin(axis=0)
        marked.loc[curve.index[np.unique(nearest)]] = True
    return curves.assign(marked=marked)


def steps_per_epoch(rows: pd.DataFrame) -> pd.Series:
    """Of each run, by its id, from the last of its ``rows``; none of a run that was measured in no later epoch than 0."""
    last = rows.sort_values("step", kind="stable").groupby("run")[["step", "epoch"]].last()
    last = last[last["epoch"] > 0]
    per_epoch: pd.Series = last["step"] / last["epoch"]
    return per_epoch


def rules_at(column: str, unit: str, rows: pd.DataFrame, runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The mean of a ``column`` of runs.csv, in ``unit`` (epoch or step), for every curve, over the runs that have a value.

    ``at_epoch`` and ``at_step``; ``min`` and ``max`` in its unit. ``rows``: of a quantity along the runs.
    """
    values = runs[column] if column in runs else pd.Series(float("nan"), index=runs.index)
    found = runs.assign(at=common.finite(values, log=False)).dropna(subset=["at"])
    per_epoch = found["run"].map(steps_per_epoch(rows)).astype(float)
    in_steps = unit == "step"
    found = found.assign(
        at_epoch=found["at"] / per_epoch if in_steps else found["at"],
        at_step=found["at"] if in_steps else found["at"] * per_epoch,
    )
    groups = common.labelled(found, study).groupby(["panel", "colour"], sort=True)
    return groups.agg(
        at_epoch=("at_epoch", "mean"),
        at_step=("at_step", "mean"),
        min=("at", "min"),
        max=("at", "max"),
        seeds=("seed", "nunique"),
    ).reset_index()


def preconditioned(trajectories: pd.DataFrame) -> set[str]:
    """The runs whose optimizer has a preconditioner: Eq. 1 is then of the preconditioned eigenvalue."""
    return set(trajectories["run"][trajectories["quantity"] == PRECONDITIONED])


def thresholds(trajectories: pd.DataFrame, study: Study, quantity: str = "lambda_H_1") -> pd.DataFrame:
    """The full-batch threshold of each curve at each step, as its ``mean``: where λ_H^1 stops, if the batch is all examples.

    ``steady``: whether it is the same all along. ``quantity``: λ_H^1, or the preconditioned eigenvalue, of the runs that have it,
    whose threshold is no other's.
    """
    rows = common.select(trajectories, "threshold", log=True)
    rows = rows[rows["run"].isin(preconditioned(trajectories)) == (quantity == PRECONDITIONED)]
    return lines(rows, study)


def lines(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Rows of a threshold as one line for each curve, see `thresholds`."""
    rows = average(rows, study)
    rows = rows[["panel", "colour", "step", "epoch", "mean"]]
    curves = rows.groupby(["panel", "colour"])["mean"]
    return rows.assign(steady=np.isclose(curves.transform("min"), curves.transform("max"), rtol=STEADY, atol=0))


def levels(thresholds: pd.DataFrame) -> pd.DataFrame:
    """Those that are the same all along, in one row for each curve; and for each ``line``, where curves have several."""
    lines = ["panel", "colour", *(["line"] if "line" in thresholds else [])]
    return thresholds[thresholds["steady"]].groupby(lines, sort=True)[["mean"]].first().reset_index()


def located(trajectories: pd.DataFrame, quantity: str, log: bool) -> pd.DataFrame:
    """The rows of a quantity at the steps between snapshots that stage locate measured.

    What it measures is the eigenvalue of Eq. 1: λ_H^1, and in the runs that have a preconditioner the preconditioned one instead.
    """
    rows = common.select(trajectories, LOCATED.get(quantity, ""), log)
    if quantity in ("lambda_H_1", PRECONDITIONED):
        rows = rows[rows["run"].isin(preconditioned(trajectories)) == (quantity == PRECONDITIONED)]
    return rows


def break_even_points(rows: pd.DataFrame, located: pd.DataFrame, runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The rows at the break-even point of their run, one for each run that has one; ``value`` is called ``mean``.

    ``located``: those of the steps between snapshots; of a run that has none, the rows are those of the next snapshot.
    """
    rows = pd.concat([rows, located]).drop_duplicates(["run", "step"])
    exact = runs["run"].isin(located["run"])
    at = runs.assign(step=runs["break_even_step"].where(exact, runs["measured_break_even_step"]))
    steps = at[["run", "step"]].dropna()
    return _of_single_runs(rows.merge(steps.astype({"step": "int64"}), on=["run", "step"]), study)


def unconverged_points(rows: pd.DataFrame, trajectories: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The rows at the steps at which the eigenvalues did not converge; ``value`` is called ``mean``.

    Those of H; of the preconditioned H in the runs that have it, for all but λ_H^1 itself.
    """
    having = preconditioned(trajectories) if (rows["quantity"] != "lambda_H_1").any() else set()
    converged = np.where(trajectories["run"].isin(having), "preconditioned_converged_H", "converged_H")
    doubtful = trajectories[(trajectories["quantity"] == converged) & (trajectories["value"] == 0)]
    return _of_single_runs(rows.merge(doubtful[["run", "step"]], on=["run", "step"]), study)


def _of_single_runs(rows: pd.DataFrame, study: Study) -> pd.DataFrame:
    columns = ["panel", "colour", "run", "seed", "step", "epoch", "value"]
    return common.labelled(rows, study)[columns].sort_values(columns).rename(columns={"value": "mean"})
