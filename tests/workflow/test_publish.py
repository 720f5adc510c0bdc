"""A finding, from the results of a real run of the workflow; stale results are refused."""

import subprocess
import sys

import pytest

from breakeven.jobs.locks import acquire
from breakeven.jobs.results_folder import LOCK
from breakeven.publish.publish import pages
from breakeven.publish.published import read_published
from tests.workflow.project import FIGURES, STUDIES

pytestmark = pytest.mark.workflow


def publish(project, *arguments):
    command = [sys.executable, "-m", "breakeven", "publish", *arguments]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_is_published_and_stale_results_are_not(project):
    said = publish(project, "results", "findings/tiny")
    assert said.returncode == 0, said.stderr
    folder = project.folder / "findings/tiny"
    finding = read_published(folder)
    assert finding.about.command == "snakemake --cores all" and finding.about.config == "config.yaml"
    for study in STUDIES:
        runs = (project.folder / f"results/tables/{study}/runs.csv").read_bytes()
        assert (folder / study / "runs.csv").read_bytes() == runs
        assert {path.stem for path in (folder / study).glob("*.svg")} == {"maxima"} & {*FIGURES}
    stages = finding.made_with.set_index("stage")["jobs"]
    assert stages["train"] == len(list((project.folder / "results/runs").iterdir())) and stages["report"] == 1
    assert finding.made_with["finished"].notna().all()
    assert {path.read_text(encoding="utf-8") for path in pages(folder.parent)} == {*pages(folder.parent).values()}

    published = files(folder)
    assert publish(project, "results", "findings/tiny").returncode == 0 and files(folder) == published

    before = (folder / "index.md").read_bytes()
    lock = acquire(project.folder / "results" / LOCK, "running snakemake")
    said = publish(project, "results", "findings/tiny")
    lock.release()
    assert said.returncode == 1 and "running snakemake" in said.stderr and "Traceback" not in said.stderr
    with project.for_now("breakeven/data/digits.py"):
        project.append("\nANOTHER = 1\n", "breakeven/data/digits.py")
        said = publish(project, "results", "findings/tiny")
    assert said.returncode == 1 and "the first is prepare_dataset digits-" in said.stderr
    with project.for_now():
        project.edit("[0.1, 0.3]", "[0.1, 0.2]")
        said = publish(project, "results", "findings/tiny")
    assert said.returncode == 1 and "Traceback" not in said.stderr
    assert "error: 'results' does not hold what 'config.yaml' asks for" in said.stderr
    assert "Run snakemake --cores all, then publish" in said.stderr
    assert (folder / "index.md").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir() if path.name.startswith(".")] == []
