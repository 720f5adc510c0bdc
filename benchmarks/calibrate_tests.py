"""Are the tests of claims wrong as rarely as they say, and do their intervals cover, where numbers are not normal?

Each simulated study has no effect, so that every verdict is wrong: the median over seeds is exactly at the border. Noise is
normal; Student's t with 3 degrees of freedom; skewed (exponential, about its median); or unequal (normal, with a spread that
differs by a factor of 10 from seed to seed, or from one value of the hyperparameter to the next).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import common
import numpy as np
import pandas as pd

from breakeven.claims.hypothesis_tests import LEVEL, Numbers, Points, Sample, Seeds, power
from breakeven.claims.trends import fitted_changes

Noise = Callable[[np.random.Generator, tuple[int, ...]], Numbers]


def normal(random: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    """Of spread 1."""
    return random.normal(size=shape)


def heavy(random: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    """Student's t with 3 degrees of freedom."""
    return random.standard_t(3, size=shape)


def skewed(random: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    """Exponential, less its median."""
    return random.exponential(size=shape) - math.log(2)


def unequal(random: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
    """Normal, with a spread that grows from 0.1 to 1 along the last axis."""
    return random.normal(size=shape) * np.geomspace(0.1, 1, shape[-1])


NOISES: dict[str, Noise] = {"normal": normal, "t3": heavy, "skewed": skewed, "unequal": unequal}


@dataclass(frozen=True)
class Study:
    """A simulated study: what is tested, and its true effect on the scale of the sample."""

    sample: Sample
    truth: float


def ratio(random: np.random.Generator, noise: Noise, seeds: int) -> Study:
    """One number of each seed, whose median is 0."""
    return Study(Seeds(tuple(noise(random, (seeds,)))), 0.0)


def trend(random: np.random.Generator, noise: Noise, seeds: int) -> Study:
    """A sweep of three values, between which nothing changes; seeds differ by more than the noise."""
    table = noise(random, (seeds, 3)) + random.normal(0, 3, (seeds, 1))
    return Study(Seeds(tuple(fitted_changes(pd.DataFrame(table, columns=[0.03, 0.1, 0.3])))), 0.0)


def equivalence(random: np.random.Generator, noise: Noise, seeds: int) -> Study:
    """A ratio that is at the upper bound, where it is hardest to get right: `equal` is wrong beyond it, `different` within."""
    return Study(Seeds(tuple(1.0 + 0.2 * noise(random, (seeds,))), within=1.0), 1.0)


def slope(random: np.random.Generator, noise: Noise, points: int) -> Study:
    """Points of a sweep, whose two numbers have nothing to do with each other; unequal noise grows along the first."""
    x = np.linspace(0, 1, points) ** 2
    return Study(Points(tuple(x), tuple(noise(random, (points,))), seeds=5), 0.0)


KINDS = {
    "one number of each seed": (ratio, (5, 6, 8, 10)),
    "trend over three values": (trend, (5, 6, 8, 10)),
    "equal within a factor, at the bound": (equivalence, (5, 6, 8, 10)),
    "slope over points": (slope, (3, 5, 6, 9)),
}


def report(studies: int) -> str:
    """Tables of so many studies for each kind of test, noise and number of seeds, and of powers."""
    header = [
        "test",
        "seeds or points",
        *(f"wrong, {name}" for name in NOISES),
        *(f"covered, {name}" for name in NOISES),
    ]
    wanted = "Wrong verdicts at a level of 5 %, and coverage of 95 % intervals (wanted: at most 6 %, at least 93 %)"
    return "\n\n".join(
        [
            f"### Tests: {wanted}, {studies} studies each",
            common.table([*header, "at odds"], rows(studies)),
            "### Power of the sign test at a level of 5 %, by the share of all seeds that lie on one side",
            common.table(["share", *(f"{n} seeds" for n in SEEDS)], powers()),
        ]
    )


def rows(studies: int) -> Iterator[list[str]]:
    """A row for each kind and number of seeds."""
    for kind, (simulate, sizes) in KINDS.items():
        for size in sizes:
            found = [rates(simulate, noise, size, studies) for noise in NOISES.values()]
            wrong, covered, odds = zip(*found, strict=True)
            shares = [f"{share:.1%}" for share in (*wrong, *covered)]
            yield [kind, str(size), *shares, f"{max(odds):.1%}"]


def rates(
    simulate: Callable[[np.random.Generator, Noise, int], Study], noise: Noise, size: int, studies: int
) -> tuple[float, float, float]:
    """The shares of studies with a wrong verdict, with an interval that covers the truth, and where the two disagree."""
    random = np.random.default_rng(0)
    wrong = covered = odds = 0
    for _ in range(studies):
        study = simulate(random, noise, size)
        sample = study.sample
        low, high = sample.interval(LEVEL)
        decided = sample.p_value <= LEVEL
        wrong += decided
        covered += low <= study.truth <= high
        odds += decided != _says_so(sample, low, high)
    return wrong / studies, covered / studies, odds / studies


def _says_so(sample: Sample, low: float, high: float) -> bool:
    """Whether the interval alone gives a verdict."""
    if isinstance(sample, Points) or sample.within is None:
        null = sample.null if isinstance(sample, Seeds) else 0.0
        return low > null or high < null
    below, above = sample.null - sample.within, sample.null + sample.within
    return (below < low and high < above) or low > above or high < below


SEEDS = (5, 6, 8, 10, 15, 20)


def powers() -> Iterator[list[str]]:
    """How often a verdict comes: for a normal effect of d spreads, Φ(d) of all seeds lie on one side."""
    for share in (0.7, 0.8, 0.9, 0.95, 0.99):
        yield [f"{share:.0%}", *(f"{power(share, n, LEVEL):.0%}" for n in SEEDS)]
