"""The findings of this repository: each page is what its tables say, and each number in a person's words is taken from them."""

import re
from datetime import datetime
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from breakeven.figures.labels import label
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


def typed_in_braces(notes):
    """What stands in braces and is no call of ``here.``, of ``of(…).``, or of a macro of the notes."""
    tree = jinja2.Environment().parse(notes)
    macros = {macro.name for macro in tree.find_all(nodes.Macro)}

    def is_named(node):
        if not isinstance(node, nodes.Call):
            return False
        if isinstance(node.node, nodes.Name):
            return node.node.name in macros
        of = getattr(node.node, "node", None)
        is_known = getattr(getattr(of, "node", of), "name", None) in ("here", "of")
        return is_known and (node.node.attr != "ratio" or all(map(is_named, node.args)))

    shown = [node for output in tree.find_all(nodes.Output) for node in output.nodes]
    return [node for node in shown if not isinstance(node, nodes.TemplateData) and not is_named(node)]


@pytest.mark.parametrize(
    "words",
    [
        "{{ 30 }}",
        '{{ "30" }}',
        '{{ "30" | string }}',
        '{{ here.p("C1", "rate") ~ "0" }}',
        '{{ here.ratio("3", "7") }}',
        "{% set x = 30 %}{{ x }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(30) }}",
    ],
)
def test_a_number_typed_in_braces_is_seen(words):
    assert typed_in_braces(words)


def test_what_is_taken_from_tables_may_stand_in_braces():
    assert not typed_in_braces(
        '{% set rate = "rate" %}{% macro m(x) %}{{ here.p(x, rate) }}{% endmacro %}{{ m("C1") }} {{ of("one").p("C1", "rate") }} '
        '{{ here.ratio(m("C1"), here.paper("C1", "η = 0.1")) }}'
    )


def settings(finding):
    """The values of η, S and β that runs of a finding have, as words write them."""
    found = set()
    for study in finding.about.studies:
        runs = finding.runs[study.name]
        momentum = runs["momentum"] if "momentum" in runs else [study.settings.get(label("momentum"), 0)]
        values = {"η": runs["learning_rate"], "S": runs["batch_size"], "β": momentum}
        found |= {f"{symbol} = {float(value):g}" for symbol, column in values.items() for value in column}
    return found


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.parent.name)
def test_no_number_is_typed(path):
    """But those of settings, which must be settings of a run."""
    assert typed_in_braces(path.read_text(encoding="utf-8")) == []
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
