"""The pages of findings: what stands on them, from a folder whose numbers are known."""

import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from breakeven.publish.page import anchor
from breakeven.publish.publish import pages, publish, write_pages
from breakeven.store.errors import UserError
from tests.publish.example import NOTES, put_finding


@pytest.fixture
def folder(tmp_path):
    put_finding(tmp_path / "one")
    put_finding(tmp_path / "two", notes="")
    return tmp_path


def page(folder, name):
    return pages(folder)[folder / name]


def test_a_page(folder):
    text = page(folder, "one/index.md")
    assert text.startswith(
        "# What η does\n\n**$\\lambda_H^{1}$ is 0.25 times as large.**\n\n- Study *rate*: What of rate? 3 runs, of which 1"
    )
    assert "3 runs, of which 1 diverged: " in text and "- Study *size*: What of size? 1 run: " in text
    found, _, made_of_it = text.partition("## What is made of it")
    assert made_of_it.startswith("\n\nThe second paragraph, 50.5.\n\nThe third.\n\n") and "## What was found" in found
    assert "## Figures" not in text  # there are none
    assert "- It | falls: ✓ supported, p < 0.001, 8 seeds." in text
    assert (
        "- It falls at 0.1: ✗ contradicted, p = 0.002, 8 seeds, and supported without smoothing (study size; oth"
        in text
    )
    assert "others: 1 supported)." in text
    assert "| It \\| falls |" in text  # in a table
    assert "| 1.54 (η = 0.1) | 0.87 (η = 0.1) |" in text
    assert "Raw" not in text  # robustness
    assert "| It falls at 0.1 (**without smoothing** ✓ supported: 7 (1.5 to 2.5)) |" in text
    assert "| It rises at 0.3 |" in text  # as without smoothing
    assert "5 jobs took 1 h 01 min together (30 min 33 s of processors), from 2026-01-01T10:00:00Z to" in text
    assert "A Processor, 2 cores; Another, 16 cores; GPU: An H100." in text
    assert "Commit of the code: abc, def. 1 of the jobs did not say when and on what they ran." in text
    assert "changed in 1234567, on 2026-01-01T00:00:00+00:00" in text
    assert "2026-01-01T00:00:00+00:00." in text  # a run was trained one does not know when
    assert "breakeven 0.1.0; python 3.11.7; torch 2.13.0." in text


def test_a_page_without_notes(folder):
    text = page(folder, "two/index.md")
    assert text.startswith("# two\n\n- Study *rate*")


@pytest.mark.parametrize(("day", "words"), [("01", "before"), ("03", "after")])
def test_a_page_says_whether_the_config_is_older(folder, day, words):
    path, about = folder / "one/made_with.csv", folder / "one/published.json"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if ",,,,,," not in line))
    about.write_text(about.read_text().replace("2026-01-01T", f"2026-01-{day}T"))
    assert f"on 2026-01-{day}T00:00:00+00:00, {words} the first run was trained." in page(folder, "one/index.md")


def test_a_page_of_jobs_that_said_nothing(folder):
    path = folder / "two/made_with.csv"
    path.write_text("".join(path.read_text().splitlines(True)[i] for i in (0, 2)))
    text = page(folder, "two/index.md")
    assert "1 jobs took 1 min 00 s together (30.0 s of processors). 1 of the jobs did not say when" in text
    assert "- [two](two/index.md): Studies: **C** rate, **D** size; 1 min 00 s of jobs.\n" in page(folder, "index.md")


def test_a_page_without_tests(folder):
    path = folder / "two/claims.csv"
    path.write_text(path.read_text().splitlines(True)[0])
    assert "Intervals are at" not in page(folder, "two/index.md")


