"""The stage as a whole: every claim has its rows, verdicts are corrected for their number, and nothing is guessed."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
from simulated_studies import run, study, sweep, tables

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.evaluate import COLUMNS, evaluate, verdicts
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.tables import write_table

QUANTITIES = [
    "lambda_K_1",
    "lambda_H_1",
    "lambda_star_over_lambda_1",
    "trace_over_lambda_1",
    "trace_K",
    "trace_H",
    "lambda_K_star",
    "alpha_star",
    "trace_H_over_lambda_1",
    "trace_top_5_H_over_lambda_1",
]
TRENDS = len([claim for claim in CLAIMS if claim.id.endswith(".learning_rate") and claim.expected])
POWERS = dict(zip(QUANTITIES, [-0.5, -0.7, 0.3, 0.2, -0.4, -0.6, -0.3, 0.1, 0.2, 0.1], strict=True))


def as_in_the_paper(seeds=8, noise=0.02):
    """Runs that show what the paper claims: maxima are powers of η; λ_K^1 and λ_H^1 grow to break-even, α* falls."""
    random = np.random.default_rng(0)
    shape = {"alpha_star": [8.0, 6, 5, 4, 3, 2, 2.1, 2.2]}
    return [
        run(
            seed,
            {
                quantity: [
                    value * eta**power * math.exp(noise * random.normal())
                    for value in shape.get(quantity, [1.0, 2, 3, 4, 5, 6, 3, 3])
                ]
                for quantity, power in POWERS.items()
            },
            learning_rate=eta,
            first_peak_step=50,
            break_even_epoch=3.0 + seed % 3 + 0.1 / eta,
            break_even_lambda_H=5.5 * eta**-0.7 * math.exp(noise * random.normal()),
            predicted_lambda_H=5.5 * eta**-0.7,
            threshold_epoch=5.5 + 0.4 * seed,
            final_test_accuracy=0.9 + 0.02 * math.log(eta) + 0.001 * random.normal(),
        )
        for seed in range(seeds)
        for eta in (0.1, 0.2, 0.3, 0.5, 1.0)
    ]


def of_the_model(rows):
    """The claims on what the model assumes, of which these runs show nothing; `test_calibration` has their worlds."""
    return rows["claim"].str.startswith("assumption.")


def of(rows, claim):
    return rows[rows["claim"] == claim]


def test_every_claim_that_holds_is_supported():
    rows = verdicts([study(as_in_the_paper())])
    told = rows[(rows["study"] != "") & (rows["expected"] != "") & ~of_the_model(rows)]
    assert set(told["verdict"]) == {"supported"}
    assert set(told["observed"]) == {*told["expected"]}
    assert len(told) == 2 * TRENDS + 2 + 4 + 2 + 1 + 3  # trends; along runs; peaks; Eq. 1; accuracy
    assert told["effect"].between(told["ci_low"], told["ci_high"]).all()
    primary = told[told["role"] == "primary"]
    assert len(primary) == TRENDS + 2 + 2 + 1 + 1 + 2
    assert (primary["p_adjusted"] >= primary["p_value"]).all() and (primary["p_adjusted"] <= 0.05).all()
    assert told["p_adjusted"][told["role"] == "robustness"].isna().all()  # they are not counted
    [effect, _] = of(rows, "C1.lambda_K.learning_rate")["effect"]
    assert effect == pytest.approx(10**-0.5, rel=0.1)


def test_every_claim_has_a_row_in_order():
    rows = verdicts([study(as_in_the_paper(), name="b"), study(as_in_the_paper(), name="a")])
    assert list(rows["claim"].unique()) == [claim.id for claim in CLAIMS]
    assert list(rows.columns) == COLUMNS
    for claim in CLAIMS:
        names = list(of(rows, claim.id)["study"])
        assert names == sorted(names, reverse=True)  # as the studies were given
        if not claim.test.applies(["learning_rate"]):
            [row] = of(rows, claim.id).to_dict("records")
            assert (row["study"], row["verdict"]) == ("", "inconclusive")
            assert row["note"] == f"no study {claim.test.needs}"


def test_the_opposite_is_contradicted():
    upside_down = [r | {"learning_rate": 1 / r["learning_rate"]} for r in as_in_the_paper()]
    rows = verdicts([study(upside_down)])
    trends = rows[rows["claim"].str.match(r"C[12].*learning_rate") & (rows["expected"] != "")]
    assert set(trends["verdict"]) == {"contradicted"} and len(trends) == 2 * TRENDS


def test_without_an_expectation_there_is_no_verdict():
    for row in of(verdicts([study(as_in_the_paper())]), "C2.lambda_star.learning_rate").to_dict("records"):
        assert (row["verdict"], row["expected"], row["observed"]) == ("inconclusive", "", "falls with η")
        assert row["p_value"] < 0.01 and math.isnan(row["p_adjusted"]) and row["role"] == "descriptive"
        assert row["note"] == "the paper does not say what to expect"


def noisy():
    """Runs of which some claims hold."""
    random = np.random.default_rng(1)
    return [
        r | {"curves": {q: [v * random.lognormal(0, 0.7) for v in c] for q, c in r["curves"].items()}}
        for r in as_in_the_paper()
    ]


def test_what_the_paper_found_is_not_corrected_for_other_questions():
    """As many tests of assumptions as there are settings, all of them noise, leave the verdicts on the paper as they are."""
    of_paper = [claim for claim in CLAIMS if claim.question == "paper"]
    assert {claim.question for claim in CLAIMS} == {"paper", "assumption", "theories"}
    draws = np.random.default_rng(0)
    tables = study([each | {"lambda_K_lambda_H_slope": draws.normal(1.5)} for each in noisy()])
    alone, together = verdicts([tables], of_paper), verdicts([tables])
    told = together[together["claim"].isin([claim.id for claim in of_paper])].reset_index(drop=True)
    others = together[~together["claim"].isin(told["claim"])]
    assert others["p_adjusted"].notna().any()
    pd.testing.assert_frame_equal(alone, told)


def test_p_values_are_corrected_for_their_number():
    """By Benjamini and Hochberg's formula: the smallest of p·m/rank over all ranks from its own on."""
    rows = verdicts([study(noisy())])
    primary = rows[rows["p_adjusted"].notna()]
    assert set(primary["role"]) == {"primary"}
    p = sorted(primary["p_value"])
    assert len(p) == TRENDS + 8 and max(p) > 0.05
    for value, corrected in primary[["p_value", "p_adjusted"]].itertuples(index=False):
        by_hand = min(q * len(p) / (rank + 1) for rank, q in enumerate(p) if q >= value)
        assert corrected == pytest.approx(min(1, by_hand))
    assert ((primary["verdict"] != "inconclusive") == (primary["p_adjusted"] <= 0.05)).all()


