"""The pages of findings, from their folders alone: one of each, and one that sums them up."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count, product
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import jinja2
import pandas as pd

from breakeven.claims.catalogue import CLAIMS
from breakeven.claims.claim import Claim
from breakeven.claims.evidence import Role
from breakeven.claims.words import SMOOTHED
from breakeven.publish import markdown
from breakeven.publish.notes import notes_of
from breakeven.publish.published import Published
from breakeven.publish.values import Values, known_one
from breakeven.report.durations import duration
from breakeven.report.theories import sentences
from breakeven.report.verdicts import MARKS, MISSING, verdicts_view

HERE = Path(__file__).parent
PAGE = "index.md"
Column = tuple[str, str]  # of the summary: the names of a finding and of its study
QUESTIONS = {
    "paper": "What the paper found",
    "assumption": "What the paper's model assumes",
    "theories": "What stays at the edge of stability",
}


def page_of(finding: Published) -> str:
    """The page of a finding, in Markdown."""
    values = Values(finding)
    view = verdicts_view(finding.claims, finding.views, {})
    title, lesson, notes = notes_of(finding.folder, here=values)
    told = [(claim, _told(claim)) for claim in view["claims"]]
    raw = {(claim["name"], row["study"], row["quantity"]): row["raw"] for claim, rows in told for row in rows}
    return _render(
        "page.md.jinja",
        title=title or finding.name,
        lesson=lesson,
        notes=notes,
        about=finding.about,
        runs=finding.runs,
        verdicts=view,
        findings=[row | {"raw": raw.get((row["name"], row["study"], row["quantity"]))} for row in view["findings"]],
        claims=told,
        theories={study.name: sentences(values.rows, study.name) for study in finding.about.studies},
        beside=[(claim, row) for claim, rows in told for row in rows if MISSING not in (row["paper"], row["ours"])],
        diverged={name: int(runs["diverged"].sum()) for name, runs in finding.runs.items()},
        made=made_in_words(finding.made_with),
        committed_when=committed_when(finding),
    )


def summary_of(folder: Path, findings: Sequence[Published]) -> str:
    """The page that sums up the ``findings`` in ``folder``."""
    values = {finding.name: Values(finding) for finding in findings}
    views = {finding.name: verdicts_view(finding.claims, finding.views, {}) for finding in findings}
    notes = {finding.name: notes_of(finding.folder, here=values[finding.name]) for finding in findings}
    title, lesson, words = notes_of(folder, of=lambda name: values[known_one(name, values, "finding", "the notes")])
    columns = [(finding.name, study) for finding in findings for study in views[finding.name]["studies"]]
    tested = {claim["name"] for view in views.values() for claim in view["claims"]}
    return _render(
        "summary.md.jinja",
        title=title or "Findings",
        lesson=lesson,
        notes=words,
        findings=[(finding, *notes[finding.name][:2], made_in_words(finding.made_with)) for finding in findings],
        columns=columns,
        letters=dict(zip(columns, _letters(), strict=False)),
        matrices=[(head, _matrix(question, columns, views)) for question, head in QUESTIONS.items()],
        theories=[
            (finding.name, study.name, said)
            for finding in findings
            for study in finding.about.studies
            if (said := sentences(values[finding.name].rows, study.name))
        ],
        contradicted=list(_contradicted(columns, views)),
        few=[
            (finding.name, study.name, len(study.seeds)) for finding in findings for study in _with_few(finding, views)
        ],
        untested=[claim for claim in CLAIMS if claim.id not in tested],
        fewest=max((view["fewest"] for view in views.values()), default=0),
    )


def _letters() -> Iterator[str]:
    """What columns are called: A to Z, then AA and so on."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))


def made_in_words(made: pd.DataFrame) -> dict[str, str]:
    """What a finding was made with, as text: jobs, time, days, and the distinct commits, versions and machines."""
    known = made.dropna(subset=["finished"])
    machines = known[["processor", "cores"]].dropna().drop_duplicates()

    def distinct(column: str) -> str:
        return ", ".join(dict.fromkeys(known[column].dropna().astype(str)))

    silent = int(made["jobs"][made["finished"].isna()].sum())
    return {
        "jobs": str(int(made["jobs"].sum())),
        "silent": str(silent) if silent else "",
        "time": duration(float(made["s"].sum())),
        "processor_time": duration(float(made["cpu_time"].sum())),
        "first": "" if known.empty else str(known["started"].min()),
        "last": "" if known.empty else str(known["finished"].max()),
        "machines": "; ".join(f"{name}, {int(cores)} cores" for name, cores in machines.to_numpy().tolist()),
        "gpu": distinct("gpu"),
        "commits": distinct("commit"),
        "versions": "; ".join(f"{name} {distinct(name)}" for name in ("breakeven", "python", "torch")),
    }


