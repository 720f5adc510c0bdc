"""Stage ``claims``: a verdict on each claim of the catalogue, for each study that can tell, in ``claims.csv``."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.claims import catalogue
from breakeven.claims.catalogue import CLAIMS, Claim
from breakeven.claims.correlations import early_correlation, generalization, predicted_maximum
from breakeven.claims.early_switch import switch
from breakeven.claims.evidence import Evidence, join
from breakeven.claims.hypothesis_tests import INCONCLUSIVE, adjusted, verdict
from breakeven.claims.quantities import StudyTables, read_study
from breakeven.claims.ratios import batch_norm, peak, predicted_point
from breakeven.claims.trends import trend
from breakeven.store.progress import progress
from breakeven.store.tables import write_table

# how each kind of test in the catalogue is carried out: the rows of a claim for a study; none where the study lacks the runs
KINDS: dict[type, Callable[[Claim, Any, StudyTables], Iterator[Evidence]]] = {
    catalogue.Trend: trend,
    catalogue.EarlyCorrelation: early_correlation,
    catalogue.Peak: peak,
    catalogue.PredictedMaximum: predicted_maximum,
    catalogue.PredictedPoint: predicted_point,
    catalogue.BatchNorm: batch_norm,
    catalogue.Switch: switch,
    catalogue.Generalization: generalization,
}

COLUMNS = [
    "claim",
    "study",
    "quantity",
    "expected",
    "observed",
    "effect",
    "ci_low",
    "ci_high",
    "p_value",
    "n_seeds",
    "verdict",
    "paper_value",
    "our_value",
    "p_adjusted",
    "figure",
    "note",
]


def evaluate(tables: Path, studies: Sequence[dict[str, Any]], out: Path) -> None:
    """Write the verdicts from the tables of ``studies`` in the folder ``tables``.

    Each study has the keys ``name`` and ``swept``; rows are in the order of the catalogue, then in that of the studies.
    """
    rows = verdicts([read_study(tables, study) for study in studies])
    write_table(out, rows, float_format="%.6g")


def verdicts(studies: Sequence[StudyTables], claims: Sequence[Claim] = CLAIMS) -> pd.DataFrame:
    """The rows of ``claims.csv``. A claim that no study can tell of has a row without a study."""
    found = [row for claim in progress(claims, "test claims", unit="claim") for row in _rows(claim, studies)]
    # where the paper does not say what to expect, there is nothing to decide, and nothing to correct for
    tested = [index for index, (claim, _, row) in enumerate(found) if claim.expected and not math.isnan(row.p_value)]
    corrected = dict(zip(tested, adjusted([found[index][2].p_value for index in tested]), strict=True))
    return pd.DataFrame(
        [_cells(claim, study, row, corrected.get(index)) for index, (claim, study, row) in enumerate(found)],
        columns=COLUMNS,
    )


def _rows(claim: Claim, studies: Sequence[StudyTables]) -> Iterator[tuple[Claim, str, Evidence]]:
    """What each study says of a claim, in the order of the studies."""
    told = [
        (claim, study.name, row)
        for study in studies
        if claim.test.applies(study.swept)
        for row in KINDS[type(claim.test)](claim, claim.test, study)
    ]
    yield from told or [(claim, "", Evidence("", note=f"no study {claim.test.needs}"))]


def _cells(claim: Claim, study: str, row: Evidence, p_adjusted: float | None) -> dict[str, Any]:
    return {
        "claim": claim.id,
        "study": study,
        "quantity": row.quantity,
        "expected": claim.expected,
        "observed": row.observed,
        "effect": row.effect,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
        "p_value": row.p_value,
        "n_seeds": row.n_seeds,
        "verdict": INCONCLUSIVE if p_adjusted is None else verdict(p_adjusted, row.as_expected),
        "paper_value": claim.paper_value,
        "our_value": row.our_value,
        "p_adjusted": p_adjusted,
        "figure": claim.figure,
        "note": join(
            [row.note, "the paper does not say what to expect" if row.observed and not claim.expected else ""]
        ),
    }
