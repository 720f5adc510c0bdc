"""What stays at the edge: the factor between a quantity and its threshold once λ_H^1 stops growing, by hand."""

import math

import pytest
from simulated_studies import run, study

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.edge import FURTHEST, AtTheEdge
from breakeven.claims.evaluate import verdicts

TEST = AtTheEdge("batch_sharpness", "lower_plateau")
UPPER = AtTheEdge("batch_sharpness", "upper_plateau", apart_from="lower_plateau")


def of_seed(seed, values, threshold=20.0, peak=20.0, upper=None, **others):
    """Measured at steps 0, 10, 20 …"""
    curves = {"batch_sharpness": values, "lower_plateau": [threshold] * len(values)}
    curves["upper_plateau"] = [upper or threshold] * len(values)
    return run(seed, curves, first_peak_step=peak, **others)


def test_the_median_factor_from_the_first_peak_on_either_way():
    values = [1.0, 1.0, 20.0, 40.0, 10.0, 30.0, 16.0]  # from step 20 on: 1, 2, 1/2, 3/2, 4/5
    [row] = TEST.rows(study([of_seed(seed, values) for seed in range(8)], swept=()))
    assert row.effect == pytest.approx(1.5) and row.sample.null == pytest.approx(math.log(1.5))
    assert row.our_value == "1 (median ratio)" and row.seeds == 8 and row.note == ""


def test_a_row_for_each_setting():
    runs = [
        of_seed(seed, [20.0 * factor] * 6, learning_rate=eta, batch_size=size)
        for seed in range(8)
        for eta in (0.1, 0.3)
        for size, factor in ((8, 1.1), (32, 4.0))
    ]
    rows = list(TEST.rows(study(runs, swept=("batch_size", "learning_rate"))))
    assert [row.where for row in rows] == ["S = 8, η = 0.1", "S = 8, η = 0.3", "S = 32, η = 0.1", "S = 32, η = 0.3"]
    assert [row.effect for row in rows] == pytest.approx([1.1, 1.1, 4.0, 4.0])
    table = verdicts([study(runs, swept=("batch_size", "learning_rate"))], [claim_of("theories.batch_sharpness")])
    assert table["verdict"].tolist() == ["supported"] * 2 + ["contradicted"] * 2
    assert table["finding"].iloc[0] == (
        "At most steps once λ_H^1 stops growing, batch sharpness stays at 2/η: to a factor of 1.1, within 1.5 (S = 8, η = 0.1)"
    )
    assert table["quantity"].iloc[0] == "batch sharpness over 2/η: the factor between them; S = 8, η = 0.1"
    assert table["finding"].iloc[3] == (
        "Once λ_H^1 stops growing, it is not so that batch sharpness stays at 2/η: off by a factor of 4, more than 1.5 "
        "(S = 32, η = 0.3)"
    )


def test_with_momentum_the_plateau_is_named_with_it():
    runs = [of_seed(seed, [20.0] * 8, upper=380.0) for seed in range(8)]
    table = verdicts([study(runs, swept=())], [claim_of("theories.batch_sharpness")])
    assert table["quantity"].tolist() == ["batch sharpness over 2(1 − β)/η: the factor between them"]
    assert table["finding"].iloc[0].endswith("batch sharpness stays at 2(1 − β)/η: to a factor of 1, within 1.5")


def test_an_unclear_verdict_says_so_before_its_number():
    runs = [of_seed(seed, [20.0 * factor] * 6, upper=380.0) for seed, factor in enumerate([1.0, 4.0] * 4)]
    table = verdicts([study(runs, swept=())], [claim_of("theories.batch_sharpness")])
    assert table["finding"].tolist() == [
        "Once λ_H^1 stops growing, it is not clear whether batch sharpness stays at 2(1 − β)/η: off by a factor of 2, "
        "allowed is 1.5"
    ]


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        ("threshold", "λ_H^1 over the full-batch threshold: the factor between them"),
        ("break_even_curvature", "λ_H^1 over the threshold of Eq. 1: the factor between them"),
    ],
)
def test_what_is_over_what(threshold, words):
    curves = {"lambda_H_1": [20.0] * 8, threshold: [20.0] * 8, "batch_sharpness": [20.0] * 8}
    [row] = AtTheEdge("lambda_H_1", threshold).rows(study([run(0, curves, first_peak_step=10.0)], swept=()))
    assert row.quantity == words


