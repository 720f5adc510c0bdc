"""What a study shows of a claim, before the verdict."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from breakeven.claims.hypothesis_tests import Numbers, Points, Sample, Seeds
from breakeven.claims.words import joined


class Role(Enum):
    """What a row is for: each claim has one primary test at each point of a study, on which its verdict rests."""

    PRIMARY = "primary"
    ROBUSTNESS = "robustness"  # the same question asked in another way, judged at the same level, counted nowhere


def role_of(smoothed: bool) -> Role:
    """The primary test is of the smoothed curve, as in the paper; the raw one stands beside it."""
    return Role.PRIMARY if smoothed else Role.ROBUSTNESS


@dataclass(frozen=True)
class Evidence:
    """What a row of ``claims.csv`` says before the verdict.

    ``sample``: what is tested; None where there is nothing, and ``note`` says why. ``scale`` takes a value of the sample to the
    scale of the effect: logarithms to ratios, Fisher's z to ρ.
    """

    quantity: str
    sample: Sample | None = None
    scale: Callable[[float], float] = float
    our_value: str = ""
    note: str = ""
    role: Role = Role.PRIMARY

    @property
    def seeds(self) -> int:
        """How many seeds it rests on."""
        if isinstance(self.sample, Seeds):
            return len(self.sample.values)
        return self.sample.seeds if self.sample else 0

    @property
    def effect(self) -> float:
        """The effect; NaN where nothing is tested."""
        return self.scale(self.sample.effect) if self.sample else math.nan

    def interval(self, level: float) -> tuple[float, float]:
        """Its interval at 1 − ``level``; NaN where there are too few seeds, or points, for one."""
        low, high = self.sample.interval(level) if self.sample else (math.nan, math.nan)
        known = math.isfinite(low) and math.isfinite(high)
        return (self.scale(low), self.scale(high)) if known else (math.nan, math.nan)


def ratio(logarithm: float) -> float:
    """The ratio that has this logarithm; infinite where no number is so large."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def from_seeds(
    quantity: str,
    values: Numbers,
    scale: Callable[[float], float] = float,
    null: float = 0.0,
    within: float | None = None,
    our_value: str = "",
    notes: Sequence[str] = (),
    role: Role = Role.PRIMARY,
) -> Evidence:
    """The evidence of ``values``, one number of each seed, on the scale of which ``null`` and ``within`` are, see `Seeds`."""
    if len(values) == 0:
        return Evidence(quantity, note=joined(notes) or "nothing was measured", role=role)
    sample = Seeds(tuple(map(float, values)), null, within)
    return Evidence(quantity, sample, scale, our_value, joined(notes), role)


def from_points(
    quantity: str,
    x: Numbers,
    y: Numbers,
    seeds: int,
    our_value: str = "",
    notes: Sequence[str] = (),
    role: Role = Role.PRIMARY,
) -> Evidence:
    """The evidence of a pair of numbers of each point of a sweep, see `Points`."""
    if len(x) < 2:
        return Evidence(quantity, note=joined([*notes, "fewer than 2 points of the sweep"]), role=role)
    sample = Points(tuple(map(float, x)), tuple(map(float, y)), seeds)
    return Evidence(quantity, sample, our_value=our_value, note=joined(notes), role=role)


def closest_to_zero(differences: Numbers) -> Numbers:
    """Of each row the number that is closest to 0; 0 where the row has both signs.

    Where several comparisons must say the same, a row for each seed: if one of them is about 0 in truth, at most half of the
    seeds lie on a side, so that the sign test of these numbers is wrong as rarely as that of this one.
    """
    smallest = np.abs(differences).min(axis=1)
    agreed: Numbers = np.select(
        [(differences > 0).all(axis=1), (differences < 0).all(axis=1)], [smallest, -smallest], 0.0
    )
    return agreed