def test_interval_verdict_and_words_are_never_at_odds():
    """An interval, at the level of the verdicts, is beside 'no effect' if and only if there is a verdict."""
    rows = verdicts([study(noisy())])
    nothing = {"C1": 1, "C2": 1, "peak": 1, "early": 0, "generalization": 0}
    seen = set()
    for row in rows[rows["study"] != ""].to_dict("records"):
        kind = row["claim"].partition(".")[0]
        if kind not in nothing:
            continue
        beside = row["ci_low"] > nothing[kind] or row["ci_high"] < nothing[kind]
        assert (row["observed"] != "no clear direction") == beside
        assert (row["verdict"] != "inconclusive") == (beside and row["role"] != "descriptive")
        if row["verdict"] == "inconclusive" and row["role"] != "descriptive":
            assert "seeds agree" in row["note"] or "points of the sweep" in row["note"]
        seen.add((row["role"], beside))
    assert {("primary", True), ("primary", False), ("robustness", True), ("robustness", False)} <= seen
    questions = rows["claim"].map({claim.id: claim.question for claim in CLAIMS})
    assert (rows.groupby(questions)["ci_level"].nunique() == 1).all() and rows["ci_level"].between(0.95, 1).all()


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_too_few_seeds_decide_nothing_and_correct_nothing(seeds):
    few = study([r for r in as_in_the_paper(seeds) if r["learning_rate"] in (0.1, 0.3, 1.0)], name="few")
    rows = verdicts([few])
    told = rows[(rows["study"] != "") & ~of_the_model(rows)]
    assert set(rows["verdict"]) == {"inconclusive"} and rows["p_adjusted"].isna().all()
    assert told["effect"].notna().all() and told["ci_low"].isna().all()
    decidable = told[told["role"] != "descriptive"]
    words = f"{seeds} of {seeds} seeds agree: about 6 would decide|3 points of the sweep; at least 5 are needed"
    assert decidable["note"].str.contains(words).all()
    enough = study(as_in_the_paper(), name="enough")
    alone, both = verdicts([enough]), verdicts([few, enough])
    columns = ["claim", "quantity", "p_value", "p_adjusted", "ci_low", "verdict"]
    told = alone[alone["study"] == "enough"][columns].reset_index(drop=True)
    assert told.equals(both[both["study"] == "enough"][columns].reset_index(drop=True))


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([run(seed) for seed in range(3)], id="empty trajectories"),
        pytest.param([r | {"diverged": True} for r in as_in_the_paper()], id="all diverged"),
        pytest.param([r | {"learning_rate": 0.1} for r in as_in_the_paper()[::3]][:1], id="one run"),
        pytest.param(sweep({0.1: [math.nan] * 3, 0.3: [math.nan] * 3}), id="NaN"),
        pytest.param(sweep({0.1: [math.inf] * 3, 0.3: [0.0] * 3}, "lambda_H_1"), id="infinite and zero"),
        pytest.param(
            [r | {"network": name, "schedule": "[]"} for r in sweep({0.1: [1.0] * 3}) for name in ("a", "a_bn")],
            id="one value, constant",
        ),
    ],
)
@pytest.mark.parametrize(
    "swept", [[], ["learning_rate"], ["batch_size", "learning_rate"], ["network", "learning_rate"], ["schedule"]]
)
def test_what_cannot_be_computed_is_inconclusive_with_the_reason(runs, swept):
    lacking = {"network": "a", "schedule": "[]"}
    runs = [lacking | r | {"learning_rate": r["learning_rate"] if "learning_rate" in swept else 0.1} for r in runs]
    runs = [r for i, r in enumerate(runs) if not any(
        all(r[k] == s[k] for k in [*swept, "seed"]) for s in runs[:i])]  # fmt: skip
    rows = verdicts([study(runs, swept)])
    assert set(rows["claim"]) == {claim.id for claim in CLAIMS}
    assert set(rows["verdict"]) == {"inconclusive"}
    assert (rows["note"] != "").all()
    assert rows["p_adjusted"].isna().all()


