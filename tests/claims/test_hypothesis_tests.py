"""Against enumerations, numbers by hand, published examples and SciPy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from breakeven.claims import hypothesis_tests
from breakeven.claims.hypothesis_tests import Points, Seeds, fewest_points, fewest_seeds, power, seeds_for

# Cushny and Peebles 1905: hours of sleep gained by one drug over another; nine of ten are positive, one is 0
SLEEP = (1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4)
LEVELS = (0.2, 0.1, 0.05, 0.01)


def test_the_sign_test_is_an_enumeration_of_all_signs():
    values = (0.5, 0.1, 2.0, -0.3, 0.7, 1.1, 0.2)
    all_signs = list(itertools.product([1, -1], repeat=7))
    as_many = sum(signs.count(1) >= 6 for signs in all_signs) / len(all_signs)
    assert Seeds(values).p_value == pytest.approx(2 * as_many)
    assert (Seeds(values).direction, Seeds(tuple(-v for v in values)).direction) == (1, -1)
    assert Seeds(values).effect == 0.5


def test_a_published_example_and_ties():
    """A zero counts for neither side: 9 of 10, 2 (10 + 1) / 1024."""
    tested = Seeds(SLEEP)
    assert tested.p_value == pytest.approx(22 / 1024)
    assert tested.effect == pytest.approx(1.3)
    assert tested.interval(0.05) == (0.8, 2.4)  # the second and the ninth
    assert tested.interval(0.01) == (0.0, 4.6)  # the first and the last
    assert Seeds((0.0,) * 8).p_value == 1 and Seeds((0.0,) * 8).direction == 0


@pytest.mark.parametrize("n", range(1, 13))
def test_as_scipy_has_it(n):
    values = np.random.default_rng(n).normal(0.5, 1, n)
    quantile = stats.quantile_test(values, q=0, p=0.5)
    assert Seeds(tuple(values)).p_value == pytest.approx(min(1, quantile.pvalue))
    for level in LEVELS:
        ours = Seeds(tuple(values)).interval(level)
        theirs = quantile.confidence_interval(confidence_level=1 - level)
        assert ours == pytest.approx([-math.inf if math.isnan(theirs.low) else theirs.low,
                                      math.inf if math.isnan(theirs.high) else theirs.high])  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
def test_an_interval_leaves_out_exactly_what_the_test_rejects(level):
    random, seen = np.random.default_rng(0), set()
    for _ in range(200):
        n = int(random.integers(1, 12))
        values = tuple(random.normal(size=n).round(1))  # with ties
        low, high = Seeds(values).interval(level)
        for null in (*values, *(v + 0.05 for v in values), *(v - 0.05 for v in values)):
            kept = low <= null <= high
            assert (Seeds(values, null=null).p_value > level) == kept
            seen.add(kept)
        assert low <= Seeds(values).effect <= high
        assert Seeds(values).can_decide(level) == (low > -math.inf)
    assert seen == {True, False}


def test_within_a_bound_is_where_the_interval_lies():
    random, seen = np.random.default_rng(0), set()
    for _ in range(300):
        values = tuple(random.normal(random.uniform(-1, 1), 0.3, size=int(random.integers(4, 10))))
        tested = Seeds(values, null=0.1, within=0.4)
        low, high = tested.interval(0.05)
        inside, outside = low > -0.3 and high < 0.5, high < -0.3 or low > 0.5
        assert (tested.p_value <= 0.05 and tested.direction == 1) == inside
        assert (tested.p_value <= 0.05 and tested.direction == -1) == outside
        seen.add((inside, outside))
    assert len(seen) == 3


def test_within_a_bound_by_hand():
    assert Seeds((0.0,) * 6, within=0.4).p_value == pytest.approx(2 / 64)
    assert Seeds((0.1, 0.2, -0.3, 0.0, 0.1, 0.9), within=0.4).p_value == pytest.approx(2 * 7 / 64)  # one is above
    assert Seeds((1.0,) * 6, within=0.4).direction == -1
    # three far above and three far below are not within, nor is the median outside
    assert Seeds((9.0, 9, 9, -9, -9, -9), within=0.4).p_value == 1


def test_how_many_seeds_a_verdict_needs():
    assert [fewest_seeds(level) for level in (0.05, 0.02, 0.01)] == [6, 7, 8]  # 2/2⁶ = 3.1 %, 2/2⁷ = 1.6 %
    assert [fewest_points(level) for level in (0.05, 0.01)] == [5, 6]  # 4/5! = 3.3 %
    # 9 or 10 of 10: 10 · 0.9⁹ · 0.1 + 0.9¹⁰
    assert power(0.9, 10, 0.05) == pytest.approx(10 * 0.9**9 * 0.1 + 0.9**10)
    assert power(1.0, 5, 0.05) == 0 and power(1.0, 6, 0.05) == 1
    assert seeds_for(1.0, 0.05) == 6
    assert seeds_for(0.9, 0.05) == 12 and power(0.9, 11, 0.05) < 0.8 <= power(0.9, 12, 0.05)
    assert seeds_for(0.6, 0.05) is None
    assert Seeds((1.0,) * 5).what_would_decide(0.05) == "5 of 5 seeds agree: about 6 would decide"
    assert Seeds((1.0, 2.0, -1.0)).what_would_decide(0.05) == "2 of 3 seeds agree: about 72 would decide"
    assert Points((1, 2, 3), (1, 2, 3), 4).what_would_decide(0.05) == "of 3 points of the sweep; at least 5 are needed"


def test_kendalls_test_is_an_enumeration_of_all_orders():
    y = (2.0, 1.0, 3.0, 5.0, 4.0)
    orders = [sum(a < b for a, b in itertools.combinations(order, 2)) for order in itertools.permutations(range(5))]
    rising = sum(a < b for a, b in itertools.combinations(y, 2))
    assert Points((1, 2, 3, 4, 5), y, 3).p_value == pytest.approx(4 * sum(c >= rising for c in orders) / 120)
    for n in range(4, 10):
        x, y = np.random.default_rng(n).normal(size=(2, n))
        expected = stats.kendalltau(x, y, method="exact")
        assert Points(tuple(x), tuple(y), 3).p_value == pytest.approx(min(1, 2 * expected.pvalue))
        assert Points(tuple(x), tuple(y), 3).direction == np.sign(expected.statistic) or expected.pvalue > 0.5


@pytest.mark.parametrize("points", [7, 9, 12])
def test_noise_that_grows_along_the_sweep(points):
    """Tenfold: Kendall's test alone is wrong in 8 %."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(2000, points)) * np.geomspace(0.1, 1, points)
    wrong = [Points(tuple(range(points)), tuple(y), 3).p_value <= 0.05 for y in noise]
    assert np.mean(wrong) <= 0.06


