"""The break-even point of a run: the first measured step at which the left-hand side of Eq. 1 reaches 1."""

import math
from dataclasses import dataclass

import pandas as pd

from breakeven.specs.schedule import first_unstable
from breakeven.store.notes import notes_of


@dataclass(frozen=True)
class BreakEven:
    """The break-even point, or why there is none.

    It lies after ``after_step``, the last measured step at which SGD was stable before it, and not after ``step``.
    ``lambda_H``: λ_H^1 at ``step``. ``predicted_lambda_H``: the λ_H^1 at which Eq. 1 puts it, from η, S, N, the optimizer and the
    s² measured at ``step``, see `breakeven.spectra.equation_1`. None where there is none; ``note`` says why. Steps at which the
    left-hand side is unknown are passed over, and ``note`` names those before ``after_step``; one that is infinite is unstable.
    """

    step: int | None = None
    after_step: int | None = None
    lambda_H: float | None = None
    predicted_lambda_H: float | None = None
    note: str = ""


def break_even(stability: pd.DataFrame) -> BreakEven:
    """The break-even point from a run's ``stability.csv``."""
    known = stability.dropna(subset="stability_lhs")
    if known.empty:
        return BreakEven(note=_why_unknown(stability))
    step = first_unstable(zip(known["step"], known["stability_lhs"], strict=True))
    if step is None:
        few = len(known) < len(stability)
        where = f" where it is known, at {len(known)} of {len(stability)} measured steps" if few else ""
        return BreakEven(note=f"the left-hand side of Eq. 1 stays below 1{where}")
    row = known[known["step"] == step].iloc[0]
    before = known["step"][known["step"] < step]
    curvature = float(row["lambda_1"])
    predicted, remarks = None, []
    if before.empty:
        first = step == stability["step"].iloc[0]
        where = "" if first else " where the left-hand side of Eq. 1 is known"
        remarks.append(f"at the first measured step{where}")
    else:
        earlier = stability["stability_lhs"][stability["step"] < before.iloc[-1]]
        if unknown := int(earlier.isna().sum()):
            steps = "an earlier measured step" if unknown == 1 else f"{unknown} earlier measured steps"
            remarks.append(f"the left-hand side of Eq. 1 is not known at {steps}, where it may have reached 1")
    if curvature > 0:
        found = float(row["break_even_curvature"])
        if math.isnan(found):
            remarks.append("Eq. 1 calls every λ_H^1 above 0 unstable there, and predicts none")
        else:
            predicted = found
    else:
        remarks.append("λ_H^1 is not above 0 there, and Eq. 1 predicts none")
    return BreakEven(
        step=step,
        after_step=int(before.iloc[-1]) if len(before) else None,
        lambda_H=curvature,
        predicted_lambda_H=predicted,
        note="; ".join(remarks),
    )


def _why_unknown(stability: pd.DataFrame) -> str:
    """Why the left-hand side of Eq. 1 is known at no measured step: the reason at the first of them."""
    if stability.empty:
        return "nothing was measured"
    return "; ".join(note.sentence for note in notes_of(stability["note"].iloc[0]) if note.subject == "lhs")
