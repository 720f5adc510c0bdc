"""The sentences that the report begins with: their words never say another side than their numbers do."""

import math
import re

import calibrate_claims
import numpy as np
import pytest
from simulated_studies import study, sweep

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim, finding
from breakeven.claims.evaluate import verdicts
from breakeven.claims.evidence import Evidence, Unit, few, from_points, from_seeds, times
from breakeven.claims.hypothesis_tests import LEVEL
from breakeven.claims.trends import Trend

C1 = next(claim for claim in CLAIMS if claim.id == "C1.lambda_H.learning_rate")


def sentence(numbers):
    rows = verdicts([study(sweep(numbers, "lambda_H_1"))])
    return next(row for row in rows.to_dict("records") if row["claim"] == C1.id)


def test_a_finding_says_what_the_numbers_say_whichever_way_the_paper_expects():
    down = sentence({0.03: [5.4 + i / 100 for i in range(12)], 0.3: [1.0] * 12})
    assert down["finding"] == "A 10 times larger learning rate keeps the largest curvature λ_H^1 5.5 times smaller"
    assert down["verdict"] == "supported"
    up = sentence({0.03: [1.0] * 12, 0.3: [5.4 + i / 100 for i in range(12)]})
    assert up["finding"] == "A 10 times larger learning rate makes the largest curvature λ_H^1 5.5 times larger"
    assert up["verdict"] == "contradicted"
    none = sentence({0.03: [1.0] * 12, 0.3: [1.07 * (1.2 if i % 3 else 0.8) for i in range(12)]})
    assert none["finding"].startswith("A 10 times larger learning rate has no clear effect on the largest curvature")
    assert none["observed"] == "no clear direction" and not re.search("larger curvature|smaller", none["finding"])


def test_less_than_half_more_is_told_in_per_cent():
    assert (times(1.07), times(0.93), times(0.7), times(5.41), times(1 / 120)) == (
        "7 %",
        "7 %",
        "30 %",
        "5.4 times",
        "120 times",
    )
    assert (few(0.0932), few(-1.5), few(1234.5), few(math.inf)) == ("0.093", "−1.5", "1234", "∞")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_has_a_title_and_a_sentence_for_each_outcome(claim):
    assert 10 < len(claim.title) < 60
    assert set(claim.test.findings) == {-1, 0, 1} and len(set(claim.test.findings.values())) == 3
    uses_about = any("{about}" in text for text in claim.test.findings.values())
    assert bool(claim.about) == uses_about


def test_a_report_begins_with_some_of_them():
    assert 6 <= sum(claim.main for claim in CLAIMS) <= 10


@pytest.mark.parametrize("world", calibrate_claims.WORLDS, ids=lambda world: f"{world.claims}: {world.words}")
def test_in_every_world_words_and_numbers_lie_on_one_side(world):
    """The sentence of an outcome is taken if and only if the test decides, and the effect lies on its side."""
    random = np.random.default_rng(1)
    claim = next(claim for claim in CLAIMS if claim.id.startswith(world.claims))
    for _ in range(2):
        for row in claim.test.rows(calibrate_claims.study(world.draw(random), world.swept)):
            decided = row.sample is not None and row.sample.p_value <= LEVEL
            told = finding(claim, row, decided)
            assert bool(told) == (row.sample is not None) and "{" not in told
            if told:
                begins = [claim.test.findings[side] for side in (-1, 0, 1)]
                likeness = [is_made_from(told, text) for text in begins]
                assert likeness[1 + (row.sample.direction if decided else 0)]
                assert few(row.effect) in told or times_in(row) in told or not row.places.keys().isdisjoint(PLACES)


PLACES = {"doubled", "points"}  # numbers that are made from the effect


def times_in(row):
    return row.unit.places(row.effect)["size"]


def is_made_from(told, text):
    """Whether a sentence has all the words of a form."""
    fixed = [part for part in re.split(r"\{\w+\}", text) if part.strip()]
    return all(part.lower() in told.lower() for part in fixed)


@pytest.mark.parametrize("unit", [Unit.RATIO, Unit.DIFFERENCE, Unit.CORRELATION])
def test_what_is_decided_is_never_against_the_effect(unit):
    random = np.random.default_rng(0)
    for _ in range(300):
        values = np.round(random.normal(random.normal(0, 0.5), 1, random.integers(1, 15)), 1)  # with ties at zero
        row = from_seeds("x", values, unit)
        neutral = 1 if unit is Unit.RATIO else 0
        if row.sample.p_value <= 0.05:
            assert row.sample.direction == np.sign(row.effect - neutral) != 0
            low, high = row.interval(0.05)
            assert low > neutral or high < neutral


def test_of_points_too():
    random = np.random.default_rng(0)
    for _ in range(200):
        x = np.round(random.normal(size=8))
        row = from_points("x", x, 0.7 * x + random.normal(size=8), 3)
        if row.sample.p_value <= 0.05:
            assert row.sample.direction == np.sign(row.effect) != 0


def test_nothing_tested_nothing_said():
    claim = Claim("x", "words", Trend("lambda_K_1", "learning_rate", -1), "")
    assert finding(claim, Evidence("x", note="why"), False) == ""
