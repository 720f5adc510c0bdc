import math

import pytest

from breakeven.claims.ratios import BatchNorm, Peak, PredictedPoint
from tests.claims.simulated import run, study

SEEDS = range(4)
NOISE = [0.9, 1.0, 1.1, 1 / 0.99]  # of the seeds; their product is 1


def rows(test, runs, swept=("learning_rate",)):
    return list(test.rows(study(runs, swept)))


def peaked(at, steps=8):
    """A curve with its largest raw and smoothed value at this epoch."""
    return [2.0 - 0.1 * abs(at - epoch) for epoch in range(steps)]


def test_the_peak_comes_before_the_threshold():
    runs = [run(seed, {"lambda_K_1": peaked(2)}, threshold_epoch=4.0 * NOISE[seed]) for seed in SEEDS]
    test = Peak("lambda_K_1")
    for row, quantity in zip(rows(test, runs), ("max λ_K^1", "max λ_K^1, smoothed"), strict=True):
        assert row.quantity == f"epoch of {quantity} / epoch past the accuracy threshold"
        assert row.effect == pytest.approx(0.5)
        assert row.p_value < 0.01 and test.outcomes[row.direction] == "peaks before the threshold"
        assert row.our_value == "2 (epoch of the peak), 4 (epoch of the threshold)"


def test_runs_without_a_ratio_are_left_out():
    runs = [run(seed, {"lambda_H_1": peaked(2)}, threshold_epoch=1.0 + 0.01 * seed) for seed in SEEDS]
    runs += [run(seed, {"lambda_H_1": peaked(0)}, threshold_epoch=1.0, learning_rate=0.2) for seed in SEEDS]
    runs += [run(0, {"lambda_H_1": peaked(0)}, learning_rate=0.3), run(1, learning_rate=0.3, threshold_epoch=3.0)]
    row, _ = rows(Peak("lambda_H_1"), [row | {"learning_rate": 0.1} for row in runs if row["learning_rate"] < 0.3])
    assert row.note.startswith("4 of 8 runs left out: never past the threshold")
    assert row.effect == pytest.approx(2, rel=0.03) and row.direction == 1
    only = [run(seed, {"lambda_H_1": peaked(2)}) for seed in SEEDS]
    row, _ = rows(Peak("lambda_H_1"), only)
    assert row.n_seeds == 0 and math.isnan(row.p_value) and row.note.startswith("4 of 4 runs left out")


@pytest.mark.parametrize(("ratio", "expected"), [(1.1, True), (0.9, True), (1.9, False), (0.5, False)])
def test_break_even_at_the_predicted_curvature(ratio, expected):
    runs = [
        run(
            seed,
            break_even_lambda_H=ratio * 20 * NOISE[seed] * wide,
            predicted_lambda_H=20.0 * wide,
            learning_rate=wide,
        )
        for seed in SEEDS
        for wide in (1.0, 2.0)
    ]
    [row] = rows(PredictedPoint(), runs)
    assert row.effect == pytest.approx(ratio)
    assert row.p_value < 0.05 and row.direction == (1 if expected else -1)
    assert row.note == "90 % interval"
    assert (row.ci_low > 1 / 1.5 and row.ci_high < 1.5) == expected


def test_without_break_even_points():
    runs = [run(seed, predicted_lambda_H=20.0) for seed in SEEDS]
    [row] = rows(PredictedPoint(), runs)
    assert row.note == "4 of 4 runs left out: no break-even point, or λ_H^1 not above 0 there"
    assert row.n_seeds == 0 and math.isnan(row.effect) and row.our_value == ""


def bn_runs(largest, diverged=()):
    return [
        run(
            seed,
            {"trace_over_lambda_1": [value * NOISE[(seed + i) % 4] for _ in range(3)]},
            diverged=(network, eta) in diverged,
            network=network,
            learning_rate=eta,
        )
        for seed in SEEDS
        for i, ((network, eta), value) in enumerate(largest.items())
    ]


PAPER = {
    ("cnn_bn", 0.001): 12.14,
    ("cnn_bn", 0.01): 20.0,
    ("cnn", 0.001): 3.0,
    ("cnn", 0.01): 11.55,
    ("cnn", 0.1): 30.0,
}
SWEPT = ("learning_rate", "network")


def test_batch_normalization_at_the_lowest_rate_against_the_next():
    test = BatchNorm("trace_over_lambda_1")
    row, smoothed = rows(test, bn_runs(PAPER), SWEPT)
    assert row.quantity == "max Tr(K)/λ_K^1, cnn_bn at η = 0.001 / cnn at η = 0.01"
    assert row.effect == pytest.approx(12.14 / 11.55) == smoothed.effect
    assert row.direction == 1 and row.p_value < 0.05
    assert row.our_value == "12.1 (cnn_bn, η = 0.001), 11.6 (cnn, η = 0.01)"
    row, _ = rows(test, bn_runs(PAPER | {("cnn", 0.01): 40.0}), SWEPT)
    assert row.p_value < 0.05 and test.outcomes[row.direction] == "different by more than a factor of 1.5"


def test_batch_normalization_where_one_side_is_missing():
    test = BatchNorm("trace_over_lambda_1")
    row, _ = rows(test, bn_runs(PAPER, diverged=[("cnn", 0.01)]), SWEPT)
    assert "diverged: network = cnn, η = 0.01" in row.note and "one of the two is missing" in row.note
    row, _ = rows(test, bn_runs({("cnn_bn", 0.001): 1.0, ("cnn", 0.001): 1.0}), SWEPT)
    assert row.note == "one of the two is missing" and row.n_seeds == 0
    assert rows(test, bn_runs({("mlp", 0.001): 1.0, ("cnn_bn", 0.01): 1.0}), SWEPT) == []  # no pair of networks
