"""The break-even point of a run: the first measured step at which the left-hand side of Eq. 1 reaches 1."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from breakeven.spectra.equation_1 import TOO_LARGE, break_even_curvature
from breakeven.store.tables import read_table


@dataclass(frozen=True)
class BreakEven:
    """The break-even point, or why there is none.

    It lies after ``after_step``, the last measured step at which SGD was stable before it, and not after ``step``.
    ``lambda_H``: λ_H^1 at ``step``. ``predicted_lambda_H``: the λ_H^1 at which Eq. 1 puts it, from η, S, N and the s² measured
    at ``step``, see `breakeven.spectra.equation_1`. None where there is none; ``note`` says why. Steps at which the
    left-hand side is unknown are passed over; one that is larger than any number is known to be unstable.
    """

    step: int | None = None
    after_step: int | None = None
    lambda_H: float | None = None
    predicted_lambda_H: float | None = None
    note: str = ""


def break_even(stability: pd.DataFrame, batch_size: int, examples: int) -> BreakEven:
    """The break-even point from a run's ``stability.csv``, its batch size S and its N training examples."""
    known = stability.assign(stability_lhs=_left_hand_sides(stability)).dropna(subset="stability_lhs")
    if known.empty:
        notes = stability["note"].dropna()
        # where the left-hand side is empty, the reason comes first
        return BreakEven(note=str(notes.iloc[0]).split("; ")[0] if len(notes) else "nothing was measured")
    unstable = known[known["stability_lhs"] >= 1]
    if unstable.empty:
        few = len(known) < len(stability)
        where = f" where it is known, at {len(known)} of {len(stability)} measured steps" if few else ""
        return BreakEven(note=f"the left-hand side of Eq. 1 stays below 1{where}")
    row = unstable.iloc[0]
    before = known["step"][known["step"] < row["step"]]
    eta, curvature, variance = (float(x) for x in (2 / row["two_over_lr"], row["lambda_1"], row["curvature_variance"]))
    predicted, remarks = None, []
    if before.empty:
        first = row["step"] == stability["step"].iloc[0]
        where = "" if first else " where the left-hand side of Eq. 1 is known"
        remarks.append(f"at the first measured step{where}")
    if curvature > 0:
        predicted = break_even_curvature(eta, batch_size, examples, curvature, variance)
    else:
        remarks.append("λ_H^1 is not above 0 there, and Eq. 1 predicts none")
    return BreakEven(
        step=int(row["step"]),
        after_step=int(before.iloc[-1]) if len(before) else None,
        lambda_H=curvature,
        predicted_lambda_H=predicted,
        note="; ".join(remarks),
    )


def break_even_step(run: Path) -> int | None:
    """The step of the break-even point of the run in folder ``run``, from its ``stability.csv``; None where it has none."""
    table = read_table(run / "stability.csv")
    unstable = table["step"][_left_hand_sides(table) >= 1]
    return int(unstable.iloc[0]) if len(unstable) else None


def _left_hand_sides(stability: pd.DataFrame) -> pd.Series:
    """Those of Eq. 1 at the measured steps; NaN where one is unknown, infinite where no number was large enough."""
    too_large = stability["note"].astype(str).str.startswith(TOO_LARGE)
    return stability["stability_lhs"].mask(too_large, math.inf)