def test_the_summary(folder):
    text = page(folder, "index.md")
    assert "- [What η does](one/index.md): $\\lambda_H^{1}$ is 0.25 times as large. Studies: **A**" in text
    heads = next(line for line in text.splitlines() if line.startswith("| claim"))
    assert heads == "| claim | [A](one/index.md) | [B](one/index.md) | [C](two/index.md) | [D](two/index.md) | "
    assert (
        "Studies: **A** rate, **B** size; 1 h" in text
        and "[two](two/index.md): Studies: **C** rate, **D** size; 1 h" in text
    )
    row = next(line for line in text.splitlines() if "is larger for larger S" in line and "H" in line)
    of_one, of_two = (f"[±]({name}/index.md#c1lambda_hbatch_size) 1\u00a0✗, 1\u00a0✓" for name in ("one", "two"))
    assert row == f"| $\\lambda_H^{{1}}$ is larger for larger S |  | {of_one} |  | {of_two} | "
    paper, _, assumptions = text.partition("## What the paper's model assumes")
    assert "falls after an unstable step" not in paper and "falls after an unstable step" in assumptions
    contradicted = text.partition("## What contradicts the paper")[2].partition("##")[0]
    assert contradicted == (
        "\n\n- **$\\lambda_H^{1}$ is larger for larger S**: contradicted in 2 of the 2 studies that test it. "
        "[B](one/index.md#c1lambda_hbatch_size): It falls at 0.1; effect 0.5 (0.4 to 0.6), p = 0.002, 8 seeds "
        "(without smoothing supported); also [D](two/index.md#c1lambda_hbatch_size): 0.5 (0.4 to 0.6), p = 0.002, 8 seeds "
        "(without smoothing supported).\n\n"
    )
    assert "- Not tested anywhere: batch norm does not repair Tr(K)" in text


def test_each_mark_leads_to_a_heading(folder):
    text, page_of_one = page(folder, "index.md"), page(folder, "one/index.md")
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", page_of_one, re.MULTILINE)}
    led = re.findall(r"\(one/index\.md#([^)]+)\)", text)
    assert led and set(led) <= headings


def test_a_number_in_the_tables_is_another_page(folder):
    """So that a page that was typed, or is old, is seen to be."""
    before = page(folder, "one/index.md")
    path = folder / "one/claims.csv"
    path.write_text(path.read_text().replace(",0.25,", ",0.26,"))
    assert page(folder, "one/index.md") == before.replace("0.25", "0.26")


def test_words_that_no_longer_hold_are_refused(folder):
    notes = folder / "one/notes.md.jinja"
    notes.write_text(NOTES + '{{ here.says("C1.lambda_K.learning_rate", "rate", "contradicted") }}')
    with pytest.raises(UserError, match="is contradicted in study rate, and it is supported"):
        pages(folder)


def test_pages_are_written_anew(folder):
    write_pages(folder)
    (folder / "one/index.md").write_text("typed")
    assert publish(folder) == f"written: {folder}/index.md, and the pages of its findings"
    assert (folder / "one/index.md").read_text() == page(folder, "one/index.md")


def test_a_folder_without_findings(tmp_path):
    with pytest.raises(UserError, match="holds no findings"):
        publish(tmp_path)


def test_a_folder_of_something_else_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("x")
    with pytest.raises(UserError, match="holds something else than a finding"):
        publish(tmp_path / "results", tmp_path / "mine")
    assert (tmp_path / "mine/thesis.tex").is_file()


@pytest.mark.parametrize("name", ["mine.txt", "rate/mine.csv", "rate/more/lambda_H.svg", "rate/notes.md.jinja"])
def test_what_a_person_put_beside_a_finding_stays(folder, name):
    path = folder / "one" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    (folder / "one/.DS_Store").write_text("")  # which is nobody's
    with pytest.raises(UserError, match=rf"something else than a finding \({name}\)"):
        publish(folder / "results", folder / "one")


def test_a_page_beside_it_that_is_no_summary_stays(tmp_path):
    (tmp_path / "index.md").write_text("# Documentation")
    with pytest.raises(UserError, match=r"would take the place of '.*/index\.md'"):
        publish(tmp_path / "results", tmp_path / "one")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a (b)", "a b"])
def test_a_name_that_is_no_part_of_an_address(tmp_path, name):
    with pytest.raises(UserError, match=r"a finding can't be called '.*', which is part of addresses"):
        publish(tmp_path / "results", Path(name) if not name else tmp_path / name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "one").write_text("")
    with pytest.raises(UserError, match="is no folder"):
        publish(tmp_path / "results", tmp_path / "one")


def test_the_earlier_one_comes_back_where_the_new_one_cannot_be_put(folder, monkeypatch):
    def rename(path, target, really=Path.rename):
        if Path(target) == folder / "one" and path.name == "one":
            raise OSError("no")
        return really(path, target)

    monkeypatch.setattr("breakeven.publish.publish.collect", lambda results, made: put_finding(made, notes=""))
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="no"):
        publish(folder / "results", folder / "one")
    assert (folder / "one/notes.md.jinja").read_text() == NOTES


