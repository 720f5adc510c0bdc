import math

import pytest
from simulated_studies import run, study

from breakeven.claims.evidence import Role
from breakeven.claims.ratios import BatchNorm, Peak, PredictedPoint

SEEDS = range(6)
NOISE = [0.9, 1.0, 1.1, 1 / 0.99, 1.0, 1.0]  # of the seeds; their median is 1


def rows(test, runs, swept=("learning_rate",)):
    return list(test.rows(study(runs, swept)))


def peaked(at, steps=8):
    """A curve with its largest raw and smoothed value at this epoch."""
    return [2.0 - 0.1 * abs(at - epoch) for epoch in range(steps)]


def test_the_peak_comes_before_the_threshold():
    runs = [run(seed, {"lambda_K_1": peaked(2)}, threshold_epoch=4.0 * NOISE[seed]) for seed in SEEDS]
    test = Peak("lambda_K_1")
    for row, quantity in zip(rows(test, runs), ("max λ_K^1, smoothed", "max λ_K^1"), strict=True):
        assert row.quantity == f"epoch of {quantity} / epoch past the accuracy threshold"
        assert row.effect == pytest.approx(0.5)
        assert row.sample.p_value == 2 / 64 and test.outcomes[row.sample.direction] == "peaks before the threshold"
        assert row.our_value == "2 (epoch of the peak), 4 (epoch of the threshold)"


def test_runs_without_a_ratio_are_left_out():
    runs = [run(seed, {"lambda_H_1": peaked(2)}, threshold_epoch=1.0 + 0.01 * seed) for seed in SEEDS]
    runs += [run(seed, {"lambda_H_1": peaked(0)}, threshold_epoch=1.0, learning_rate=0.2) for seed in SEEDS]
    runs += [run(0, {"lambda_H_1": peaked(0)}, learning_rate=0.3), run(1, learning_rate=0.3, threshold_epoch=3.0)]
    _, row = rows(Peak("lambda_H_1"), [row | {"learning_rate": 0.1} for row in runs if row["learning_rate"] < 0.3])
    assert row.note.startswith("6 of 12 runs left out: never past the threshold")
    assert row.effect == pytest.approx(2, rel=0.05) and row.sample.direction == 1
    only = [run(seed, {"lambda_H_1": peaked(2)}) for seed in SEEDS]
    row, _ = rows(Peak("lambda_H_1"), only)
    assert row.seeds == 0 and row.sample is None and row.note.startswith("6 of 6 runs left out")


def grown(ratio, peak=5, steps=8):
    """Two runs of each seed whose λ_H^1 ends to grow at the predicted one times a ratio, of each rate its own."""
    shape = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 0.7, 2.0] if peak else [(step + 1) / steps for step in range(steps)]
    return [
        run(
            seed,
            {"lambda_H_1": [of_rate * 20 * NOISE[seed] * wide * value for value in shape]},
            predicted_lambda_H=20.0 * wide,
            learning_rate=wide,
            first_peak_step=10 * peak if peak else None,
        )
        for seed in SEEDS
        for wide, of_rate in zip((1.0, 2.0), ratio, strict=True)
    ]


@pytest.mark.parametrize(
    ("ratio", "effect"), [((1.2, 1.2), 1.2), ((0.8, 0.8), 1.25), ((1.9, 1.9), 1.9), ((0.5, 0.5), 2), ((0.5, 2), 2)]
)
def test_growth_ends_at_the_predicted_curvature(ratio, effect):
    """What is too high at one rate and too low at the other is not right on average."""
    [row] = rows(PredictedPoint(), grown(ratio))
    assert row.effect == pytest.approx(effect)
    assert row.sample.p_value == 2 / 64
    words = "within a factor of 1.5" if effect < 1.5 else "off by more than a factor of 1.5"
    assert PredictedPoint.outcomes[row.sample.direction] == words
    low, high = row.interval(0.05)
    assert high < 1.5 if effect < 1.5 else low > 1.5


def test_where_nothing_ends_growth_it_is_the_largest_value_that_counts():
    [row] = rows(PredictedPoint(), grown((3.0, 3.0), peak=None))
    assert row.effect == pytest.approx(3) and row.sample.direction == 1


def test_growth_that_has_not_ended_says_nothing_near_the_prediction():
    """Training ends where it ends: that is no end of growth, even if it is the predicted curvature."""
    [row] = rows(PredictedPoint(), grown((1.1, 1.1), peak=None))
    assert row.sample is None and row.note.startswith("12 of 12 runs left out")


