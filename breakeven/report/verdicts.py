"""The verdicts on the paper's claims, from ``claims.csv``: what was found, in sentences and claim by study, and each test."""

from collections import Counter
from typing import Any

import pandas as pd

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim
from breakeven.claims.evidence import Role
from breakeven.claims.hypothesis_tests import LEVEL, fewest_seeds
from breakeven.claims.words import SMOOTHED

VERDICTS = ("supported", "contradicted", "inconclusive")
MARKS = {"supported": "✓", "contradicted": "✗", "inconclusive": "?", "mixed": "±", "descriptive": "·"}
MISSING = "–"
FEW = 3  # a study with fewer seeds shows no rows of dashes
BY_ID = {claim.id: claim for claim in CLAIMS}


def told_rows(table: pd.DataFrame, views: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows of ``claims.csv``, the ``table``, that are of a study of the page: in the order of claims, then of its studies.

    Of a study with few seeds only those that they can decide, as they rest on the points of a sweep.
    """
    places = {view["name"]: place for place, view in enumerate(views)}
    few = {view["name"] for view in views if len(view["seeds"]) < FEW}
    rows = table[table["study"].isin(places) & ~(table["study"].isin(few) & table["p_adjusted"].isna())]
    order = {claim.id: place for place, claim in enumerate(CLAIMS)}
    by = rows.assign(_claim=rows["claim"].map(order), _study=rows["study"].map(places))
    return by.sort_values(["_claim", "_study"], kind="stable").drop(columns=["_claim", "_study"])


def verdicts_view(everything: pd.DataFrame, views: list[dict[str, Any]], effects: dict[str, str]) -> dict[str, Any]:
    """What the template shows of ``claims.csv``: of the studies ``views``. ``effects``: of each unit, the figure of its effects.

    ``untested``: what no study of the page can tell, and why. ``few``: studies with few seeds, their number, and their places.
    """
    table = told_rows(everything, views)
    links = Links(views, effects)
    told = [(BY_ID[str(name)], _records(rows)) for name, rows in table.groupby("claim", sort=False)]
    claims = [_claim(claim, rows, links) for claim, rows in told if _tested(rows)]
    shown = [view["name"] for view in views if any(view["name"] in claim["cells"] for claim in claims)]
    untested = everything[everything["study"].isna()][["claim", "note"]].to_numpy().tolist()
    untested += [[claim.id, rows[0]["note"]] for claim, rows in told if not _tested(rows)]
    return {
        "claims": claims,
        "studies": shown,
        "findings": [_finding(claim, rows, links) for claim, rows in told if claim.main and _found(rows)],
        "level": " or ".join(f"{100 * level:.3g} %" for level in sorted(set(table["ci_level"]))) or MISSING,
        "fewest": fewest_seeds(LEVEL),
        "few": [
            (view["name"], len(view["seeds"]), place)
            for place, view in enumerate(views, start=1)
            if len(view["seeds"]) < FEW
        ],
        "untested": [(BY_ID[claim].words, note) for claim, note in untested],
    }


class Links:
    """Where verdicts lead: to the figure of the study that shows what was tested, or to that of all effects."""

    def __init__(self, views: list[dict[str, Any]], effects: dict[str, str]) -> None:
        self._shown = {(view["name"], figure["name"]): figure for view in views for figure in view["figures"]}
        self._effects = effects

    def of(self, row: dict[Any, Any]) -> str:
        """The address of the figure, on this page."""
        figure = self._shown.get((row["study"], row["figure"]))
        return f"#{figure['id']}" if figure else f"#{self._effects.get(row['unit'], 'verdicts')}"


def _claim(claim: Claim, rows: list[dict[Any, Any]], links: Links) -> dict[str, Any]:
    by_study: dict[str, list[dict[Any, Any]]] = {}
    for row in _tested(rows):
        by_study.setdefault(row["study"], []).append(row)
    return {
        "name": claim.id,
        "title": claim.title,
        "words": claim.words,
        "cells": {study: _cell(claim, of_study, links) for study, of_study in by_study.items()},
        "rows": [_row(row, links) for row in rows],
    }


def on_which_verdicts_rest(rows: pd.DataFrame) -> pd.DataFrame:
    """Those rows of ``claims.csv`` that `_tested` leaves, in their order."""
    of_claims = (_records(of_claim.reset_index()) for _, of_claim in rows.groupby("claim", sort=False))
    return rows.loc[[row["index"] for of_claim in of_claims for row in _tested(of_claim)]]


def _tested(rows: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Those on which the verdict of a study rests, or would if the paper said what to expect; not where nothing is tested."""
    by_role = [row for row in rows if row["role"] != Role.ROBUSTNESS.value and pd.notna(row["effect"])]
    smoothed = [row for row in by_role if SMOOTHED in row["quantity"]]
    return smoothed if smoothed and all(row["role"] == "descriptive" for row in by_role) else by_role


def _cell(claim: Claim, rows: list[dict[Any, Any]], links: Links) -> dict[str, str]:
    """One verdict for a study: that of all its tests of a claim, or how many say what."""
    words = [row["verdict"] if claim.expected else row["observed"] for row in rows]
    kind = (rows[0]["verdict"] if len(set(words)) == 1 else "mixed") if claim.expected else "descriptive"
    counts = Counter(words)
    text = words[0] if len(counts) == 1 else ", ".join(f"{count} {word}" for word, count in counts.items())
    if kind == "mixed":
        text = f"mixed: {text}"
    return {"kind": kind, "mark": MARKS[kind], "text": text, "link": links.of(rows[0]), "says": rows[0]["finding"]}


def _finding(claim: Claim, rows: list[dict[Any, Any]], links: Links) -> dict[str, Any]:
    """A claim's finding in the first study that can decide on it, and how its other tests came out."""
    first, *others = _found(rows)
    counts = Counter(row["verdict"] for row in others)
    agree = set(counts) == {first["verdict"]}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    number = "the other test" if len(others) == 1 else f"{len(others)} other tests"
    return {
        **_row(first, links),
        "name": claim.id,
        "others": f"as in {number}" if agree else f"others: {told}" if others else "",
    }


def _found(rows: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Those of the tests that `_tested` leaves that rest on more than a seed or two, first those that could decide."""
    tested = [row for row in _tested(rows) if row["n_seeds"] >= FEW or pd.notna(row["p_adjusted"])]
    return sorted(tested, key=lambda row: pd.isna(row["p_adjusted"]))


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    found: list[dict[Any, Any]] = rows.to_dict("records")
    return found


def _row(row: dict[Any, Any], links: Links) -> dict[str, str]:
    interval = f" ({number(row['ci_low'])} to {number(row['ci_high'])})" if pd.notna(row["ci_low"]) else ""
    descriptive = row["role"] == "descriptive"
    return {
        "verdict": "descriptive" if descriptive else row["verdict"],
        "text": "not claimed" if descriptive else row["verdict"],
        "mark": MARKS["descriptive" if descriptive else row["verdict"]],
        "role": row["role"],
        "study": row["study"],
        "quantity": row["quantity"],
        "finding": _text(row["finding"]),
        "link": links.of(row),
        "expected": _text(row["expected"]),
        "effect": number(row["effect"]) + interval,
        "p": p_value(row["p_adjusted"]),
        "seeds": number(row["n_seeds"]),
        "ours": _text(row["our_value"]),
        "paper": _text(row["paper_value"]),
        "note": "" if pd.isna(row["note"]) else str(row["note"]),
    }


def _text(value: Any) -> str:
    return MISSING if pd.isna(value) or value == "" else str(value)


def number(value: Any) -> str:
    """A number of the table, with three significant digits: 0.0123, 1220, 1.2e+06."""
    if pd.isna(value):
        return MISSING
    text = f"{float(value):.3g}"
    return f"{float(text):.0f}" if 1000 <= abs(float(text)) < 1e6 else text


def p_value(value: Any) -> str:
    """A p-value that goes on from 'p'; empty where it isn't among those that are corrected."""
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"
