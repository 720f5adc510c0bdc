"""The catalogue is complete, and each of its claims can be told of."""

from collections import Counter

import pytest

from breakeven.claims.assumptions import Typical
from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.correlations import EarlyCorrelation
from breakeven.claims.early_switch import EarlySwitch
from breakeven.claims.edge import AtTheEdge
from breakeven.claims.study_tables import EMPTY_WITH
from breakeven.claims.trends import Trend
from breakeven.figures.registry import FIGURES
from breakeven.specs.measurements import QUANTITIES, RUN_COLUMNS


def test_every_claim_of_the_paper_that_the_tables_can_test():
    directions = {
        (c.test.quantity, c.test.hyperparameter): c.test.direction for c in CLAIMS if isinstance(c.test, Trend)
    }
    # C1 and C2 as paper.md has them, for a larger learning rate
    of_learning_rate = {
        "lambda_K_1": -1,
        "lambda_H_1": -1,
        "lambda_star_over_lambda_1": 1,
        "trace_over_lambda_1": 1,
        "trace_K": -1,
        "trace_H": -1,
        "trace_H_over_lambda_1": 1,  # by the estimated trace, and by the paper's sum of five
        "trace_top_5_H_over_lambda_1": 1,
        "lambda_K_star": 0,  # the claim is of the ratio
    }
    assert directions == {(quantity, "learning_rate"): sign for quantity, sign in of_learning_rate.items()} | {
        (quantity, "batch_size"): -sign for quantity, sign in of_learning_rate.items()
    }
    others = Counter(type(c.test).__name__ for c in CLAIMS if not isinstance(c.test, Trend))
    assert others == {
        "EarlyCorrelation": 2,
        "Peak": 2,
        "PredictedMaximum": 1,
        "PredictedPoint": 1,
        "BatchNorm": 3,
        "EarlySwitch": 3,
        "Parting": 1,
        "Generalization": 2,
        "Typical": 5,
        "Proportional": 1,
        "Falls": 1,
        "AtTheEdge": 4,
    }


def test_ids_are_unique():
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_well_formed(claim):
    assert claim.words.endswith(".") and len(claim.words) > 40
    assert set(claim.test.outcomes) == {1, -1} and all(claim.test.outcomes.values()) and claim.test.needs
    assert bool(claim.expected) == (claim.test.direction != 0)
    assert claim.figure in {"", *FIGURES}
    along_runs, of_runs = {each.name for each in QUANTITIES}, {each.name for each in RUN_COLUMNS}
    if isinstance(claim.test, EarlyCorrelation):
        assert {claim.test.x, claim.test.y} <= along_runs and claim.test.until in of_runs
    quantity = getattr(claim.test, "quantity", None)
    # its largest value is taken where no value is missing, which a column of runs.csv must tell
    if isinstance(claim.test, EarlySwitch | AtTheEdge):
        assert quantity in along_runs
    elif isinstance(claim.test, Typical):
        assert quantity in along_runs | of_runs
    elif quantity is not None:
        assert quantity in of_runs or (quantity in along_runs and EMPTY_WITH[quantity] in of_runs)


@pytest.mark.parametrize(
    ("swept", "kinds"),
    [
        ([], set()),
        (["momentum"], {"PredictedMaximum"}),
        (["learning_rate"], {"Trend", "PredictedMaximum", "Generalization", "Parting"}),
        (["schedule"], {"EarlySwitch", "Generalization"}),
        (["learning_rate", "network"], {"Trend", "PredictedMaximum", "Generalization", "BatchNorm", "Parting"}),
    ],
)
def test_which_studies_a_claim_is_about(swept, kinds):
    of_any = {"AtTheEdge", "EarlyCorrelation", "Peak", "PredictedPoint", "Typical", "Proportional", "Falls"}
    assert {type(claim.test).__name__ for claim in CLAIMS if claim.test.applies(swept)} == kinds | of_any
    trends = {
        claim.test.hyperparameter for claim in CLAIMS if isinstance(claim.test, Trend) and claim.test.applies(swept)
    }
    assert trends == set(swept) & {"learning_rate", "batch_size"}
