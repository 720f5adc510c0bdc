"""Exact tests, and the intervals that invert them: an interval leaves a value out if and only if the test rejects it.

Two samples can be tested. *One number of each seed*: is its median over seeds another than expected? The sign test counts the
seeds on either side, and is right whatever the distribution (Arbuthnot 1710; Conover, Practical Nonparametric Statistics, 3.4).
Steps and runs of one seed are not independent, so they are never counted as if they were. *One pair of numbers of each point of
a sweep*: does one rise with the other? Kendall's test counts the pairs of points between which it does, and is exact wherever
the points could have come in any order (Sen 1968). They could not where the spread of y grows along x, by up to ten times in what
was simulated (5 to 12 points, levels of 5 and 1 %): wrong verdicts are then up to twice as many, so its chances are doubled.

A mean, with Student's t, would decide with fewer seeds; but of skewed numbers its verdicts are wrong in 10 to 18 % where 5 % are
meant, and a bootstrap of five seeds covers 73 to 89 % for 95 (`benchmarks/calibration.py`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.05  # of the verdicts, over all primary tests of a question
POWER = 0.8  # with which a stated number of seeds would decide
MOST_SEEDS = 100  # more are not worth naming
UNEQUAL = 2  # by which Kendall's chances are multiplied: the spread of y may grow along x
MIN_STEPS = 4  # of a correlation along one run
SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Seeds:
    """One number of each seed. Is its median over seeds above or below ``null``, or ``within`` ± a bound of it?

    Where ``within`` is given, the outcome 1 is inside, −1 outside; otherwise 1 is above, −1 below. Numbers that lie on what they
    are compared with count for neither side.
    """

    values: tuple[float, ...]
    null: float = 0.0
    within: float | None = None

    @property
    def effect(self) -> float:
        """The median."""
        return float(np.median(self.values))

    @property
    def direction(self) -> int:
        """The outcome that the median lies at: 1, −1, or 0 for neither."""
        away = self.effect - self.null
        if self.within is None:
            return int(np.sign(away))
        return int(np.sign(self.within - abs(away)))

    @property
    def p_value(self) -> float:
        """Two-sided: twice the chance of so many seeds on that side, or more, were the median exactly at the border."""
        if self.within is None:
            return _two_sided([min(self._chance(self.null, 1), self._chance(self.null, -1))])
        low, high = self.null - self.within, self.null + self.within
        inside = max(self._chance(low, 1), self._chance(high, -1))  # both must be shown
        outside = [self._chance(low, -1), self._chance(high, 1)]  # only one of them can be true
        return _two_sided([inside, *outside])

    def interval(self, level: float) -> tuple[float, float]:
        """The values that the sign test at ``level`` does not reject as the median; infinite where it can reject none."""
        n, ordered = len(self.values), sorted(self.values)
        rank = _rank(level, lambda least: _binomial_tail(n - least, n))
        return (ordered[rank - 1], ordered[n - rank]) if rank else (-math.inf, math.inf)

    def can_decide(self, level: float) -> bool:
        """Whether any seeds, that many, could have a p-value of at most ``level``."""
        return fewest_seeds(level) <= len(self.values)

    def what_would_decide(self, level: float) -> str:
        """How many seeds would decide at ``level``, were the share of them that points this way the same."""
        n, agreeing = len(self.values), self._agreeing()
        seeds = seeds_for(agreeing / n, level)
        number = f"about {seeds}" if seeds else f"more than {MOST_SEEDS}"
        return f"{agreeing} of {n} seeds agree: {number} would decide"

    def _agreeing(self) -> int:
        """How many seeds lie on the side of the border that the median does."""
        away = np.asarray(self.values) - self.null
        if self.within is None:
            return int(max((away > 0).sum(), (away < 0).sum()))
        if self.direction == 1:
            return int(min((away > -self.within).sum(), (away < self.within).sum()))
        return int(max((away < -self.within).sum(), (away > self.within).sum()))

    def _chance(self, border: float, side: int) -> float:
        """The chance of so many seeds on that side of ``border``, or more, were the median there."""
        beyond = sum(side * (value - border) > 0 for value in self.values)
        return _binomial_tail(beyond, len(self.values))


@dataclass(frozen=True)
class Points:
    """A pair of numbers, x and y, of each point of a sweep, means over ``seeds``. Does y rise (1) or fall (−1) with x?

    Pairs of points with the same x, or the same y, count for neither. The effect is the slope of y over x: the median over all
    pairs of points (Theil, Sen).
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    seeds: int

    @property
    def effect(self) -> float:
        """The median slope; NaN where all x are the same."""
        slopes = self._slopes()
        return float(np.median(slopes)) if slopes else math.nan

    @property
    def direction(self) -> int:
        """The sign of the slope."""
        return 0 if math.isnan(self.effect) else int(np.sign(self.effect))

    @property
    def p_value(self) -> float:
        """Two-sided: twice the chance of so many rising, or falling, pairs, were the points in any order, times `UNEQUAL`."""
        slopes, n = self._slopes(), len(self.x)
        return _two_sided([_kendall_tail(sum(side * slope > 0 for slope in slopes), n) for side in (1, -1)])

    def interval(self, level: float) -> tuple[float, float]:
        """The slopes b for which the test at ``level`` does not find y − b x to rise or fall."""
        n, slopes = len(self.x), sorted(self._slopes())
        pairs = n * (n - 1) // 2
        unknown = [math.inf] * (pairs - len(slopes))  # of the same x: neither above nor below
        rank = _rank(level, lambda least: _kendall_tail(pairs - least, n))
        if not rank:
            return -math.inf, math.inf
        return ([-value for value in unknown] + slopes)[rank - 1], (slopes + unknown)[pairs - rank]

    def can_decide(self, level: float) -> bool:
        """Whether any points, that many, could have a p-value of at most ``level``."""
        return fewest_points(level) <= len(self.x)

    def what_would_decide(self, level: float) -> str:
        """How many points there are, and how many it takes at least."""
        return f"of {len(self.x)} points of the sweep; at least {fewest_points(level)} are needed"

    def _slopes(self) -> list[float]:
        pairs = [(i, j) for i in range(len(self.x)) for j in range(i) if self.x[i] != self.x[j]]
        return [(self.y[i] - self.y[j]) / (self.x[i] - self.x[j]) for i, j in pairs]


