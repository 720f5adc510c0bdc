"""The break-even point of a run: the first measured step at which the left-hand side of Eq. 1 reaches 1."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from breakeven.stability import break_even_curvature
from breakeven.tables import read_table


@dataclass(frozen=True)
class BreakEven:
    """The break-even point, or why there is none.

    It lies after ``after_step``, the last measured step at which SGD was stable before it, and not after ``step``.
    ``lambda_H``: λ_H^1 at ``step``. ``predicted_lambda_H``: the λ_H^1 at which Eq. 1 puts it, from η, S, N and the s² measured
    at ``step``, see `breakeven.stability.break_even_curvature`. None where there is none; ``note`` says why.
    """

    step: int | None = None
    after_step: int | None = None
    lambda_H: float | None = None
    predicted_lambda_H: float | None = None
    note: str = ""


def break_even(stability: pd.DataFrame, batch_size: int, examples: int) -> BreakEven:
    """The break-even point from a run's ``stability.csv``, its batch size S and its N training examples."""
    known = stability.dropna(subset="stability_lhs")
    if known.empty:
        notes = stability["note"].dropna()
        # where the left-hand side is empty, the reason comes first
        return BreakEven(note=str(notes.iloc[0]).split("; ")[0] if len(notes) else "nothing was measured")
    unstable = known[known["stability_lhs"] >= 1]
    if unstable.empty:
        return BreakEven(note="the left-hand side of Eq. 1 stays below 1")
    row = unstable.iloc[0]
    before = known["step"][known["step"] < row["step"]]
    predicted = break_even_curvature(
        2 / row["two_over_lr"], batch_size, examples, row["lambda_1"], row["curvature_variance"]
    )
    return BreakEven(
        step=int(row["step"]),
        after_step=int(before.iloc[-1]) if len(before) else None,
        lambda_H=float(row["lambda_1"]),
        predicted_lambda_H=predicted,
        note="" if len(before) else "at the first measured step",
    )


def break_even_step(run: Path) -> int | None:
    """The step of the break-even point of the run in folder ``run``, from its ``stability.csv``; None where it has none."""
    table = read_table(run / "stability.csv")
    unstable = table["step"][table["stability_lhs"] >= 1]
    return int(unstable.iloc[0]) if len(unstable) else None
