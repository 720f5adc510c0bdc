"""Tests and intervals over seeds.

Seeds are the blocks: every test gets one number, or one row of numbers, of each seed. Steps and runs of one seed are
not independent, so they are never counted as if they were.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

LEVEL = 0.05  # of the verdicts
MIN_SEEDS = 3  # with fewer there is no verdict
MIN_STEPS, MIN_RUNS = 4, 3  # of a correlation along one run, and across the runs of one seed
RESAMPLES = 9999
SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tested:
    """The p-value of a test and the direction that the data point to: 1 (up, or equal), −1 (down, or different), 0."""

    p_value: float
    direction: int


def page_trend(table: Numbers) -> Tested:
    """Do the numbers rise or fall along the columns? ``table``: (seeds, values of the hyperparameter), all positive.

    Three values or more: Page's trend test (Page, JASA 1963), which ranks the values of each seed; its p-value is
    exact up to 8 values and about a dozen seeds, asymptotic beyond. Two values: the paired t-test of the logarithms.
    """
    if table.shape[1] == 2:
        return t_test(np.log(table[:, 1] / table[:, 0]))
    rises, falls = stats.page_trend_test(table), stats.page_trend_test(table[:, ::-1])
    return _two_sided(float(rises.pvalue), float(falls.pvalue))


def t_test(values: Numbers) -> Tested:
    """Is the mean of ``values``, one of each seed, above or below 0? The t-test."""
    return _two_sided(_above(values, 0.0), _above(-values, 0.0))


def equivalence_test(values: Numbers, bound: float) -> Tested:
    """Is the mean of ``values``, one of each seed, within ±``bound`` (1), or outside (−1)?

    Within: two one-sided t-tests (Schuirmann 1987); p ≤ 0.05 is the same as a 90 % interval inside of the bounds.
    Outside: the one-sided t-test against the nearer bound; p ≤ 0.05 is a 90 % interval outside. Only one of the two
    can be wrong, wherever the truth lies, so the smaller p-value is not doubled.
    """
    equal = max(_above(values, -bound), _above(-values, -bound))
    different = min(_above(values, bound), _above(-values, bound))
    return Tested(min(equal, different), _sign(different - equal))


def bootstrap_interval(values: Numbers) -> tuple[float, float]:
    """The 95 % interval of the mean of ``values``, one of each seed: bootstrap over seeds, BCa (Efron 1987), seeded.

    Where BCa is degenerate (all values are equal, for instance) it is the percentile interval. With few seeds both are
    too narrow: three numbers say little about a spread. No verdict rests on them.
    """
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        for method in ("BCa", "percentile"):
            result = stats.bootstrap(
                (values,), np.mean, n_resamples=RESAMPLES, method=method, random_state=np.random.default_rng(0)
            )
            interval = result.confidence_interval
            if math.isfinite(interval.low) and math.isfinite(interval.high):
                break
    return float(interval.low), float(interval.high)


def equivalence_interval(values: Numbers) -> tuple[float, float]:
    """The 90 % interval of the mean of ``values``, one of each seed, by the t distribution: see `equivalence_test`."""
    half = float(stats.t.isf(0.05, len(values) - 1) * stats.sem(values))
    return float(values.mean()) - half, float(values.mean()) + half


def spearman_z(x: Numbers, y: Numbers) -> float:
    """Fisher's z = artanh(ρ) of Spearman's ρ along one run; NaN with fewer than 4 steps or no variation.

    A perfect ρ, whose z is infinite, counts as half a swap of neighbours: |ρ| = 1 − 6 / (n (n² − 1)).
    """
    n = len(x)
    if n < MIN_STEPS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return _fisher(float(stats.spearmanr(x, y).statistic), 1 - 6 / (n * (n**2 - 1)))


def pearson_z(x: Numbers, y: Numbers) -> float:
    """Fisher's z = artanh(r) of Pearson's r across the runs of one seed; NaN with fewer than 3 or no variation."""
    if len(x) < MIN_RUNS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return _fisher(float(stats.pearsonr(x, y).statistic), 1 - 1e-9)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values of one evaluation, corrected for their number (Benjamini, Hochberg 1995).

    Verdicts at ``LEVEL`` of these are wrong in at most this share on average; where no claim has an effect, the
    chance of any verdict is at most ``LEVEL``.
    """
    return [float(p) for p in stats.false_discovery_control(p_values)] if len(p_values) else []


def verdict(p_adjusted: float, as_expected: bool) -> str:
    """What a corrected p-value says of a claim, where the data point as expected or the other way."""
    if not p_adjusted <= LEVEL:
        return INCONCLUSIVE
    return SUPPORTED if as_expected else CONTRADICTED


def _above(values: Numbers, bound: float) -> float:
    """The one-sided p-value of the mean being above ``bound``: the t-test.

    Numbers that are all equal have no spread to compare with; then it is the sign test, 1/2^n.
    """
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return 0.5 ** len(values) if values[0] > bound else 1.0
    return float(stats.ttest_1samp(values, bound, alternative="greater").pvalue)


def _two_sided(up: float, down: float) -> Tested:
    """Twice the smaller of the p-values of the two directions."""
    return Tested(min(1.0, 2 * min(up, down)), _sign(down - up))


def _sign(number: float) -> int:
    return int(np.sign(number))


def _fisher(correlation: float, largest: float) -> float:
    return math.atanh(min(max(correlation, -largest), largest))