def test_what_falls_from_the_start_ends_no_growth():
    """Neither near the prediction nor far above it: of such runs nothing is known."""
    runs = grown((1.0, 1.2))
    falling = [run(seed, {"lambda_H_1": [90.0, 9.0]}, predicted_lambda_H=20.0, first_peak_step=0) for seed in SEEDS]
    [row] = rows(PredictedPoint(), runs + [each | {"learning_rate": 4.0} for each in falling])
    assert row.effect == pytest.approx(1.2**0.5, rel=0.02) and row.note.startswith("6 of 18 runs left out")
    [row] = rows(PredictedPoint(), falling)
    assert row.sample is None and row.note.startswith("6 of 6 runs left out")


RATES = [4.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0]  # 2/η: the learning rate changes at step 50


@pytest.mark.parametrize(
    ("break_even", "peak", "is_tested"),
    [
        (12, 20, True),
        (25, 10, True),
        (61, 70, True),
        (45, 20, False),
        (12, 50, False),
        (50, 60, False),
        (61, 60, True),
        (12, 40, False),
        (12, None, False),
    ],
)
def test_growth_at_one_learning_rate_is_not_compared_with_the_prediction_for_another(break_even, peak, is_tested):
    """Nor where the change is what ended growth, at the measured step after the peak."""
    shape = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 0.7, 2.0, 1.0]
    runs = [
        run(
            seed,
            {"lambda_H_1": [40 * value for value in shape], "two_over_lr": RATES},
            predicted_lambda_H=8.0,
            break_even_step=break_even,
            first_peak_step=peak,
        )
        for seed in SEEDS
    ]
    [row] = rows(PredictedPoint(), runs)
    assert (row.seeds == 6) == is_tested
    assert row.note == "" if is_tested else row.note.endswith("or the learning rate changes between the two")
    for each in runs:
        each["curves"]["two_over_lr"] = [4.0] * 9
    [row] = rows(PredictedPoint(), runs)
    assert row.seeds == 6 and row.note == ""


def test_without_break_even_points():
    runs = [run(seed, predicted_lambda_H=20.0) for seed in SEEDS]
    [row] = rows(PredictedPoint(), runs)
    assert row.note == "6 of 6 runs left out: no break-even point of λ_H^1, or it still grows at the end, or never did"
    assert row.seeds == 0 and math.isnan(row.effect) and row.our_value == ""


def bn_runs(largest, diverged=()):
    return [
        run(
            seed,
            {"trace_over_lambda_1": [value * NOISE[(seed + i) % 6] for _ in range(3)]},
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
    smoothed, row = rows(test, bn_runs(PAPER), SWEPT)
    assert (smoothed.role, row.role) == (Role.PRIMARY, Role.ROBUSTNESS)
    assert row.quantity == "max Tr(K)/λ_K^1, cnn_bn at η = 0.001 / cnn at η = 0.01"
    assert row.effect == pytest.approx(12.14 / 11.55, rel=0.05) and row.effect == pytest.approx(smoothed.effect)
    assert row.sample.direction == 1 and row.sample.p_value == 2 / 64
    assert row.our_value.endswith("(cnn_bn, η = 0.001), 11.6 (cnn, η = 0.01)")
    row, _ = rows(test, bn_runs(PAPER | {("cnn", 0.01): 40.0}), SWEPT)
    assert row.sample.p_value < 0.05 and test.outcomes[row.sample.direction] == "different by more than a factor of 1.5"


def test_batch_normalization_where_one_side_is_missing():
    test = BatchNorm("trace_over_lambda_1")
    row, _ = rows(test, bn_runs(PAPER, diverged=[("cnn", 0.01)]), SWEPT)
    assert "diverged: network = cnn, η = 0.01" in row.note and "one of the two is missing" in row.note
    assert row.where == "cnn_bn at η = 0.001 / cnn at η = 0.01"
    row, _ = rows(test, bn_runs({("cnn_bn", 0.001): 1.0, ("cnn", 0.001): 1.0}), SWEPT)
    assert row.note == "one of the two is missing" and row.seeds == 0
    assert rows(test, bn_runs({("mlp", 0.001): 1.0, ("cnn_bn", 0.01): 1.0}), SWEPT) == []  # no pair of networks
