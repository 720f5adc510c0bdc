"""Against numbers by hand, enumerations and published examples."""

import itertools
import math

import numpy as np
import pytest

from breakeven.claims import hypothesis_tests as statistics

# Cushny and Peebles 1905: hours of sleep gained by one drug over another; Student 1908 has t = 4.06 of them
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
SLEEP_P = 0.002833  # R's t.test(extra ~ group, data = sleep, paired = TRUE)


def l_of(ranks):
    """Page's L: the sum of column number × rank."""
    return sum((column + 1) * rank for row in ranks for column, rank in enumerate(row))


@pytest.mark.parametrize(
    ("table", "l_by_hand"),
    [
        ([[1.0, 2.0, 3.0], [5.0, 7.0, 9.0], [0.1, 0.2, 0.4]], 42),  # 3 × (1·1 + 2·2 + 3·3)
        ([[1.0, 3.0, 2.0], [5.0, 7.0, 9.0], [0.1, 0.2, 0.4]], 41),  # 13 + 14 + 14
        ([[3.0, 2.0, 1.0], [9.0, 5.0, 7.0], [0.4, 0.2, 0.1]], 31),  # 10 + 11 + 10
    ],
)
def test_pages_trend_test_is_an_enumeration_of_all_ranks(table, l_by_hand):
    ranks = [[sorted(row).index(value) + 1 for value in row] for row in table]
    assert l_of(ranks) == l_by_hand
    all_l = [l_of(rows) for rows in itertools.product(itertools.permutations([1, 2, 3]), repeat=3)]
    up = sum(value >= l_by_hand for value in all_l) / len(all_l)
    down = sum(value <= l_by_hand for value in all_l) / len(all_l)
    tested = statistics.trend(np.array(table))
    assert tested.p_value == pytest.approx(2 * min(up, down))
    assert tested.direction == (1 if up < down else -1)


def test_of_two_values_it_is_the_paired_t_test_of_the_logarithms():
    first = np.full(10, 3.0)
    tested = statistics.trend(np.column_stack([first, first * np.exp(SLEEP)]))
    assert tested.p_value == pytest.approx(SLEEP_P, rel=1e-3)
    assert tested.direction == 1
    assert statistics.trend(np.column_stack([first * np.exp(SLEEP), first])) == statistics.Tested(tested.p_value, -1)


def test_the_mean_by_a_published_example():
    assert statistics.mean(SLEEP).p_value == pytest.approx(SLEEP_P, rel=1e-3)
    assert (statistics.mean(SLEEP).direction, statistics.mean(-SLEEP).direction) == (1, -1)


def test_numbers_that_are_all_equal_are_signs():
    assert statistics.mean(np.full(5, 2.0)) == statistics.Tested(2 / 32, 1)
    assert statistics.mean(np.full(3, -0.1)) == statistics.Tested(2 / 8, -1)
    assert statistics.mean(np.zeros(4)) == statistics.Tested(1.0, 0)
    assert statistics.trend(np.ones((5, 3))).direction == 0
    assert statistics.equivalence(np.zeros(4), 0.4) == statistics.Tested(1 / 16, 1)


def test_equivalence_by_hand():
    # mean 0.1, standard error 0.1 / √4 · … : differences ±0.1, so s² = 0.04/3 and se = √(0.04/12)
    values = np.array([0.0, 0.2, 0.0, 0.2])
    se = math.sqrt(0.04 / 12)
    # t with three degrees of freedom: P(T > t) = 1/2 − (arctan(t/√3) + √3 t/(t² + 3))/π
    t = (0.4 - 0.1) / se
    by_hand = 0.5 - (math.atan(t / math.sqrt(3)) + math.sqrt(3) * t / (t**2 + 3)) / math.pi
    tested = statistics.equivalence(values, 0.4)
    assert tested.p_value == pytest.approx(by_hand)  # the nearer bound decides
    assert tested.direction == 1
    t = (1.1 - 0.4) / se
    by_hand = 0.5 - (math.atan(t / math.sqrt(3)) + math.sqrt(3) * t / (t**2 + 3)) / math.pi
    for side in (1, -1):
        tested = statistics.equivalence(side * (values + 1), 0.4)
        assert tested.p_value == pytest.approx(by_hand)
        assert tested.direction == -1


def test_equivalence_is_where_the_90_percent_interval_lies():
    random, seen = np.random.default_rng(0), set()
    for _ in range(300):
        values = random.normal(random.uniform(-1, 1), 0.2, size=4)
        low, high = statistics.equivalence_interval(values)
        tested = statistics.equivalence(values, 0.4)
        inside, outside = low >= -0.4 and high <= 0.4, high < -0.4 or low > 0.4
        assert (tested.p_value <= 0.05 and tested.direction == 1) == inside
        assert (tested.p_value <= 0.05 and tested.direction == -1) == outside
        seen.add((inside, outside))
    assert len(seen) == 3


def test_the_bootstrap():
    values = np.random.default_rng(0).normal(3, 1, size=50)
    low, high = statistics.bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(50)  # with many values, that of the normal distribution
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
    assert statistics.bootstrap_interval(values) == (low, high)  # seeded
    assert statistics.bootstrap_interval(np.full(5, 2.5)) == (2.5, 2.5)  # BCa has none here


def test_correlations_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([1.0, 3.0, 2.0, 5.0, 4.0])  # Σd² = 4: ρ = 1 − 24/120
    assert statistics.rank_correlation(x, y) == pytest.approx(math.atanh(0.8))
    assert statistics.rank_correlation(x, np.exp(x)) == pytest.approx(math.atanh(0.95))  # half a swap: 1 − 6/120
    assert statistics.rank_correlation(x, -x) == pytest.approx(math.atanh(-0.95))
    # r of (0, 0), (1, 1), (2, 1): covariance 1/2 over √(1 · 1/3), both ·(n − 1) = 2
    assert statistics.linear_correlation(x[:3], np.array([0.0, 1, 1])) == pytest.approx(
        math.atanh(0.5 / math.sqrt(1 / 3))
    )
    assert math.isfinite(statistics.linear_correlation(x, 2 * x))
    for correlation in (statistics.rank_correlation, statistics.linear_correlation):
        assert math.isnan(correlation(x, np.ones(5)))
        assert math.isnan(correlation(x[:2], y[:2]))
    assert math.isnan(statistics.rank_correlation(x[:3], y[:3]))


def test_the_correction_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04, times 4/1, 4/2, 4/3, 4/4, and never more than the next
    assert statistics.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert statistics.adjusted([0.04, 0.04]) == pytest.approx([0.04, 0.04])
    assert statistics.adjusted([]) == []


def test_verdicts():
    assert statistics.verdict(0.05, as_expected=True) == "supported"
    assert statistics.verdict(0.05, as_expected=False) == "contradicted"
    assert statistics.verdict(0.0501, as_expected=True) == "inconclusive"
    assert statistics.verdict(math.nan, as_expected=True) == "inconclusive"
