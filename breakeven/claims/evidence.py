"""What a study shows of a claim, before the verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from breakeven.claims.hypothesis_tests import Numbers, Points, Sample, Seeds
from breakeven.claims.words import joined

ROUNDING = 1e-9  # numbers that are so close are the same


class Role(Enum):
    """What a row is for: each claim has one primary test at each point of a study, on which its verdict rests."""

    PRIMARY = "primary"
    ROBUSTNESS = "robustness"  # the same question asked in another way, judged at the same level, counted nowhere


def role_of(smoothed: bool) -> Role:
    """The primary test is of the smoothed curve, as in the paper; the raw one stands beside it."""
    return Role.PRIMARY if smoothed else Role.ROBUSTNESS


class Unit(Enum):
    """What an effect is, and so how it is made from a value of the sample."""

    RATIO = "ratio"  # of a logarithm
    CORRELATION = "correlation"  # of Fisher's z
    DIFFERENCE = "difference of shares"
    SLOPE = "slope"
    ACCURACY = "accuracy for ten times as much"

    def effect(self, value: float) -> float:
        """The effect that has this ``value`` on the scale of the sample."""
        if self is Unit.RATIO:
            return ratio(value)
        return math.tanh(value) if self is Unit.CORRELATION else value

    def places(self, effect: float) -> dict[str, str]:
        """What a sentence can say of an effect: as it is, and its ``size``, whichever side it lies on."""
        if self is Unit.RATIO:
            return {"effect": few(effect), "size": times(effect)}
        return {"effect": few(effect), "size": few(abs(effect))}


@dataclass(frozen=True)
class Evidence:
    """What a row of ``claims.csv`` says before the verdict.

    ``sample``: what is tested; None where there is nothing, and ``note`` says why. ``places``: what the sentence of the finding
    has beside the effect; ``where``: the values of the other hyperparameters; ``restriction``: of what is tested, in words.
    ``figure``: one that shows it better than the claim's.
    """

    quantity: str
    sample: Sample | None = None
    unit: Unit = Unit.DIFFERENCE
    our_value: str = ""
    note: str = ""
    role: Role = Role.PRIMARY
    where: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    restriction: str = ""
    figure: str | None = None

    @property
    def seeds(self) -> int:
        """How many seeds it rests on."""
        if isinstance(self.sample, Seeds):
            return len(self.sample.values)
        return self.sample.seeds if self.sample else 0

    @property
    def effect(self) -> float:
        """The effect; NaN where nothing is tested."""
        return self.unit.effect(self.sample.effect) if self.sample else math.nan

    def interval(self, level: float) -> tuple[float, float]:
        """Its interval at 1 − ``level``; NaN where there are too few seeds, or points, for one."""
        low, high = self.sample.interval(level) if self.sample else (math.nan, math.nan)
        known = math.isfinite(low) and math.isfinite(high)
        return (self.unit.effect(low), self.unit.effect(high)) if known else (math.nan, math.nan)


def ratio(logarithm: float) -> float:
    """The ratio that has this logarithm; infinite where no number is so large."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def few(value: float) -> str:
    """A number with two significant digits, or all before the point: 0.093, 5.4, 120."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    digits = f"{float(f'{value:.2g}') if abs(value) < 100 else round(value):g}"
    return digits.replace("-", "−")


def times(effect: float) -> str:
    """How much larger or smaller a ratio says, whichever: 5.4 times; or 7 %, of 1, where it is less than 1.5 times."""
    larger = max(effect, 1 / effect) if effect > 0 else math.inf
    return f"{few(larger)} times" if larger >= 1.5 else f"{few(100 * abs(effect - 1))} %"


def from_seeds(
    quantity: str,
    values: Numbers,
    unit: Unit,
    null: float = 0.0,
    within: float | None = None,
    notes: Sequence[str] = (),
    role: Role = Role.PRIMARY,
    **words: Any,
) -> Evidence:
    """The evidence of ``values``, one number of each seed, on the scale of which ``null`` and ``within`` are, see `Seeds`.

    ``words``: others of `Evidence`.
    """
    if len(values) == 0:
        return Evidence(quantity, note=joined(notes) or "nothing was measured", role=role, where=words.get("where", ""))
    values = np.where(np.abs(values - null) < ROUNDING, null, values)  # else its error would say above or below
    sample = Seeds(tuple(map(float, values)), null, within)
    return Evidence(quantity, sample, unit, note=joined(notes), role=role, **words)


def from_points(
    quantity: str,
    x: Numbers,
    y: Numbers,
    seeds: int,
    notes: Sequence[str] = (),
    role: Role = Role.PRIMARY,
    **words: Any,
) -> Evidence:
    """The evidence of a pair of numbers of each point of a sweep, see `Points`; ``words``: others of `Evidence`."""
    if len(x) < 2:
        note = joined([*notes, "fewer than 2 points of the sweep"])
        return Evidence(quantity, note=note, role=role, where=words.get("where", ""))
    sample = Points(tuple(map(float, x)), tuple(map(float, y)), seeds)
    return Evidence(quantity, sample, Unit.SLOPE, note=joined(notes), role=role, **words)


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
