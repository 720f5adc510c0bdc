import math

import pytest
from simulated_studies import run, study

from breakeven.claims.correlations import EarlyCorrelation, Generalization, PredictedMaximum
from breakeven.claims.evidence import Role

TOGETHER = EarlyCorrelation("lambda_K_1", "lambda_H_1", "break_even_epoch", 1)
UP = [1.0, 2.0, 3.0, 4.0, 5.0]
ONE_SWAP = [1.0, 2.0, 3.0, 5.0, 4.0]


def rows(test, runs, swept=("learning_rate",)):
    return list(test.rows(study(runs, swept)))


def test_along_each_run_and_then_over_seeds():
    ys = [ONE_SWAP, UP, ONE_SWAP, UP, ONE_SWAP, UP]
    runs = [run(seed, {"lambda_K_1": UP, "lambda_H_1": y}, break_even_epoch=4.0) for seed, y in enumerate(ys)]
    [row] = rows(TOGETHER, runs)
    swap, perfect = math.atanh(0.9), math.atanh(0.95)
    assert row.effect == pytest.approx(math.tanh((swap + perfect) / 2))
    assert row.sample.p_value == pytest.approx(2 / 64) and row.sample.direction == 1 and row.seeds == 6
    assert row.interval(0.05) == pytest.approx((0.9, 0.95))
    assert row.our_value == "ρ = 0.9 to 0.95 (6 runs)"
    assert TOGETHER.outcomes[row.sample.direction] == "positive correlation"


def test_how_far_it_falls_where_it_is_expected_to():
    """Of the early steps: those at epochs 0 to 3 of 4; of 2 and 4, which two runs fall to, the median is 3."""
    falling = EarlyCorrelation("lambda_K_1", "alpha_star", "threshold_epoch", -1)
    runs = [
        run(seed, {"lambda_K_1": UP, "alpha_star": [9.0, 8.0, 7.0, low, 0.5]}, threshold_epoch=3.0)
        for seed, low in enumerate([2.0, 4.0])
    ]
    [row] = rows(falling, runs)
    assert row.our_value == "α* falls to 3 (median of 2 runs); ρ = -0.9 to -0.9 (2 runs)"


def test_seeds_weigh_the_same_however_many_runs_they_have():
    runs = [run(seed, {"lambda_K_1": UP, "lambda_H_1": UP}, break_even_epoch=4.0) for seed in range(3)]
    runs += [
        run(
            seed,
            {"lambda_K_1": UP, "lambda_H_1": UP[::-1]},
            break_even_epoch=4.0 if seed == 0 else None,
            learning_rate=1,
        )
        for seed in range(3)
    ]
    [row] = rows(TOGETHER, runs)
    assert row.sample.values == pytest.approx([0, math.atanh(0.95), math.atanh(0.95)])
    assert row.note == "2 of 6 runs left out: the break-even point is never reached, or in fewer than 4 measured steps"


def test_steps_without_a_value_are_told():
    """α* is empty where the loss never grows so much: such a step counts for nothing, and is not passed over in silence."""
    runs = [run(seed, {"lambda_K_1": UP, "lambda_H_1": [None, *UP[1:]]}, break_even_epoch=4.0) for seed in range(2)]
    [row] = rows(TOGETHER, runs)
    assert row.note == "2 early steps left out, without a value of one of the two"


def test_no_early_phase():
    [row] = rows(TOGETHER, [run(seed, {"lambda_K_1": UP, "lambda_H_1": UP}) for seed in range(3)])
    assert row.seeds == 0 and row.sample is None and row.note.startswith("3 of 3 runs left out")
    [row] = rows(TOGETHER, [run(seed, break_even_epoch=3.0) for seed in range(3)])  # nothing was measured
    assert row.seeds == 0 and row.our_value == ""


def sweep_of(points, seeds=3, **columns):
    """A run for each point and seed: λ_H^1 is the prediction, times what the seed has."""
    return [
        run(seed, {"lambda_H_1": [value * noise] * 3}, predicted_lambda_H=value, learning_rate=1 / value, **columns)
        for seed, noise in zip(range(seeds), (0.5, 1.0, 2.0), strict=False)
        for value in points
    ]


def test_measured_against_predicted_maxima():
    smoothed, raw = rows(PredictedMaximum(), sweep_of((1.0, 2.0, 4.0, 10.0, 100.0)))
    assert smoothed.quantity == "max λ_H^1, smoothed over its prediction by Eq. 1, logarithms"
    assert smoothed.effect == pytest.approx(1) and smoothed.sample.direction == 1
    assert smoothed.sample.p_value == pytest.approx(4 / math.factorial(5))  # all five points in order
    assert (smoothed.seeds, smoothed.our_value, smoothed.role) == (3, "5 points", Role.PRIMARY)
    assert raw.effect == pytest.approx(1) and raw.role is Role.ROBUSTNESS


def test_more_seeds_are_no_more_points():
    """Three points in order come by chance in a third of all studies, however many seeds they have."""
    for seeds in (2, 3):
        row, _ = rows(PredictedMaximum(), sweep_of((1.0, 2.0, 4.0), seeds))
        assert row.sample.p_value == pytest.approx(4 / 6)
        assert not row.sample.can_decide(0.05)


def test_one_point_is_no_slope():
    row, _ = rows(PredictedMaximum(), sweep_of((1.0,)))
    assert row.sample is None and row.note == "fewer than 2 points of the sweep"


def test_accuracy_against_what_may_explain_it():
    runs = [
        run(
            seed,
            {"lambda_K_1": [k] * 3},
            final_test_accuracy=0.9 - 0.05 * math.log10(k) + 0.001 * ((seed + i) % 3),
            break_even_epoch=k,
            learning_rate=1 / k,
            diverged=k == 64,
        )
        for seed in range(3)
        for i, k in enumerate((1.0, 2.0, 4.0, 8.0, 16.0, 64.0))
    ]
    smoothed, raw = rows(Generalization("lambda_K_1", -1), runs)
    [epoch] = rows(Generalization("break_even_epoch", -1), runs)
    assert [row.quantity for row in (smoothed, raw, epoch)] == [
        "final test accuracy over log₁₀ max λ_K^1, smoothed",
        "final test accuracy over log₁₀ max λ_K^1",
        "final test accuracy over log₁₀ break-even epoch",
    ]
    for row in (smoothed, raw, epoch):
        assert row.effect == pytest.approx(-0.05) and row.sample.direction == -1  # every seed has the same three
        assert row.sample.p_value == pytest.approx(4 / 120)
        assert row.note == "left out, diverged: η = 0.015625"
    assert epoch.role is Role.PRIMARY


def test_accuracies_of_different_networks_are_not_compared():
    runs = [
        run(seed, {"lambda_K_1": [k * level] * 3}, final_test_accuracy=level / 10 + k * 0.01,
            learning_rate=k, network=network)
        for network, level in (("a", 9.0), ("b", 1.0))
        for seed in range(3)
        for k in (1.0, 2.0, 3.0)
    ]  # fmt: skip
    found = rows(Generalization("lambda_K_1", -1), runs, ("learning_rate", "network"))
    assert [row.quantity.partition("; ")[2] for row in found] == ["network = a", "network = b"] * 2
    assert all(row.effect > 0 for row in found)
