"""A row of ``claims.csv`` before the verdict: how it is made from one number of each seed, and its words."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from breakeven.claims import hypothesis_tests as statistics
from breakeven.claims.catalogue import FACTOR, SYMBOLS, Claim
from breakeven.claims.hypothesis_tests import Numbers

RAW_AND_SMOOTHED = (False, True)


@dataclass(frozen=True)
class Evidence:
    """One row of ``claims.csv`` before the verdict: NaN or empty where there is nothing, ``note`` says why."""

    quantity: str
    observed: str = ""
    effect: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    p_value: float = math.nan
    n_seeds: int = 0
    as_expected: bool = False
    our_value: str = ""
    note: str = ""


def row(
    claim: Claim,
    quantity: str,
    values: Numbers,
    test: Callable[[Numbers], statistics.Tested],
    scale: Callable[[float], float] = float,
    interval: Callable[[Numbers], tuple[float, float]] = statistics.bootstrap_interval,
    our_value: str = "",
    notes: Sequence[str] = (),
) -> Evidence:
    """A row from ``values``, one number of each seed: logarithms, or Fisher's z, or plain ones.

    ``test``, and ``interval`` of their mean, are on the scale of ``values``; ``scale`` takes the mean and the interval to
    the scale of the effect.
    """
    if len(values) == 0:
        return Evidence(quantity, note=join(notes) or "nothing was measured")
    effect = scale(float(values.mean()))
    if len(values) < statistics.MIN_SEEDS:
        note = join([*notes, f"fewer than {statistics.MIN_SEEDS} seeds: no test"])
        return Evidence(quantity, effect=effect, n_seeds=len(values), our_value=our_value, note=note)
    tested, (low, high) = test(values), interval(values)
    return Evidence(
        quantity=quantity,
        observed=claim.test.outcomes.get(tested.direction, "neither"),
        effect=effect,
        ci_low=scale(low),
        ci_high=scale(high),
        p_value=tested.p_value,
        n_seeds=len(values),
        as_expected=tested.direction == claim.test.direction,
        our_value=our_value,
        note=join(notes),
    )


def equivalence(claim: Claim, quantity: str, logs: Numbers, our_value: str, notes: Sequence[str]) -> Evidence:
    """A row from the logarithm of a ratio of each seed: is it 1 within the factor?"""
    return row(
        claim,
        quantity,
        logs,
        lambda values: statistics.equivalence(values, math.log(FACTOR)),
        scale=math.exp,
        interval=statistics.equivalence_interval,
        our_value=our_value,
        notes=[*notes, "90 % interval"] if len(logs) >= statistics.MIN_SEEDS else notes,
    )


def maximum(quantity: str, smoothed: bool) -> str:
    """The name of the largest value of a quantity, of its raw or of its smoothed curve."""
    return f"max {SYMBOLS[quantity]}{', smoothed' if smoothed else ''}"


def join(parts: Sequence[str]) -> str:
    """Those of several texts that aren't empty, in one."""
    return "; ".join(part for part in parts if part)


def with_names(pairs: Sequence[tuple[float, str]]) -> str:
    """Numbers with what they belong to, as the paper's are written: 1.9 (η = 0.3), 9.8 (η = 0.03)."""
    return ", ".join(f"{value:.3g} ({name})" for value, name in pairs if math.isfinite(value))


def in_all(values: Numbers, of: str) -> str:
    """The smallest and the largest of several numbers."""
    return f"{values.min():.3g} to {values.max():.3g} ({len(values)} {of})" if len(values) else ""
