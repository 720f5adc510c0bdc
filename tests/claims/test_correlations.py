import math

import numpy as np
import pytest

from breakeven.claims.correlations import EarlyCorrelation, Generalization, PredictedMaximum
from tests.claims.simulated import run, study

TOGETHER = EarlyCorrelation("lambda_K_1", "lambda_H_1", "break_even_epoch", 1)
UP = [1.0, 2.0, 3.0, 4.0, 5.0]
ONE_SWAP = [1.0, 2.0, 3.0, 5.0, 4.0]


def rows(test, runs, swept=("learning_rate",)):
    return list(test.rows(study(runs, swept)))


def test_along_each_run_and_then_over_seeds():
    ys = [ONE_SWAP, UP, ONE_SWAP, UP]
    runs = [run(seed, {"lambda_K_1": UP, "lambda_H_1": y}, break_even_epoch=4.0) for seed, y in enumerate(ys)]
    [row] = rows(TOGETHER, runs)
    swap, perfect = math.atanh(0.9), math.atanh(0.95)
    assert row.effect == pytest.approx(math.tanh((swap + perfect) / 2))
    assert row.p_value < 0.01 and row.direction == 1 and row.n_seeds == 4
    assert row.ci_low == pytest.approx(0.9) and row.ci_high == pytest.approx(0.95)  # of the 2^4 choices of seeds
    assert row.our_value == "0.9 to 0.95 (4 runs)"
    assert TOGETHER.outcomes[row.direction] == "positive correlation"
    assert rows(EarlyCorrelation("lambda_K_1", "lambda_H_1", "break_even_epoch", -1), runs) == [row]


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
    assert row.effect == pytest.approx(math.tanh(2 / 3 * math.atanh(0.95)))
    assert row.note == "2 of 6 runs left out: the break-even point is never reached, or in fewer than 4 measured steps"


def test_no_early_phase():
    [row] = rows(TOGETHER, [run(seed, {"lambda_K_1": UP, "lambda_H_1": UP}) for seed in range(3)])
    assert row.n_seeds == 0 and math.isnan(row.p_value) and row.note.startswith("3 of 3 runs left out")
    [row] = rows(TOGETHER, [run(seed, break_even_epoch=3.0) for seed in range(3)])  # nothing was measured
    assert row.n_seeds == 0 and row.our_value == ""


def test_measured_against_predicted_maxima():
    runs = [
        run(seed, {"lambda_H_1": [factor * noise] * 3}, predicted_lambda_H=factor, learning_rate=1 / factor)
        for seed, noises in enumerate([(1, 1.1, 1), (1, 1, 1.2), (0.9, 1, 1)])
        for factor, noise in zip((1.0, 10.0, 100.0), noises, strict=True)
    ]
    row, smoothed = rows(PredictedMaximum(), runs)
    x = np.log([1, 10, 100])
    z = [np.arctanh(np.corrcoef(x, x + np.log(n))[0, 1]) for n in ((1, 1.1, 1), (1, 1, 1.2), (0.9, 1, 1))]
    assert row.effect == pytest.approx(np.tanh(np.mean(z)))
    assert row.direction == 1 and row.p_value < 0.05 and row.n_seeds == 3
    assert smoothed.effect == pytest.approx(row.effect)


def test_two_runs_of_a_seed_are_no_correlation():
    runs = [
        run(seed, {"lambda_H_1": [factor] * 3}, predicted_lambda_H=factor, learning_rate=factor)
        for seed in range(3)
        for factor in (1.0, 2.0)
    ]
    row, _ = rows(PredictedMaximum(), runs)
    assert row.n_seeds == 0 and row.note == "no correlation for 3 of 3 seeds: fewer than 3 runs, or all equal"


def test_accuracy_against_what_may_explain_it():
    runs = [
        run(
            seed,
            {"lambda_K_1": [k] * 3},
            final_test_accuracy=0.9 - 0.05 * math.log(k) + 0.01 * ((seed + i) % 3),
            break_even_epoch=k,
            learning_rate=1 / k,
            diverged=k == 64,
        )
        for seed in range(3)
        for i, k in enumerate((1.0, 2.0, 4.0, 8.0, 64.0))
    ]
    raw, smoothed = rows(Generalization("lambda_K_1", -1), runs)
    [epoch] = rows(Generalization("break_even_epoch", -1), runs)
    assert [row.quantity for row in (raw, smoothed, epoch)] == [
        "final test accuracy and max λ_K^1",
        "final test accuracy and max λ_K^1, smoothed",
        "final test accuracy and break-even epoch",
    ]
    for row in (raw, smoothed, epoch):
        assert -1 < row.effect < -0.9 and row.direction == -1 and row.p_value < 0.05
        assert row.note == "left out, diverged: η = 0.015625"


def test_accuracies_of_different_networks_are_not_compared():
    runs = [
        run(seed, {"lambda_K_1": [k * level] * 3}, final_test_accuracy=level / 10 + k * 0.01 + 0.001 * seed * (k == 2),
            learning_rate=k, network=network)
        for network, level in (("a", 9.0), ("b", 1.0))
        for seed in range(3)
        for k in (1.0, 2.0, 3.0)
    ]  # fmt: skip
    found = rows(Generalization("lambda_K_1", -1), runs, ("learning_rate", "network"))
    assert [row.quantity.partition("; ")[2] for row in found] == ["network = a", "network = b"] * 2
    assert all(row.effect > 0.9 for row in found)
