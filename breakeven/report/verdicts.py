"""The verdicts on the paper's claims in words and numbers, as the template of the report shows them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.evidence import Role
from breakeven.claims.hypothesis_tests import LEVEL, fewest_seeds
from breakeven.store.tables import read_table

VERDICTS = ("supported", "contradicted", "inconclusive")
MARKS = {"supported": "✓", "contradicted": "✗", "inconclusive": "?"}
MISSING = "–"


def verdicts_view(path: Path, views: list[dict[str, Any]]) -> dict[str, Any]:
    """The claims of ``claims.csv``, each with its rows of studies; ``views``: the studies of the page, for links.

    ``tests`` and ``counts``: of the primary tests, on which the verdicts rest. ``untested``: what no study of the page can tell,
    and why.
    """
    everything = read_table(path)
    table = everything.dropna(subset="study")
    places = {view["name"]: number for number, view in enumerate(views, start=1)}
    figures = {view["name"]: {figure["name"] for figure in view["figures"]} for view in views}
    words = {claim.id: claim.words for claim in CLAIMS}
    claims = []
    for claim, rows in table.groupby("claim", sort=False):
        records: list[dict[Any, Any]] = rows.to_dict("records")
        of_studies = [_row(row, places, figures) for row in records]
        claims.append({"name": claim, "words": words[str(claim)], "rows": of_studies})
    primary = table[
        (table["role"] == Role.PRIMARY.value) & table["effect"].notna()
    ]  # and not where nothing was measured
    counts = Counter(primary["verdict"])
    untested = everything[everything["study"].isna()]
    return {
        "claims": claims,
        "counts": {verdict: counts[verdict] for verdict in VERDICTS},
        "tests": len(primary),
        "level": f"{100 * float(table['ci_level'].iloc[0]):.3g} %" if len(table) else MISSING,
        "fewest": fewest_seeds(LEVEL),
        "untested": [(words[claim], note) for claim, note in zip(untested["claim"], untested["note"], strict=True)],
    }


def _row(row: dict[str, Any], places: dict[str, int], figures: dict[str, set[str]]) -> dict[str, Any]:
    number = places[row["study"]]
    shown = row["figure"] in figures[row["study"]]
    interval = f" ({_number(row['ci_low'])} to {_number(row['ci_high'])})" if pd.notna(row["ci_low"]) else ""
    return {
        "verdict": row["verdict"],
        "mark": MARKS[row["verdict"]],
        "role": row["role"],
        "study": row["study"],
        "quantity": row["quantity"],
        "link": f"#figure-{number}-{row['figure']}" if shown else f"#study-{number}",
        "expected": _text(row["expected"]),
        "observed": _text(row["observed"]),
        "effect": _number(row["effect"]) + interval,
        "p": _p_value(row["p_adjusted"]),
        "seeds": _number(row["n_seeds"]),
        "ours": _text(row["our_value"]),
        "paper": _text(row["paper_value"]),
        "note": "" if pd.isna(row["note"]) else str(row["note"]),
    }


def _text(value: Any) -> str:
    return MISSING if pd.isna(value) or value == "" else str(value)


def _number(value: Any) -> str:
    return MISSING if pd.isna(value) else f"{float(value):.3g}"


def _p_value(value: Any) -> str:
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
