"""Against numbers by hand, enumerations and published examples."""

import itertools
import math

import numpy as np
import pytest

from breakeven.claims import hypothesis_tests

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
    tested = hypothesis_tests.page_trend(np.array(table))
    assert tested.p_value == pytest.approx(2 * min(up, down))
    assert tested.direction == (1 if up < down else -1)


def test_of_two_values_it_is_the_paired_t_test_of_the_logarithms():
    first = np.full(10, 3.0)
    tested = hypothesis_tests.page_trend(np.column_stack([first, first * np.exp(SLEEP)]))
    assert tested.p_value == pytest.approx(SLEEP_P, rel=1e-3)
    assert tested.direction == 1
    assert hypothesis_tests.page_trend(np.column_stack([first * np.exp(SLEEP), first])) == hypothesis_tests.Tested(
        tested.p_value, -1
    )


def test_the_mean_by_a_published_example():
    assert hypothesis_tests.t_test(SLEEP).p_value == pytest.approx(SLEEP_P, rel=1e-3)
    assert (hypothesis_tests.t_test(SLEEP).direction, hypothesis_tests.t_test(-SLEEP).direction) == (1, -1)


def test_numbers_that_are_all_equal_are_signs():
    assert hypothesis_tests.t_test(np.full(5, 2.0)) == hypothesis_tests.Tested(2 / 32, 1)
    assert hypothesis_tests.t_test(np.full(3, -0.1)) == hypothesis_tests.Tested(2 / 8, -1)
    assert hypothesis_tests.t_test(np.zeros(4)) == hypothesis_tests.Tested(1.0, 0)
    assert hypothesis_tests.page_trend(np.ones((5, 3))).direction == 0
    assert hypothesis_tests.equivalence_test(np.zeros(4), 0.4) == hypothesis_tests.Tested(1 / 16, 1)


def test_equivalence_by_hand():
    # mean 0.1, standard error 0.1 / √4 · … : differences ±0.1, so s² = 0.04/3 and se = √(0.04/12)
    values = np.array([0.0, 0.2, 0.0, 0.2])
    se = math.sqrt(0.04 / 12)
    # t with three degrees of freedom: P(T > t) = 1/2 − (arctan(t/√3) + √3 t/(t² + 3))/π
    t = (0.4 - 0.1) / se
    by_hand = 0.5 - (math.atan(t / math.sqrt(3)) + math.sqrt(3) * t / (t**2 + 3)) / math.pi
    tested = hypothesis_tests.equivalence_test(values, 0.4)
    assert tested.p_value == pytest.approx(by_hand)  # the nearer bound decides
    assert tested.direction == 1
    t = (1.1 - 0.4) / se
    by_hand = 0.5 - (math.atan(t / math.sqrt(3)) + math.sqrt(3) * t / (t**2 + 3)) / math.pi
    for side in (1, -1):
        tested = hypothesis_tests.equivalence_test(side * (values + 1), 0.4)
        assert tested.p_value == pytest.approx(by_hand)
        assert tested.direction == -1


def test_equivalence_is_where_the_90_percent_interval_lies():
    random, seen = np.random.default_rng(0), set()
    for _ in range(300):
        values = random.normal(random.uniform(-1, 1), 0.2, size=4)
        low, high = hypothesis_tests.equivalence_interval(values)
        tested = hypothesis_tests.equivalence_test(values, 0.4)
        inside, outside = low >= -0.4 and high <= 0.4, high < -0.4 or low > 0.4
        assert (tested.p_value <= 0.05 and tested.direction == 1) == inside
        assert (tested.p_value <= 0.05 and tested.direction == -1) == outside
        seen.add((inside, outside))
    assert len(seen) == 3


def test_the_bootstrap():
    values = np.random.default_rng(0).normal(3, 1, size=50)
    low, high = hypothesis_tests.bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(50)  # with many values, that of the normal distribution
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
    assert hypothesis_tests.bootstrap_interval(values) == (low, high)  # seeded
    assert hypothesis_tests.bootstrap_interval(np.full(5, 2.5)) == (2.5, 2.5)  # BCa has none here


def test_correlations_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([1.0, 3.0, 2.0, 5.0, 4.0])  # Σd² = 4: ρ = 1 − 24/120
    assert hypothesis_tests.spearman_z(x, y) == pytest.approx(math.atanh(0.8))
    assert hypothesis_tests.spearman_z(x, np.exp(x)) == pytest.approx(math.atanh(0.95))  # half a swap: 1 − 6/120
    assert hypothesis_tests.spearman_z(x, -x) == pytest.approx(math.atanh(-0.95))
    # r of (0, 0), (1, 1), (2, 1): covariance 1/2 over √(1 · 1/3), both ·(n − 1) = 2
    assert hypothesis_tests.pearson_z(x[:3], np.array([0.0, 1, 1])) == pytest.approx(math.atanh(0.5 / math.sqrt(1 / 3)))
    assert math.isfinite(hypothesis_tests.pearson_z(x, 2 * x))
    for correlation in (hypothesis_tests.spearman_z, hypothesis_tests.pearson_z):
        assert math.isnan(correlation(x, np.ones(5)))
        assert math.isnan(correlation(x[:2], y[:2]))
    assert math.isnan(hypothesis_tests.spearman_z(x[:3], y[:3]))


def test_the_correction_by_hand():
    # sorted 0.005, 0.01, 0.03, 0.04, times 4/1, 4/2, 4/3, 4/4, and never more than the next
    assert hypothesis_tests.adjusted([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert hypothesis_tests.adjusted([0.04, 0.04]) == pytest.approx([0.04, 0.04])
    assert hypothesis_tests.adjusted([]) == []


def test_verdicts():
    assert hypothesis_tests.verdict(0.05, as_expected=True) == "supported"
    assert hypothesis_tests.verdict(0.05, as_expected=False) == "contradicted"
    assert hypothesis_tests.verdict(0.0501, as_expected=True) == "inconclusive"
    assert hypothesis_tests.verdict(math.nan, as_expected=True) == "inconclusive"
