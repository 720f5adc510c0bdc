"""Stage ``claims``: a verdict on each claim of the catalogue, for each study that can tell, in ``claims.csv``."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim, finding
from breakeven.claims.evidence import Evidence, Role
from breakeven.claims.hypothesis_tests import LEVEL, Sample, adjusted, shared_level, verdict
from breakeven.claims.sampling import with_sampling
from breakeven.claims.study_tables import StudyTables, has_accuracy, read_study
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
    "role",
    "ci_level",
    "unit",
    "where",
    "finding",
]
NO_ACCURACY = "the data set has numbers to predict and no classes, so that there is no accuracy"
DESCRIPTIVE = "descriptive"  # the role of a row about which the paper says nothing


def evaluate(tables: Path, studies: Sequence[Study], out: Path) -> None:
    """Write the verdicts from the tables of ``studies`` in the folder ``tables``.

    Rows are in the order of the catalogue, then in that of the studies.
    """
    rows = verdicts([read_study(tables, study) for study in studies])
    write_table(out, rows, float_format="%.6g")


def verdicts(studies: Sequence[StudyTables], claims: Sequence[Claim] = CLAIMS) -> pd.DataFrame:
    """The rows of ``claims.csv``. A claim that no study can tell of has a row without a study.

    The rows of each question (`Claim.question`) are judged, and have their intervals, at the level that its primary tests share,
    see `shared_level`: those that as many seeds, or points, could decide, and about which the paper says something. So what the
    paper found is not harder to confirm since other questions are asked at many settings.
    """
    found = [row for claim in progress(claims, "test claims", unit="claim") for row in _rows(claim, studies)]
    levels: dict[str, float] = {}
    corrected: dict[int, float] = {}
    for question in {claim.question for claim in claims}:
        of_question = [(index, claim, row) for index, (claim, _, row) in enumerate(found) if claim.question == question]
        counted = {index: row.sample for index, claim, row in of_question if _counts(claim, row)}
        p_values = {index: sample.p_value for index, sample in counted.items() if sample}
        levels[question] = shared_level(list(p_values.values()))
        corrected |= dict(zip(p_values, adjusted(list(p_values.values())), strict=True))
    return pd.DataFrame(
        [
            _cells(claim, study, row, levels[claim.question], corrected.get(index))
            for index, (claim, study, row) in enumerate(found)
        ],
        columns=COLUMNS,
    )


def _counts(claim: Claim, row: Evidence) -> bool:
    """Whether its test is one of those that there is a correction for."""
    primary = row.role is Role.PRIMARY and bool(claim.expected)
    return primary and row.sample is not None and row.sample.can_decide(LEVEL)


def _rows(claim: Claim, studies: Sequence[StudyTables]) -> Iterator[tuple[Claim, str, Evidence]]:
    """What each study says of a claim, in the order of the studies."""
    told = [
        (claim, tables.study.name, _explained(with_sampling(row, tables) if claim.by_equation_1 else row, tables))
        for tables in studies
        if claim.test.applies(tables.study.compared)
        for row in claim.test.rows(tables)
    ]
    yield from told or [(claim, "", Evidence("", note=f"no study {claim.test.needs}"))]


def _explained(row: Evidence, tables: StudyTables) -> Evidence:
    """``row``, which says so where it has nothing since there is no accuracy."""
    if row.sample is None and "accuracy" in row.quantity and not has_accuracy(tables):
        return replace(row, note=NO_ACCURACY)
    return row


def _cells(claim: Claim, study: str, row: Evidence, level: float, p_adjusted: float | None) -> dict[str, Any]:
    sample = row.sample
    decided = sample is not None and sample.p_value <= level
    low, high = row.interval(level)
    return {
        "claim": claim.id,
        "study": study,
        "quantity": row.quantity,
        "expected": claim.expected,
        "observed": _observed(claim, sample, decided),
        "effect": row.effect,
        "ci_low": low,
        "ci_high": high,
        "p_value": sample.p_value if sample else math.nan,
        "n_seeds": row.seeds,
        "verdict": verdict(
            decided and bool(claim.expected), sample is not None and sample.direction == claim.test.direction
        ),
        "paper_value": claim.paper_value,
        "our_value": row.our_value,
        "p_adjusted": p_adjusted,
        "figure": claim.figure if row.figure is None else row.figure,
        "note": joined([row.note, *_undecided(claim, sample, decided, level)]),
        "role": row.role.value if claim.expected else DESCRIPTIVE,
        "ci_level": 1 - level,
        "unit": row.unit.value if sample else "",
        "where": row.where,
        "finding": finding(claim, row, decided),
    }


def _observed(claim: Claim, sample: Sample | None, decided: bool) -> str:
    if sample is None:
        return ""
    return claim.test.outcomes[sample.direction] if decided else "no clear direction"


def _undecided(claim: Claim, sample: Sample | None, decided: bool, level: float) -> Iterator[str]:
    """Why there is no verdict, and what it would take."""
    if sample is None:
        return
    if not claim.expected:
        yield "the paper does not say what to expect"
    elif not decided:
        yield sample.what_would_decide(level)
