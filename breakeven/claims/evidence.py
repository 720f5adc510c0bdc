"""What a study shows of a claim, from one number of each seed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from breakeven.claims.hypothesis_tests import MIN_SEEDS, Numbers, Tested, bootstrap_interval
from breakeven.claims.words import joined


@dataclass(frozen=True)
class Evidence:
    """What a row of ``claims.csv`` says before the verdict: NaN or empty where there is nothing, ``note`` says why.

    ``direction``: the outcome that the data point to, 1 or −1, or 0 for neither; None where nothing was tested.
    """

    quantity: str
    direction: int | None = None
    effect: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    p_value: float = math.nan
    n_seeds: int = 0
    our_value: str = ""
    note: str = ""


def from_seeds(
    quantity: str,
    values: Numbers,
    test: Callable[[Numbers], Tested],
    scale: Callable[[float], float] = float,
    interval: Callable[[Numbers], tuple[float, float]] = bootstrap_interval,
    our_value: str = "",
    notes: Sequence[str] = (),
) -> Evidence:
    """The evidence of ``values``, one number of each seed: logarithms, or Fisher's z, or plain ones.

    ``test``, and ``interval`` of their mean, are on the scale of ``values``; ``scale`` takes the mean and the interval to
    the scale of the effect.
    """
    if len(values) == 0:
        return Evidence(quantity, note=joined(notes) or "nothing was measured")
    effect = scale(float(values.mean()))
    if len(values) < MIN_SEEDS:
        note = joined([*notes, f"fewer than {MIN_SEEDS} seeds: no test"])
        return Evidence(quantity, effect=effect, n_seeds=len(values), our_value=our_value, note=note)
    tested, (low, high) = test(values), interval(values)
    return Evidence(
        quantity=quantity,
        direction=tested.direction,
        effect=effect,
        ci_low=scale(low),
        ci_high=scale(high),
        p_value=tested.p_value,
        n_seeds=len(values),
        our_value=our_value,
        note=joined(notes),
    )