Sample = Seeds | Points


def fewest_seeds(level: float) -> int:
    """The fewest seeds with which a verdict at ``level`` can be had: all on one side."""
    return next(n for n in count(1) if _two_sided([_binomial_tail(n, n)]) <= level)


def fewest_points(level: float) -> int:
    """The fewest points of a sweep with which `Points` can be decided at ``level``: all in order."""
    return next(n for n in count(2) if _two_sided([_kendall_tail(n * (n - 1) // 2, n)]) <= level)


def power(share: float, seeds: int, level: float) -> float:
    """How often the sign test at ``level`` decides for a side on which ``share`` of all seeds lie."""
    rank = _rank(level, lambda least: _binomial_tail(seeds - least, seeds))
    return float(stats.binom.sf(seeds - rank, seeds, share)) if rank else 0.0


def seeds_for(share: float, level: float) -> int | None:
    """The fewest seeds with which the `power` is at least 80 %; None where that takes more than 100."""
    return next((n for n in range(1, MOST_SEEDS + 1) if power(share, n, level) >= POWER), None)


def spearman_z(x: Numbers, y: Numbers) -> float:
    """Fisher's z = artanh(ρ) of Spearman's ρ along one run; NaN with fewer than 4 steps or no variation.

    A perfect ρ, whose z is infinite, counts as half a swap of neighbours: |ρ| = 1 − 6 / (n (n² − 1)).
    """
    n = len(x)
    if n < MIN_STEPS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    largest = 1 - 6 / (n * (n**2 - 1))
    return math.atanh(min(max(float(stats.spearmanr(x, y).statistic), -largest), largest))


def shared_level(p_values: Sequence[float]) -> float:
    """The level at which each of several tests is judged, so that of all verdicts at most ``LEVEL`` are wrong on average.

    Of m p-values it is R·q/m, where R is the largest number of them that are at most R·q/m (Benjamini, Hochberg 1995), and q/m
    where there is none. Intervals at that level cover as stated for what was found (Benjamini, Yekutieli 2005), and leave out
    exactly what is rejected. Of no p-values: ``LEVEL``.
    """
    m = len(p_values)
    rejected = [rank for rank, p in enumerate(sorted(p_values), start=1) if p <= rank * LEVEL / m]
    return max(rejected, default=1) * LEVEL / max(m, 1)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values of one evaluation, corrected for their number (Benjamini, Hochberg 1995): at most ``LEVEL`` if decided."""
    return [float(p) for p in stats.false_discovery_control(p_values)] if len(p_values) else []


def verdict(decided: bool, as_expected: bool) -> str:
    """What a test says of a claim, where the data point as expected or the other way."""
    if not decided:
        return INCONCLUSIVE
    return SUPPORTED if as_expected else CONTRADICTED


def _two_sided(chances: Sequence[float]) -> float:
    return min(1.0, 2 * min(chances))


def _rank(level: float, chance: Callable[[int], float]) -> int:
    """The rank, from either end, of the value at which an interval at ``level`` ends; 0 where it has no end.

    ``chance(k)``: of at most k values beyond the border. As many as that are too few, if twice the chance is at most ``level``.
    """
    rank = 0
    while _two_sided([chance(rank)]) <= level:
        rank += 1
    return rank


def _binomial_tail(least: int, n: int) -> float:
    """P(B ≥ ``least``) of n fair coins, exact."""
    return float(sum(math.comb(n, k) for k in range(max(least, 0), n + 1)) / 2**n)


def _kendall_tail(least: int, n: int) -> float:
    """`UNEQUAL` times P(C ≥ ``least``), the number C of rising pairs in a random order of n points, exact."""
    return UNEQUAL * float(sum(_mahonian(n)[max(least, 0) :]) / math.factorial(n))


@cache
def _mahonian(n: int) -> list[int]:
    """How many orders of n points have 0, 1, 2 … rising pairs: the point that is added last rises over any number of others."""
    counts = [1]
    for size in range(2, n + 1):
        counts = [sum(counts[max(0, k - size + 1) : k + 1]) for k in range(len(counts) + size - 1)]
    return counts
