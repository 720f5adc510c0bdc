import math

import numpy as np
import pytest
from simulated_studies import run, study, sweep

from breakeven.claims.evidence import Role
from breakeven.claims.trends import Trend

# seeds end at a quarter, a quarter and a half of where they began
FALLS = {0.03: [4.0, 8.0, 2.0], 0.1: [3.0, 5.0, 1.5], 0.3: [1.0, 2.0, 1.0]}


def rows(runs, hyperparameter="learning_rate", direction=-1, swept=("learning_rate",)):
    return list(Trend("lambda_K_1", hyperparameter, direction).rows(study(runs, swept)))


def of_line(numbers):
    """The ratio of the ends of the line through the logarithms, by NumPy."""
    x = np.log(list(numbers))
    lines = [np.polyfit(x, np.log(of_seed), 1) for of_seed in zip(*numbers.values(), strict=True)]
    return np.median([math.exp(slope * (x[-1] - x[0])) for slope, _ in lines])


def test_a_sweep_of_three_values():
    smoothed, raw = rows(sweep(FALLS))
    assert (smoothed.quantity, raw.quantity) == ("max λ_K^1, smoothed", "max λ_K^1")
    assert (smoothed.role, raw.role) == (Role.PRIMARY, Role.ROBUSTNESS)
    assert raw.effect == pytest.approx(of_line(FALLS)) and 0.25 < raw.effect < 0.26
    assert raw.sample.p_value == pytest.approx(2 / 2**3)  # all three seeds, in either direction
    assert (raw.seeds, raw.sample.direction, raw.note) == (3, -1, "")
    assert raw.our_value == "1.26 (η = 0.3), 2.82 (η = 0.1), 4 (η = 0.03)"
    assert smoothed.effect == pytest.approx(raw.effect)  # the curves are constant
    assert rows(sweep(FALLS), direction=1) == [smoothed, raw]  # what the paper expects changes no evidence


def test_of_three_values_of_equal_ratios_it_is_the_last_over_the_first():
    """The one between says nothing of a line; the effect cannot contradict what was observed."""
    [row, _] = rows(sweep({0.1: [1.0] * 6, 1.0: [5.0] * 6, 10.0: [0.9] * 6}))
    assert row.effect == pytest.approx(0.9) and row.sample.direction == -1


def test_where_the_rest_of_the_trajectory_says_the_opposite_the_row_says_both():
    """The peak rises with η, all the rest falls."""
    runs = [
        run(seed, {"lambda_K_1": [4 * eta, 4 * eta, 4 * eta, *[1 / eta] * 20]}, learning_rate=eta)
        for seed in range(6)
        for eta in (1.0, 2.0)
    ]
    peak, raw = rows(runs)
    level = math.exp((3 * math.log(2) - 20 * math.log(2)) / 23)
    assert peak.effect == raw.effect == pytest.approx(2)
    assert peak.note == raw.note == f"but its mean along the run falls with η: {level:.3g}"
    fewer = [r for r in runs if r["seed"] < 5]
    assert [row.note for row in rows(fewer)] == ["", ""]  # of five seeds it can't be said


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
    smoothed, raw = rows(spiky)
    assert raw.effect == pytest.approx(8 / 7)
    assert smoothed.effect == pytest.approx((16 / 3) / 4)


def test_two_values_are_compared_in_pairs():
    _, raw = rows(sweep({0.1: [1.0, 2.0, 3.0], 0.3: [2.0, 3.0, 7.0]}))
    assert raw.effect == pytest.approx(2)  # of 2, 3/2, 7/3
    assert raw.interval(0.5) == pytest.approx((1.5, 7 / 3))
    assert raw.sample.direction == 1


def test_a_value_at_which_a_run_diverged_is_left_out():
    row, _ = rows(sweep(FALLS | {1.0: [9.0, 9.0, 9.0]}, diverged=[(1.0, 2)]))
    assert row.note == "left out, diverged: η = 1"
    assert row.sample == rows(sweep(FALLS))[0].sample


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, 0.0, -1.0])
def test_a_value_without_a_number_is_left_out(nothing):
    raw, _ = rows(sweep(FALLS | {1.0: [9.0, 9.0, nothing]}))
    assert raw.note == "left out, no number with every seed: η = 1"
    assert raw.effect == rows(sweep(FALLS))[0].effect


def test_a_seed_that_lacks_a_run():
    raw, _ = rows([*sweep(FALLS), run(0, {"lambda_K_1": [1.0] * 5}, learning_rate=1.0)])
    assert raw.note == "left out, no number with every seed: η = 1"


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
        assert row.sample is None and math.isnan(row.effect) and row.seeds == 0


def test_nothing_to_compare_at_one_setting():
    runs = [
        run(seed, {"lambda_K_1": [1.0] * 5}, learning_rate=eta, batch_size=8) for seed in range(3) for eta in (0.1, 0.3)
    ]
    runs = [
        each | {"diverged": each["batch_size"] == 8} for each in [*runs, *(one | {"batch_size": 32} for one in runs)]
    ]
    for row in Trend("lambda_K_1", "learning_rate", -1).rows(study(runs, swept=("learning_rate", "batch_size"))):
        assert row.where == ("S = 8" if row.sample is None else "S = 32") and row.where in row.quantity


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
    assert [row.quantity for row in rows(runs, swept=swept)] == ["max λ_K^1, smoothed; S = 32", "max λ_K^1; S = 32"]
