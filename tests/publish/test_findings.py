"""The findings of this repository: each page is what its tables say, and each number in a person's words is taken from them."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from breakeven.publish.publish import pages
from breakeven.publish.published import FILE, read_published

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/findings"
FINDINGS = sorted(path.parent for path in FOLDER.glob(f"*/{FILE}"))
NOTES = sorted(FOLDER.rglob("notes.md.jinja"))
NAMED = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)  # what is taken from the tables
# numbers that are part of a name: of a symbol, an equation, a figure, a data set, a network, a threshold
NAMES = re.compile(
    r"[λe]_[KH]\^1|‖g_5‖|Eqs?\. 1|[Ff]igures? \d\w?( and \d\w?)?|CIFAR-10|ResNet-32|[12]/η|2\(1 [−+] β\)/η|`[^`]*`|\]\([^)]*\)"
)
MOST_BYTES = 12e6  # of all findings together


def test_there_are_some():
    assert FINDINGS and FOLDER / "index.md" in pages(FOLDER)


@pytest.mark.parametrize("path", [*(folder / "index.md" for folder in FINDINGS), FOLDER / "index.md"], ids=str)
def test_a_page_is_what_its_tables_say(path):
    """So no number on it was typed. After an edit of notes: breakeven publish docs/findings."""
    assert path.read_text(encoding="utf-8") == pages(FOLDER)[path]


def typed_numbers(notes):
    """The numbers in a person's words that are neither taken from the tables nor part of a name."""
    return re.findall(r"\d[\d.,]*", NAMES.sub("", NAMED.sub("", notes)))


def test_a_typed_number_is_seen():
    assert typed_numbers('λ_H^1 falls by 30 %, η = {{ here.effect("C1", "rate") }} 0.1; Eq. 1, CIFAR-10, 2/η') == [
        "30",
        "0.1",
    ]


def settings(finding):
    """The values of η, S and β that runs of a finding have, as words write them."""
    columns = {"η": "learning_rate", "S": "batch_size", "β": "momentum"}
    return {
        f"{symbol} = {value:g}"
        for symbol, column in columns.items()
        for name, runs in finding.runs.items()
        for value in (
            runs[column]
            if column in runs
            else [
                float(next(iter(study.settings.get(column, "0").split())))
                for study in finding.about.studies
                if study.name == name
            ]
        )
    }


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.parent.name)
def test_no_number_is_typed(path):
    """But those of settings, which must be settings of a run."""
    text = NAMED.sub("", path.read_text(encoding="utf-8"))
    named = set(re.findall(r"[ηSβ] = [\d.]*\d", text))
    known = [path.parent] if (path.parent / FILE).is_file() else FINDINGS
    assert named <= set().union(*(settings(read_published(folder)) for folder in known))
    for setting in sorted(named, key=len, reverse=True):
        text = text.replace(setting, "")
    assert typed_numbers(text) == []


@pytest.mark.parametrize("folder", FINDINGS, ids=lambda folder: folder.name)
def test_the_config_was_committed_before_the_first_run(folder):
    finding = read_published(folder)
    trained = finding.made_with[finding.made_with["stage"] == "train"]
    first = datetime.fromisoformat(trained["started"].min())
    assert finding.about.config_commit and datetime.fromisoformat(finding.about.config_committed) < first
    assert trained["finished"].notna().all()  # each says when and on what it ran


@pytest.mark.parametrize("folder", FINDINGS, ids=lambda folder: folder.name)
def test_it_holds_tables_and_no_weights(folder):
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes <= {".md", ".csv", ".gz", ".svg", ".json", ".yaml", ".jinja"}


def test_they_are_a_few_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < MOST_BYTES