KILLED = """
import os, signal, sys
from pathlib import Path
from breakeven.publish import publish
from tests.publish.example import put_finding

def rename(path, target, really=Path.rename):
    if target.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    return really(path, target)

publish.collect = lambda results, made: put_finding(made, notes="")
Path.rename = rename
publish.publish(Path("results"), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("until", ["old", "one"])
def test_nothing_is_lost_where_it_is_killed(folder, monkeypatch, until):
    command = [sys.executable, "-c", KILLED, folder / "one", until]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (folder / "one").exists() == (until == "old")
    (folder / ".one.two.abcdefgh").mkdir()  # of another, that may be at work
    monkeypatch.setattr("breakeven.publish.publish.collect", lambda results, made: put_finding(made, notes=""))
    publish(folder / "results", folder / "one")
    assert (folder / "one/notes.md.jinja").read_text() == NOTES
    assert {path.name for path in folder.iterdir()} == {"one", "two", "index.md", ".one.two.abcdefgh"}


def test_the_only_finding_comes_back_where_it_is_killed(tmp_path, monkeypatch):
    """Its summary is that of a finding, although there is none."""
    put_finding(tmp_path / "one")
    write_pages(tmp_path)
    assert subprocess.run([sys.executable, "-c", KILLED, tmp_path / "one", "one"], check=False).returncode != 0
    assert not (tmp_path / "one").exists()
    monkeypatch.setattr("breakeven.publish.publish.collect", lambda results, made: put_finding(made, notes=""))
    publish(tmp_path / "results", tmp_path / "one")
    assert (tmp_path / "one/notes.md.jinja").read_text() == NOTES


@pytest.mark.parametrize("name", [".one.original", ".one.settings"])
def test_what_a_person_called_like_a_leftover_stays(folder, monkeypatch, name):
    mine = folder / name / "thesis.tex" if name == ".one.original" else folder / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("x")
    monkeypatch.setattr("breakeven.publish.publish.collect", lambda results, made: put_finding(made, notes=""))
    publish(folder / "results", folder / "one")
    assert mine.read_text() == "x"


def test_a_second_one_waits_for_the_first(folder, monkeypatch):
    """It would take the first one's folder for a leftover."""
    first_has_collected, second_goes_on = threading.Event(), threading.Event()

    def collect(results, made):
        put_finding(made, notes="")
        if results.name == "first":
            first_has_collected.set()
            second_goes_on.wait(10)

    monkeypatch.setattr("breakeven.publish.publish.collect", collect)
    monkeypatch.setattr("breakeven.jobs.locks.say", lambda told: second_goes_on.set())  # it waits
    with ThreadPoolExecutor() as pool:
        first = pool.submit(publish, folder / "first", folder / "one")
        assert first_has_collected.wait(10)
        second = pool.submit(publish, folder / "second", folder / "one")
        second.add_done_callback(lambda future: second_goes_on.set())
        told = f"published: {folder}/one/index.md, and the summary {folder}/index.md"
        assert {first.result(), second.result()} == {told}
    assert {path.name for path in folder.iterdir()} == {"one", "two", "index.md"}
    assert (folder / "one/notes.md.jinja").read_text() == NOTES


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("claims.csv", None, "one' lacks claims.csv: publish it again"),
        ("rate/runs.csv", None, "one' lacks rate/runs.csv: publish it again"),
        ("rate/trajectories.csv.gz", None, "one' lacks rate/trajectories.csv.gz: publish it again"),
        ("published.json", '{"studies": [', "published.json' is no published finding"),
        ("published.json", '{"studies": [{}]}', "published.json' is no published finding"),
        ("claims.csv", "clam\n", "claims.csv' has no column 'claim', 'study', 'effect'"),
        ("made_with.csv", "", "made_with.csv' is no table"),
        ("size/runs.csv", "run\n", "size/runs.csv' has no column 'seed', 'diverged': publish it again"),
    ],
)
def test_a_damaged_finding_is_named(folder, name, text, words):
    path = folder / "one" / name
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError) as error:
        pages(folder)
    assert words in str(error.value) and str(error.value).endswith(": publish it again from its results folder")


def test_nothing_is_left_where_publishing_fails(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match="nothing was planned in the results folder"):
        publish(tmp_path / "results", tmp_path / "findings/one")
    assert not any((tmp_path / "findings").iterdir())
