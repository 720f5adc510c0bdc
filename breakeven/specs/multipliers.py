"""What a schedule multiplies the learning rate by: warm-up, cosine, linear and step decay; each told by its ``kind``.

A run's learning rate at step t is η(t) = (that of the last switch before) × (the product of its multipliers at t), so that they
combine: warm-up and a cosine, or a cosine and a switch. How each is computed stands in `breakeven.training.schedules`. What this
module says of a run is in the run's id, so it is in no digest of code, and may hold nothing that changes a number.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

# a text in Annotated describes the field, in the JSON schema of the config
MOST = 1_000_000_000
Moment = Annotated[int | float, Ge(0), Le(MOST)]
Length = Annotated[int | float, Gt(0), Le(MOST)]
UNIT = (
    "What is counted; break_even counts in the break-even point of the same run without this and all later entries of the "
    "schedule, which is trained and measured first. Where it never comes, this multiplies by 1."
)
Unit = Annotated[Literal["step", "epoch", "break_even"], UNIT]
Of = Annotated[
    Annotated[float, Gt(0)] | None,
    "In the unit break_even: the learning rate at which the run begins whose break-even point is counted in; null means that at "
    "which this run begins.",
]
At = Annotated[Moment, "Where the decay begins; the factor is 1 up to there."]
Until = Annotated[
    Length | None,
    "Where the decay ends; the factor is 'final' from there on. null means the end of the run, whose last SGD step then has it.",
]
Final = Annotated[float, Ge(0), Lt(1), "The factor at the end."]


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """Linear warm-up: in its T steps, t = 0 … T − 1, the learning rate is multiplied by f + (1 − f)(t + 1)/T, f = ``initial``.

    So the first SGD step is not lost where f is 0, and the one at T − 1 is the first with the whole learning rate.
    """

    kind: Annotated[Literal["warm_up"], "Linear warm-up."] = "warm_up"
    until: Annotated[Length, "How long it is: T, counted from the start of the run."]
    unit: Unit = "step"
    of: Of = None
    initial: Annotated[float, Ge(0), Lt(1), "The factor f that it grows from."] = 0.0


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Cosine decay: from ``at`` to ``until`` the factor is f + (1 − f)(1 + cos πx)/2, f = ``final``, x from 0 to 1."""

    kind: Annotated[Literal["cosine"], "Cosine decay."] = "cosine"
    at: At = 0
    until: Until = None
    unit: Unit = "step"
    of: Of = None
    final: Final = 0.0


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Linear decay: from ``at`` to ``until`` the factor is 1 − (1 − f)x, f = ``final``, x from 0 to 1."""

    kind: Annotated[Literal["linear"], "Linear decay."] = "linear"
    at: At = 0
    until: Until = None
    unit: Unit = "step"
    of: Of = None
    final: Final = 0.0


@dataclass(frozen=True, kw_only=True)
class StepDecay:
    """Step decay: the factor is ``factor`` to the power ⌊t / ``every``⌋."""

    kind: Annotated[Literal["step_decay"], "Step decay."] = "step_decay"
    every: Annotated[Length, "After each so many the learning rate is multiplied once more."]
    factor: Annotated[float, Gt(0), Lt(1), "What it is multiplied by."]
    unit: Unit = "step"
    of: Of = None


Multiplier = WarmUp | Cosine | Linear | StepDecay
