import math

import pytest

from breakeven.claims.trends import Trend
from tests.claims.simulated import run, study, sweep

# 0.3 ends at a quarter of 0.03 with two seeds, at a half with the third: the geometric mean is 2^(-5/3)
FALLS = {0.03: [4.0, 8.0, 2.0], 0.1: [3.0, 5.0, 1.5], 0.3: [1.0, 2.0, 1.0]}


def rows(runs, hyperparameter="learning_rate", direction=-1, swept=("learning_rate",)):
    return list(Trend("lambda_K_1", hyperparameter, direction).rows(study(runs, swept)))


def test_a_sweep_of_three_values():
    raw, smoothed = rows(sweep(FALLS))
    assert (raw.quantity, smoothed.quantity) == ("max λ_K^1", "max λ_K^1, smoothed")
    assert raw.effect == pytest.approx(2 ** (-5 / 3))
    assert 0.25 <= raw.ci_low < raw.effect < raw.ci_high <= 0.5
    assert raw.p_value == pytest.approx(2 / 6**3)  # all three seeds in order, in either direction
    assert (raw.n_seeds, raw.direction, raw.note) == (3, -1, "")
    assert raw.our_value == "1.26 (η = 0.3), 2.82 (η = 0.1), 4 (η = 0.03)"
    assert smoothed.effect == pytest.approx(raw.effect)  # the curves are constant
    assert rows(sweep(FALLS), direction=1) == [raw, smoothed]  # what the paper expects changes no evidence


def test_what_the_data_can_show():
    assert Trend("lambda_K_1", "learning_rate", -1).outcomes == {1: "rises with η", -1: "falls with η"}
    assert Trend("lambda_K_1", "learning_rate", -1).needs == "sweeps the learning rate"
    assert Trend("lambda_K_1", "momentum", 0).outcomes == {1: "rises with momentum", -1: "falls with momentum"}


def test_the_order_of_the_runs_does_not_matter():
    runs = sweep(FALLS)
    assert rows(runs[::-1]) == rows(runs)


def test_the_largest_value_of_a_smoothed_curve():
    spiky = [
        run(seed, {"lambda_K_1": [1.0, 7.0, 1.0, 4.0, 4.0, 4.0 * eta]}, learning_rate=eta)
        for seed in range(3)
        for eta in (1, 2)
    ]
    raw, smoothed = rows(spiky)
    assert raw.effect == pytest.approx(8 / 7)
    assert smoothed.effect == pytest.approx((16 / 3) / 4)


def test_two_values_are_compared_in_pairs():
    raw, _ = rows(sweep({0.1: [1.0, 2.0, 3.0], 0.3: [2.0, 3.0, 7.0]}))
    logs = [math.log(2), math.log(3 / 2), math.log(7 / 3)]
    mean = sum(logs) / 3
    t = mean / math.sqrt(sum((value - mean) ** 2 for value in logs) / 2 / 3)
    assert raw.effect == pytest.approx(math.exp(mean))
    assert raw.p_value == pytest.approx(1 - t / math.sqrt(t**2 + 2))  # Student's t with two degrees of freedom
    assert raw.direction == 1


def test_a_value_at_which_a_run_diverged_is_left_out():
    raw, _ = rows(sweep(FALLS | {1.0: [9.0, 9.0, 9.0]}, diverged=[(1.0, 2)]))
    assert raw.note == "left out, diverged: η = 1"
    assert (raw.effect, raw.p_value) == (rows(sweep(FALLS))[0].effect, rows(sweep(FALLS))[0].p_value)


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, 0.0, -1.0])
def test_a_value_without_a_number_is_left_out(nothing):
    raw, _ = rows(sweep(FALLS | {1.0: [9.0, 9.0, nothing]}))
    assert raw.note == "left out, no number with every seed: η = 1"
    assert raw.effect == rows(sweep(FALLS))[0].effect


def test_a_seed_that_lacks_a_run():
    raw, _ = rows([*sweep(FALLS), run(0, {"lambda_K_1": [1.0] * 5}, learning_rate=1.0)])
    assert raw.note == "left out, no number with every seed: η = 1"


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds(seeds):
    for row in rows(sweep({eta: numbers[:seeds] for eta, numbers in FALLS.items()})):
        assert row.effect == pytest.approx(0.25)
        assert row.n_seeds == seeds
        assert row.note == "fewer than 3 seeds: no test"
        assert math.isnan(row.p_value) and math.isnan(row.ci_low) and row.direction is None


@pytest.mark.parametrize(
    ("numbers", "diverged", "note"),
    [
        ({0.1: [1.0] * 3}, [], "fewer than 2 values of η: no trend"),
        (FALLS, [(eta, 0) for eta in FALLS], "left out, diverged: η = 0.03, η = 0.1, η = 0.3; fewer than 2 values"),
        (
            {0.1: [math.nan] * 3, 0.3: [math.nan] * 3},
            [],
            "left out, no number with every seed: η = 0.1, η = 0.3; fewer",
        ),
    ],
)
def test_nothing_to_compare(numbers, diverged, note):
    for row in rows(sweep(numbers, diverged=diverged)):
        assert row.note.startswith(note)
        assert math.isnan(row.p_value) and math.isnan(row.effect) and row.n_seeds == 0


def test_a_grid_has_a_row_for_each_combination():
    """λ_K^1 falls with η at S = 8 and rises at S = 32."""
    runs = [
        run(seed, {"lambda_K_1": [eta**power] * 3}, learning_rate=eta, batch_size=size)
        for size, power in ((8, -1), (32, 1))
        for eta in (1.0, 2.0)
        for seed in range(3)
    ]
    swept = ("batch_size", "learning_rate")
    assert {row.quantity: row.effect for row in rows(runs, swept=swept)} == pytest.approx(
        {
            "max λ_K^1; S = 8": 0.5,
            "max λ_K^1, smoothed; S = 8": 0.5,
            "max λ_K^1; S = 32": 2.0,
            "max λ_K^1, smoothed; S = 32": 2.0,
        }
    )
    assert [row.effect for row in rows(runs, "batch_size", swept=swept)] == pytest.approx([1, 4, 1, 4])


def test_of_several_grids_only_those_that_sweep_it():
    swept = ("batch_size", "learning_rate")
    runs = [
        *sweep(FALLS),
        *(run(seed, {"lambda_K_1": [1.0] * 3}, learning_rate=0.1, batch_size=8) for seed in range(3)),
    ]
    assert [row.quantity for row in rows(runs, swept=swept)] == ["max λ_K^1; S = 32", "max λ_K^1, smoothed; S = 32"]
