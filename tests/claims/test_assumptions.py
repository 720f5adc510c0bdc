"""What the model of the early phase assumes: a number of each run, beside a threshold."""

import math

import pytest
from simulated_studies import run, study

from breakeven.claims.assumptions import Falls, Proportional, Typical
from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import finding

SEEDS = range(6)


def row(test, runs):
    [found] = test.rows(study(runs))
    return found


def test_the_median_until_break_even():
    curve = [0.1, 0.9, 0.9, 0.2, 0.2]  # after the break-even point at epoch 2, it is something else
    runs = [run(seed, {"alignment": curve}, break_even_epoch=2.0) for seed in SEEDS]
    test = Typical("alignment", 0.5, 1)
    found = row(test, runs)
    assert found.effect == pytest.approx(0.9) and found.sample.p_value == 2 / 64
    assert test.outcomes[found.sample.direction] == "above 0.5" and found.our_value == "0.9 to 0.9 (6 runs)"
    assert row(Typical("alignment", 0.95, 1), runs).sample.direction == -1
    assert row(test, runs[:1]).our_value == "0.9 (1 run)"


def test_a_run_without_break_even_has_no_early_phase():
    runs = [run(seed, {"alignment": [0.9, 0.9]}) for seed in SEEDS]
    found = row(Typical("alignment", 0.5, 1), runs)
    assert found.sample is None and found.note.startswith("6 of 6 runs left out: no break-even point")


def test_what_is_0_counts():
    runs = [run(seed, {"alignment": [0.0] * 3}, break_even_epoch=2.0) for seed in SEEDS]
    found = row(Typical("alignment", 0.5, 1), runs)
    assert found.sample.direction == -1 and found.sample.p_value == 2 / 64


def test_a_column_of_the_runs():
    runs = [run(seed, lambda_K_over_lambda_H_spread=1.2) for seed in SEEDS]
    assert row(Typical("lambda_K_over_lambda_H_spread", 1.5, -1), runs).sample.direction == -1


@pytest.mark.parametrize(("slope", "direction"), [(1.0, 1), (0.6, 1), (1.4, 1), (0.0, -1), (2.0, -1), (-1.0, -1)])
def test_the_slope_is_1_or_close_to_it(slope, direction):
    runs = [
        run(seed, lambda_K_lambda_H_slope=slope + 0.01 * (seed % 3 - 1), lambda_K_over_lambda_H=0.5) for seed in SEEDS
    ]
    found = row(Proportional(), runs)
    assert found.effect == pytest.approx(slope) and found.sample.direction == direction
    assert found.sample.p_value == 2 / 64 and found.our_value.endswith("α = 0.5 to 0.5 (6 runs)")


def test_the_curvature_after_unstable_steps_alone():
    curves = {
        "stability_lhs": [0.5, 1.0, math.inf, 0.9],
        "lambda_H_1": [1.0, 10.0, 20.0, 5.0],
        "curvature_after_step": [2.0, 8.0, 16.0, 10.0],
    }
    found = row(Falls(), [run(seed, curves) for seed in SEEDS])
    assert found.effect == pytest.approx(0.8) and found.sample.direction == -1
    assert found.note == "after stable steps: 2 to 2 (6 runs)"
    claim = next(claim for claim in CLAIMS if claim.id == "assumption.falls")
    assert finding(claim, found, decided=True) == (
        "After an unstable step, the curvature along e_H^1 is 0.8 times that before (after stable steps: 2): it falls "
        "(η = 0.1)"
    )


def test_what_falls_as_much_after_stable_steps_says_so():
    curves = {"stability_lhs": [2.0, 0.5], "lambda_H_1": [1.0, 1.0], "curvature_after_step": [0.5, 0.49]}
    claim = next(claim for claim in CLAIMS if claim.id == "assumption.falls")
    told = finding(claim, row(Falls(), [run(seed, curves) for seed in SEEDS]), decided=True)
    assert "is 0.5 times that before (after stable steps: 0.49): it falls" in told
    curves = {"stability_lhs": [2.0], "lambda_H_1": [1.0], "curvature_after_step": [0.5]}
    told = finding(claim, row(Falls(), [run(seed, curves) for seed in SEEDS]), decided=True)
    assert "is 0.5 times that before: it falls" in told


def test_a_curvature_that_falls_below_0_falls():
    curves = {"stability_lhs": [2.0], "lambda_H_1": [1.0], "curvature_after_step": [-3.0]}
    assert row(Falls(), [run(seed, curves) for seed in SEEDS]).sample.direction == -1


def test_runs_that_are_never_unstable_say_nothing():
    curves = {"stability_lhs": [0.5], "lambda_H_1": [1.0], "curvature_after_step": [0.5]}
    found = row(Falls(), [run(seed, curves) for seed in SEEDS])
    assert found.sample is None and "no unstable step" in found.note


def of_two_sizes(small, large):
    """Runs of two batch sizes, each with columns and curves of its own."""
    sizes = ((8, small), (32, large))
    runs = [run(seed, **{"batch_size": size, **words}) for size, words in sizes for seed in SEEDS]
    return study(runs, swept=("batch_size", "learning_rate"))


WHERE = ["S = 8, η = 0.1", "S = 32, η = 0.1"]


def test_a_row_for_each_setting():
    """On average the slope is 1, which it is nowhere."""
    rows = list(Proportional().rows(of_two_sizes({"lambda_K_lambda_H_slope": 0.0}, {"lambda_K_lambda_H_slope": 2.0})))
    assert [row.effect for row in rows] == [0, 2] and [row.sample.direction for row in rows] == [-1, -1]
    assert [row.where for row in rows] == WHERE and rows[0].quantity.endswith("until break-even; S = 8, η = 0.1")

    def curves(middle):
        return {"curves": {"alignment": [middle] * 3}, "break_even_epoch": 2.0}

    rows = list(Typical("alignment", 0.5, 1).rows(of_two_sizes(curves(0.9), curves(0.1))))
    assert [row.effect for row in rows] == pytest.approx([0.9, 0.1]) and [row.where for row in rows] == WHERE

    def after(change, stable):
        steps = {"stability_lhs": [2.0, 0.5], "lambda_H_1": [1.0, 1.0], "curvature_after_step": [change, stable]}
        return {"curves": steps}

    rows = list(Falls().rows(of_two_sizes(after(0.5, 1.0), after(1.5, 2.0))))
    assert [row.effect for row in rows] == pytest.approx([0.5, 1.5]) and [row.where for row in rows] == WHERE
    assert [row.note for row in rows] == ["after stable steps: 1 to 1 (6 runs)", "after stable steps: 2 to 2 (6 runs)"]


def test_a_setting_without_numbers_says_so():
    unknown, known = Proportional().rows(of_two_sizes({}, {"lambda_K_lambda_H_slope": 1.0}))
    assert unknown.sample is None and unknown.where == "S = 8, η = 0.1"
    assert unknown.note == "6 of 6 runs left out: no break-even point, or too few measured steps until there"
    assert known.effect == 1 and known.note == ""
