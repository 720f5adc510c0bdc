"""Stage ``claims``: a verdict on each claim of the catalogue, for each study that can tell, in ``claims.csv``."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim
from breakeven.claims.evidence import Evidence
from breakeven.claims.hypothesis_tests import INCONCLUSIVE, adjusted, verdict
from breakeven.claims.study_tables import StudyTables, read_study
from breakeven.claims.words import joined
from breakeven.specs.study import Study
from breakeven.store.progress import progress
from breakeven.store.tables import write_table

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


def evaluate(tables: Path, studies: Sequence[Study], out: Path) -> None:
    """Write the verdicts from the tables of ``studies`` in the folder ``tables``.

    Rows are in the order of the catalogue, then in that of the studies.
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
        (claim, tables.study.name, row)
        for tables in studies
        if claim.test.applies(tables.study.compared)
        for row in claim.test.rows(tables)
    ]
    yield from told or [(claim, "", Evidence("", note=f"no study {claim.test.needs}"))]


def _cells(claim: Claim, study: str, row: Evidence, p_adjusted: float | None) -> dict[str, Any]:
    observed = "" if row.direction is None else claim.test.outcomes.get(row.direction, "neither")
    as_expected = row.direction == claim.test.direction
    return {
        "claim": claim.id,
        "study": study,
        "quantity": row.quantity,
        "expected": claim.expected,
        "observed": observed,
        "effect": row.effect,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
        "p_value": row.p_value,
        "n_seeds": row.n_seeds,
        "verdict": INCONCLUSIVE if p_adjusted is None else verdict(p_adjusted, as_expected),
        "paper_value": claim.paper_value,
        "our_value": row.our_value,
        "p_adjusted": p_adjusted,
        "figure": claim.figure,
        "note": joined([row.note, "the paper does not say what to expect" if observed and not claim.expected else ""]),
    }
