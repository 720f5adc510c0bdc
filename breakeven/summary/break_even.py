"""The break-even point of a run: the first step at which the left-hand side of Eq. 1 reaches 1."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from breakeven.specs.schedule import interval_of_break_even
from breakeven.store.notes import Note, notes_of

FRESH = "the preconditioner is made of few gradients there"
OF_THE_STEPS = (Note.OTHER_BITS, Note.NOT_REPEATED)


@dataclass(frozen=True)
class BreakEven:
    """The break-even point, or why there is none.

    It lies after ``after_step``, the last step before it at which the optimizer is known to be stable, and not after ``step``:
    the one before, where stage locate measured each step. ``measured_step``: the first unstable snapshot.
    ``stable_again_step``: a step between them at which the left-hand side is below 1 again, so that it crosses 1 more than once.
    ``lambda_H``: λ_H^1 at ``step``. ``predicted_lambda_H``: the λ_H^1 at which Eq. 1 puts it, from η, S, N, the optimizer and the
    s² measured at ``step``, see `breakeven.spectra.equation_1`. None where there is none; ``note`` says why. Steps at which the
    left-hand side is unknown are passed over, and ``note`` names those before ``after_step``; one that is infinite is unstable.
    """

    step: int | None = None
    after_step: int | None = None
    lambda_H: float | None = None
    predicted_lambda_H: float | None = None
    note: str = ""
    measured_step: int | None = None
    stable_again_step: int | None = None


def break_even(stability: pd.DataFrame, locate: pd.DataFrame, from_stable: bool = False) -> BreakEven:
    """The break-even point from a run's ``stability.csv`` and ``locate.csv``; ``from_stable``: see `interval_of_break_even`."""
    known = stability.dropna(subset="stability_lhs")
    if known.empty:
        return BreakEven(note=_why_unknown(stability))
    of_snapshots = interval_of_break_even(zip(known["step"], known["stability_lhs"], strict=True), from_stable)
    unstable_at_first = int((known["stability_lhs"] >= 1).cummin().sum())
    if of_snapshots is None and unstable_at_first:
        return BreakEven(
            note=f"the left-hand side of Eq. 1 is at least 1 at {_first(unstable_at_first)} alone: {FRESH}"
        )
    if of_snapshots is None:
        few = len(known) < len(stability)
        where = f" where it is known, at {len(known)} of {len(stability)} measured steps" if few else ""
        return BreakEven(note=f"the left-hand side of Eq. 1 stays below 1{where}")
    step = of_snapshots[1]
    located = locate.dropna(subset="stability_lhs").sort_values("step")
    interval = interval_of_break_even(
        located[["step", "stability_lhs"]].itertuples(index=False, name=None), from_stable
    )
    assert interval is not None, "read_run has compared the tables"
    row = located[located["step"] == interval[1]].iloc[0]
    again = located["step"][(located["step"] > interval[1]) & (located["stability_lhs"] < 1)]
    remarks = list(_of_snapshots(stability, step))
    if from_stable and unstable_at_first:
        remarks.append(f"the left-hand side of Eq. 1 is at least 1 at {_first(unstable_at_first)}, too: {FRESH}")
    remarks += _of_steps(located, interval)
    if len(again):
        remarks.append(f"the left-hand side of Eq. 1 is below 1 again at step {again.iloc[0]}, and not at step {step}")
    if lost := locate["step"][locate["stability_lhs"].isna() & (locate["step"] < interval[1])].tolist():
        remarks.append(f"the left-hand side of Eq. 1 is not known at step {', '.join(map(str, lost))} before it")
    remarks += [note.sentence for cell in locate["note"] for note in notes_of(cell) if note in OF_THE_STEPS]
    curvature, predicted = float(row["lambda_1"]), None
    if curvature > 0:
        found = float(row["break_even_curvature"])
        if math.isnan(found):
            remarks.append("Eq. 1 calls every λ_H^1 above 0 unstable there, and predicts none")
        else:
            predicted = found
    else:
        remarks.append("λ_H^1 is not above 0 there, and Eq. 1 predicts none")
    return BreakEven(
        step=interval[1],
        after_step=interval[0],
        lambda_H=curvature,
        predicted_lambda_H=predicted,
        note="; ".join(remarks),
        measured_step=step,
        stable_again_step=int(again.iloc[0]) if len(again) else None,
    )


def _of_snapshots(stability: pd.DataFrame, step: int) -> Iterator[str]:
    """Remarks on the snapshots before the first unstable one, at ``step``."""
    known = stability.dropna(subset="stability_lhs")
    before = known["step"][known["step"] < step]
    if before.empty:
        first = step == stability["step"].iloc[0]
        where = "" if first else " where the left-hand side of Eq. 1 is known"
        yield f"at the first measured step{where}"
        return
    unknown = int(stability["stability_lhs"][stability["step"] < before.iloc[-1]].isna().sum())
    if unknown:
        steps = "an earlier measured step" if unknown == 1 else f"{unknown} earlier measured steps"
        yield f"the left-hand side of Eq. 1 is not known at {steps}, where it may have reached 1"


def _of_steps(located: pd.DataFrame, interval: tuple[int | None, int]) -> Iterator[str]:
    """A remark where it looks exact to the step, and not every step before it was tried."""
    begin, step = int(located["step"].iloc[0]), interval[1]
    tried, between = int((located["step"] < step).sum()) - 1, step - begin - 1
    if interval[0] == step - 1 and tried < between:
        steps = f"{tried} of the {between} steps between the stable snapshot at step {begin} and it"
        yield f"it may lie before: {steps} were measured (locate: most_steps)"


def _first(count: int) -> str:
    return "the first measured step" if count == 1 else f"the first {count} measured steps"


def _why_unknown(stability: pd.DataFrame) -> str:
    """Why the left-hand side of Eq. 1 is known at no measured step: the reason at the first of them."""
    if stability.empty:
        return "nothing was measured"
    return "; ".join(note.sentence for note in notes_of(stability["note"].iloc[0]) if note.subject == "lhs")