def test_the_file(tmp_path):
    folder = tmp_path / "tables/main"
    folder.mkdir(parents=True)
    for name, table in zip(("runs", "trajectories"), tables(as_in_the_paper()), strict=True):
        write_table(folder / f"{name}.csv", table)
    out = tmp_path / "tables/claims.csv"
    described = [Study("main", swept=("learning_rate",))]
    evaluate(tmp_path / "tables", described, out)
    first = out.read_bytes()
    with out.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert ",".join(lines[0]) == (
        "claim,study,quantity,expected,observed,effect,ci_low,ci_high,p_value,n_seeds,verdict,paper_value,our_value,"
        "p_adjusted,figure,note,role,ci_level,unit,where,finding"
    )
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    row = rows[0]
    assert (row["claim"], row["study"], row["n_seeds"], row["verdict"]) == (
        "C1.lambda_K.learning_rate",
        "main",
        "8",
        "supported",
    )
    expected = verdicts([study(as_in_the_paper())])["effect"][0]
    assert row["effect"] == f"{expected:.6g}"
    assert rows[-1]["note"] == "" and all("nan" not in line for line in map(",".join, lines))
    untold = next(row for row in rows if row["study"] == "")
    assert [untold[name] for name in ("effect", "ci_low", "ci_high", "p_value", "p_adjusted", "n_seeds")] == [
        "",
        "",
        "",
        "",
        "",
        "0",
    ]
    evaluate(tmp_path / "tables", described, out)
    assert out.read_bytes() == first  # the same numbers give the same bytes


def test_a_missing_study(tmp_path):
    with pytest.raises(UserError, match=r"main.runs\.csv' is missing"):
        evaluate(tmp_path, [Study("main")], tmp_path / "claims.csv")
    assert not (tmp_path / "claims.csv").exists()