def committed_when(finding: Published) -> str:
    """Whether its config was committed before its first run was trained, in words; empty where a run does not say when."""
    trained = finding.made_with[finding.made_with["stage"] == "train"]
    if trained.empty or trained["finished"].isna().any() or not finding.about.config_commit:
        return ""
    first = datetime.fromisoformat(trained["started"].min())
    is_before = datetime.fromisoformat(finding.about.config_committed) < first
    return f"{'before' if is_before else 'after'} the first run was trained"


def _told(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a claim that its page shows: those on which verdicts rest, and those that the paper leaves open.

    ``raw``: the row of the same test on curves that are not smoothed, where that came out another way; else None.
    """
    told = [row for row in claim["rows"] if row["role"] != Role.ROBUSTNESS.value and row["finding"] != MISSING]
    raw = {(row["study"], row["quantity"]): row for row in claim["rows"] if row["role"] == Role.ROBUSTNESS.value}

    def other(row: dict[str, Any]) -> dict[str, Any] | None:
        found = raw.get((row["study"], row["quantity"].replace(SMOOTHED, "")))
        return found if found and found["verdict"] != row["verdict"] and row["role"] == Role.PRIMARY.value else None

    return [row | {"raw": other(row)} for row in told]


def _contradicted(
    columns: Sequence[Column], views: dict[str, dict[str, Any]]
) -> Iterator[tuple[Claim, list[tuple[Column, dict[str, Any]]], int, int]]:
    """Each claim of the paper that a test contradicts: column and row of each such test, in how many studies, of how many."""
    by_claim = _by_claim(views)
    for claim in CLAIMS:
        testing = [
            (column, by_claim[column[0]][claim.id])
            for column in columns
            if column[1] in by_claim[column[0]].get(claim.id, {"cells": {}})["cells"]
        ]
        cases = [
            (column, row)
            for column, told in testing
            for row in _told(told)
            if row["study"] == column[1] and row["verdict"] == "contradicted"
        ]
        if claim.question == "paper" and cases:
            yield claim, cases, len({column for column, _ in cases}), len(testing)


def _by_claim(views: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {name: {claim["name"]: claim for claim in view["claims"]} for name, view in views.items()}


def _matrix(
    question: str, columns: Sequence[Column], views: dict[str, dict[str, Any]]
) -> list[tuple[Claim, list[tuple[str, dict[str, str]] | None]]]:
    """For each claim of a question that is tested somewhere: in each column the finding and its cell, or None."""
    by_claim = _by_claim(views)
    rows = []
    for claim in CLAIMS:
        cells = [by_claim[name].get(claim.id, {"cells": {}})["cells"].get(study) for name, study in columns]
        if claim.question == question and any(cells):
            named = [(name, cell) if cell else None for (name, _), cell in zip(columns, cells, strict=True)]
            rows.append((claim, named))
    return rows


def _with_few(finding: Published, views: dict[str, dict[str, Any]]) -> list[Any]:
    """Its studies that have fewer seeds than a verdict takes."""
    return [study for study in finding.about.studies if len(study.seeds) < views[finding.name]["fewest"]]


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub and the site make it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def count_of(number: int | str, one: str) -> str:
    """So many: 1 seed, 8 seeds."""
    return f"{number} {one}" if int(number) == 1 else f"{number} {one}s"


def _marked(text: str) -> str:
    """What the tests of a study say, "mixed: 5 inconclusive, 1 contradicted", with a mark for each word, beside its count."""
    for verdict, mark in MARKS.items():
        text = text.replace(f" {verdict}", f"\u00a0{mark}")
    return text.removeprefix("mixed: ")


def _environment() -> jinja2.Environment:
    """Templates of Markdown, in which nothing is escaped; a name that is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "prose": markdown.prose,
        "cell": lambda text: markdown.prose(str(text)).replace("|", r"\|"),
        "alt": lambda text: markdown.plain(str(text)),
        "anchor": anchor,
        "marked": _marked,
    }
    environment.globals |= {"marks": MARKS, "count": count_of}
    return environment


def _render(template: str, **known: Any) -> str:
    return _environment().get_template(template).render(**known)
