"""A verdict that rests on Eq. 1 says for which mini-batches it holds."""

import pytest
from simulated_studies import run, study

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.evaluate import verdicts
from breakeven.claims.sampling import EARLY, setting_and_sampling


def rows_of(sampling, swept=("learning_rate",)):
    """The rows of `verdicts` on 12 seeds of two learning rates, of mini-batches that are drawn so."""
    runs = [
        run(
            seed,
            {"lambda_H_1": [1, 2 / rate, 1], "lambda_K_1": [1, 3, 2]},
            learning_rate=rate,
            predicted_lambda_H=2.1 / rate,
            break_even_epoch=2,
            threshold_epoch=2,
            first_peak_step=10,
            final_test_accuracy=0.9 - rate + seed / 1000,
            **({} if each is None else {"sampling": each}),
        )
        for each in sampling
        for rate in (0.1, 0.3)
        for seed in range(12)
    ]
    return verdicts([study(runs, swept)])


def of(rows, claim):
    return rows[(rows["claim"] == claim) & (rows["study"] != "")].to_dict("records")


BY_EQUATION_1 = [claim.id for claim in CLAIMS if claim.by_equation_1]
TOLD = {"reshuffle": "reshuffled mini-batches", "replacement": "independent mini-batches"}


def test_which_claims_rest_on_it():
    assert BY_EQUATION_1 == [
        "early.lambda_K_lambda_H",
        "break_even.maximum",
        "break_even.point",
        "assumption.alignment",
        "assumption.variance",
        "assumption.proportional",
        "assumption.spread",
        "assumption.quadratic",
        "assumption.quadratic_mean",
        "assumption.falls",
        "theories.equation_1",
        "early_phase.lambda_K",
        "early_phase.lambda_H",
        "early_phase.test_accuracy",
        "generalization.break_even_epoch",
    ]


@pytest.mark.parametrize("sampling", TOLD)
def test_it_says_how_they_were_drawn(sampling):
    rows = rows_of([sampling])
    [point] = of(rows, "break_even.point")
    assert point["where"] == TOLD[sampling] and point["finding"].endswith(f"within 1.5 ({TOLD[sampling]})")
    for claim in BY_EQUATION_1:
        for row in of(rows, claim):
            assert TOLD[sampling] in row["where"] and (EARLY in row["note"]) == (sampling == "reshuffle")
    others = rows[~rows["claim"].isin(BY_EQUATION_1) & (rows["study"] != "")]
    assert len(others) > 10 and not others["where"].str.contains("mini-batches").any()
    assert not others["note"].str.contains("Eq. 1").any()


def test_where_it_is_swept_a_row_is_of_one_or_of_both():
    rows = rows_of(["replacement", "reshuffle"], ("learning_rate", "sampling"))
    [point] = of(rows, "break_even.point")  # of all runs
    assert point["where"] == "independent mini-batches and reshuffled mini-batches" and EARLY in point["note"]
    for row in of(rows, "generalization.break_even_epoch"):
        assert "sampling = " in row["quantity"] and "mini-batches" not in row["where"]
        assert (EARLY in row["note"]) == ("sampling = reshuffle" in row["quantity"])


@pytest.mark.parametrize("setting", ["", "S = 8, η = 0.1", "from 0.1; to 0.3"])
def test_the_setting_without_it(setting):
    for said in (*TOLD.values(), "independent mini-batches and reshuffled mini-batches"):
        assert setting_and_sampling(f"{setting}; {said}" if setting else said) == (setting, said)
    assert setting_and_sampling(setting) == (setting, "")


def test_tables_that_do_not_say_it_make_no_row_say_it():
    [point] = of(rows_of([None]), "break_even.point")
    assert point["where"] == "" and point["note"] == ""
