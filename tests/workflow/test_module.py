"""The pipeline as a module of another workflow, which gives the config and calls the handlers."""

import shutil

import pytest
import yaml

from tests.workflow.project import Project, measure, studies_again, train

pytestmark = pytest.mark.workflow

SNAKEFILE = """\
configfile: "mine.yaml"

module spectra:
    snakefile: "../project/Snakefile"
    config: config["spectra"]

use rule * from spectra as spectra_*

rule count:
    default_target: True
    input: "results/tables/rate/runs.csv", "results/report.html",
    output: "rows.txt"
    shell: "wc -l < {input[0]} > {output}"

onstart:
    spectra.onstart()
onsuccess:
    spectra.onsuccess()
onerror:
    spectra.onerror()
"""


@pytest.fixture
def outer(project):
    """A workflow of a user's own, beside the finished project, with a copy of its results."""
    folder = project.folder.with_name("outer")
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    (folder / "mine.yaml").write_text(yaml.safe_dump({"spectra": config, "else": 3}, sort_keys=False))
    shutil.copytree(project.folder / "results", folder / "results", symlinks=True)
    return Project(folder)


def here(jobs):
    """The jobs, by the names that rules have in the pipeline itself."""
    return {job.removeprefix("spectra_") for job in jobs}


def test_results_are_found_again_and_only_what_an_edit_affects_is_made(outer):
    runs = outer.runs_with(learning_rate=0.3)
    assert here(outer.plan()) == {"count"}
    assert here(outer.plan("spectra_all")) == set()
    outer.edit("- 0.3\n", "- 0.5\n", "mine.yaml")
    new = outer.new_runs(runs, learning_rate=0.5)
    expected = train(new) | measure(new) | studies_again("rate") | {"count"}
    assert here(outer.plan()) == expected
    before = outer.tables()
    assert here(outer.run()) == expected
    assert here(outer.plan()) == set() == here(outer.plan("spectra_all"))
    assert (outer.folder / "rows.txt").read_text().strip() == "5"

    # the handlers wrote the plan and the config down, and a rule may be forced by the name that it has here
    assert "planned from results/config.yaml" in outer.breakeven("status").stdout
    assert yaml.safe_load((outer.folder / "results/config.yaml").read_text())["studies"]["rate"]["sweeps"] == {
        "learning_rate": [0.1, 0.5]
    }
    assert here(outer.plan("-R", "spectra_evaluate_claims")) == {"evaluate_claims", "write_report", "count"}
    outer.edit("- 0.5\n", "- 0.3\n", "mine.yaml")
    assert here(outer.run()) == studies_again("rate") | {"count"}
    after = outer.tables()
    assert {name: after[name] for name in before if "benchmarks" not in name} == before


def test_what_it_can_not_do_is_told_in_a_sentence(outer):
    outer.edit("onstart:\n    spectra.onstart()\n", "", "Snakefile")
    (outer.folder / "results/report.html").unlink()
    said = outer.snakemake("--cores", "1", "--show-failed-logs")
    assert said.returncode == 1 and "must call its handlers: onstart: spectra.onstart()" in said.stdout
    outer.edit('config: config["spectra"]', 'config: config["spectra"]\n    prefix: "mine"', "Snakefile")
    assert "module spectra: no prefix, please" in outer.snakemake("-n").stdout
    outer.edit('\n    prefix: "mine"', "", "Snakefile")
    outer.edit("learning_rate: 0.1", "learning_rate: fast", "mine.yaml")
    said = outer.snakemake("-n").stdout
    assert "config of module spectra: studies.rate.base.learning_rate: " in said and "Traceback" not in said
    outer.edit('config: config["spectra"]', 'config: "other.yaml"', "Snakefile")
    assert "other.yaml: there is no such file" in outer.snakemake("-n").stdout