def test_the_slope_and_its_interval():
    random = np.random.default_rng(0)
    for _ in range(30):
        n = int(random.integers(5, 9))
        x = random.normal(size=n)
        y = 0.5 * x + 0.3 * random.normal(size=n)
        tested = Points(tuple(x), tuple(y), 3)
        assert tested.effect == pytest.approx(stats.theilslopes(y, x).slope)
        low, high = tested.interval(0.05)
        for b in (low - 1e-6, low + 1e-6, high - 1e-6, high + 1e-6):  # what the test says of y − b x
            rejected = Points(tuple(x), tuple(y - b * x), 3).p_value <= 0.05
            assert rejected == (not low <= b <= high)
    assert Points((1, 2, 3, 4), (1, 2, 3, 4), 3).interval(0.05) == (-math.inf, math.inf)


def test_equal_points_count_for_neither():
    assert Points((1, 1, 1, 1, 1, 1), (1, 2, 3, 4, 5, 6), 3).p_value == 1
    assert math.isnan(Points((1, 1), (1, 2), 3).effect) and Points((1, 1), (1, 2), 3).direction == 0
    x = (1, 1, 2, 3, 4, 5)  # one pair is lost of fifteen: 14 rise, and in 1 + 5 of 720 orders so many do
    assert Points(x, (0, 1, 2, 3, 4, 5), 3).p_value == pytest.approx(4 * 6 / 720)
    low, high = Points(x, (0, 1, 2, 3, 4, 5), 3).interval(4 * 6 / 720)
    assert low == pytest.approx(1.0) and high == pytest.approx(2.0)


def test_correlations_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([1.0, 3.0, 2.0, 5.0, 4.0])  # Σd² = 4: ρ = 1 − 24/120
    assert hypothesis_tests.spearman_z(x, y) == pytest.approx(math.atanh(0.8))
    assert hypothesis_tests.spearman_z(x, np.exp(x)) == pytest.approx(math.atanh(0.95))  # half a swap: 1 − 6/120
    assert hypothesis_tests.spearman_z(x, -x) == pytest.approx(math.atanh(-0.95))
    assert math.isnan(hypothesis_tests.spearman_z(x, np.ones(5)))
    assert math.isnan(hypothesis_tests.spearman_z(x[:3], y[:3]))


def test_the_correction_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04, times 4/1, 4/2, 4/3, 4/4, and never more than the next
    assert hypothesis_tests.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert hypothesis_tests.adjusted([]) == []


def test_the_level_that_tests_share():
    assert hypothesis_tests.shared_level([0.01, 0.04, 0.03, 0.005]) == 0.05  # all four
    assert hypothesis_tests.shared_level([0.01, 0.9, 0.9, 0.9]) == 0.05 / 4  # one of four
    assert hypothesis_tests.shared_level([0.02, 0.9, 0.9, 0.9]) == 0.05 / 4  # none
    assert hypothesis_tests.shared_level([]) == 0.05
    random = np.random.default_rng(0)
    for _ in range(200):
        p = random.choice([2 / 2**n for n in range(1, 11)], size=int(random.integers(1, 30))).tolist()
        level = hypothesis_tests.shared_level(p)
        assert [value <= level for value in p] == [value <= 0.05 for value in hypothesis_tests.adjusted(p)]


def test_verdicts():
    assert hypothesis_tests.verdict(True, as_expected=True) == "supported"
    assert hypothesis_tests.verdict(True, as_expected=False) == "contradicted"
    assert hypothesis_tests.verdict(False, as_expected=True) == "inconclusive"