def claim_of(name):
    return next(claim for claim in CLAIMS if claim.id == name)


def test_what_is_not_above_0_or_further_off_counts_as_a_hundred_times():
    [row] = TEST.rows(study([of_seed(seed, [-1.0, 0.0, -5.0, 0.0, -1.0, 1e9, -2.0]) for seed in range(8)], swept=()))
    assert row.effect == pytest.approx(FURTHEST)


WHY = "left out: λ_H^1 stops growing near no theory's threshold, or less than 4 measured steps before the end"


def test_runs_that_never_stop_growing_or_have_few_steps_after_are_left_out_and_told():
    runs = [of_seed(seed, [20.0] * 8) for seed in range(6)]
    runs += [of_seed(6, [20.0] * 8, peak=None), of_seed(7, [20.0] * 5)]
    [row] = TEST.rows(study(runs, swept=()))
    assert row.seeds == 6 and row.note == f"2 of 8 runs {WHY}"
    [row] = TEST.rows(study(runs[6:], swept=()))
    assert row.sample is None and row.note.startswith(f"2 of 2 runs {WHY}")


def test_a_run_that_is_stable_by_one_theory_and_at_the_edge_of_another_counts_against_the_one():
    """It has no break-even point, which is the one's own."""
    curves = {"batch_sharpness": [20.0] * 8, "lower_plateau": [20.0] * 8}
    curves |= {"lambda_H_1": [4.0] * 8, "break_even_curvature": [12.0] * 8}
    runs = [run(seed, curves, first_peak_step=20.0, break_even_step=None) for seed in range(8)]
    [row] = AtTheEdge("lambda_H_1", "break_even_curvature").rows(study(runs, swept=()))
    assert row.effect == pytest.approx(3) and row.seeds == 8


def test_a_run_that_comes_near_no_threshold_says_nothing():
    below, near = ([of_seed(seed, [20.0, 20.0, *[value] * 6]) for seed in range(8)] for value in (13.0, 14.0))
    [row] = TEST.rows(study(below, swept=()))
    assert row.sample is None and row.note.startswith(f"8 of 8 runs {WHY}")
    [row] = TEST.rows(study(near, swept=()))
    assert row.seeds == 8


def test_the_upper_plateau_is_tested_where_there_are_two():
    plain = study([of_seed(seed, [20.0] * 8) for seed in range(8)], swept=())
    assert list(UPPER.rows(plain)) == []
    both = study([of_seed(seed, [350.0] * 8, upper=380.0) for seed in range(8)], swept=())
    [row] = UPPER.rows(both)
    assert row.effect == pytest.approx(380 / 350)


def test_a_study_that_did_not_measure_batch_sharpness_has_no_row():
    runs = [run(seed, {"lambda_H_1": [20.0] * 8, "threshold": [20.0] * 8}, first_peak_step=10.0) for seed in range(8)]
    assert list(AtTheEdge("lambda_H_1", "threshold").rows(study(runs, swept=()))) == []
    table = verdicts([study(runs, swept=())], [claim_of("theories.full_batch")])
    assert table["note"].tolist() == [
        "no study measures batch sharpness (measurements: sharpness) where λ_H^1 stops growing"
    ]


def test_of_a_preconditioned_optimizer_the_preconditioned_curvature_counts():
    curves = {name: [20.0] * 8 for name in ("batch_sharpness", "threshold", "preconditioned_lambda_H_1")}
    runs = [run(seed, curves | {"lambda_H_1": [0.1] * 8}, first_peak_step=10.0) for seed in range(8)]
    [row] = AtTheEdge("lambda_H_1", "threshold").rows(study(runs, swept=()))
    assert row.effect == 1
    assert list(TEST.rows(study(runs, swept=()))) == []  # no plateau is known
