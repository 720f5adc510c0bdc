"""The workflow as a whole: every config plans, the linter, Snakemake's own report, a kill in the middle."""

import os
import re
import signal
import subprocess
import time

import pytest

from breakeven.config.plan import load_plan
from tests.workflow.project import CHECKOUT, FIGURES, SNAKEMAKE, STUDIES, environment

pytestmark = pytest.mark.workflow

CONFIGS = sorted(path.relative_to(CHECKOUT) for path in CHECKOUT.glob("workflow/configs/*.yaml"))


@pytest.mark.parametrize("config", ["config.yaml", *map(str, CONFIGS)])
def test_every_config_plans(fresh, config):
    """Also where the data is missing: preparing it is a job."""
    plan = load_plan(CHECKOUT / config, CHECKOUT / "workflow/schemas/config.schema.yaml")
    registry = "breakeven/figures/registry.py"  # the copy has two figures
    (fresh.folder / registry).write_bytes((CHECKOUT / registry).read_bytes())
    text = (CHECKOUT / config).read_text(encoding="utf-8")
    (fresh.folder / "this.yaml").write_text(text, encoding="utf-8")
    planned = fresh.plan("--configfile", "this.yaml")
    assert {job for job in planned if job.startswith("train_run")} == {f"train_run {run}" for run in plan.runs}
    assert {job for job in planned if job.startswith("summarise_study")} == {
        f"summarise_study {s}" for s in plan.studies
    }


def test_the_linter_finds_no_more_than_that_environments_are_not_snakemakes(fresh):
    said = fresh.snakemake("--lint")
    findings = set(re.findall(r"^    \* (.*):$", said.stdout, re.MULTILINE))
    assert findings == {"Specify a conda environment or container for each rule."}, said.stdout


def test_snakemakes_own_report_offline(project):
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    said = project.snakemake("--report", "page.html", env=nowhere)
    assert said.returncode == 0, said.stdout
    page = (project.folder / "page.html").read_text(encoding="utf-8")
    assert "Does a larger learning rate" in page  # workflow.rst
    assert r"Spectral norm \u03bb_K^1 of the covariance" in page  # figure.rst
    for study in STUDIES:
        assert re.search(rf"Tables of the study <tt[^>]*>{study}</tt>", page)  # tables.rst
        for figure in FIGURES:
            assert f'"results/figures/{study}/{figure}.svg": ' in page
    assert project.run() == set()


def test_a_kill_in_the_middle_leaves_no_trace(fresh, finished, tmp_path):
    fresh.edit("[0.1, 0.3]", "[0.1]")  # to save time: only the two runs of the other study are left
    fresh.edit("seeds: [0, 1]", "seeds: [0]")
    with (tmp_path / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [SNAKEMAKE, "--cores", "2"],
            cwd=fresh.folder,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        records = fresh.folder / ".snakemake"
        wait_for(records / "metadata", 6)  # two files of the data set, four of a run: a training has ended
        wait_for(records / "incomplete", 1)  # and another job hasn't
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (fresh.folder / "results/report.html").exists()

    refused = fresh.snakemake("--cores", "all")
    assert refused.returncode == 1 and "--unlock" in refused.stdout, refused.stdout
    assert fresh.snakemake("--unlock").returncode == 0
    executed = fresh.run()
    assert "write_report" in executed
    assert not [job for job in executed if job.startswith("prepare")]  # what had ended is kept
    assert fresh.plan() == set()
    of_rate = ("tables/rate/", "figures/rate/", "tables/claims.csv")
    found = {path: content for path, content in fresh.tables().items() if not path.startswith(of_rate)}
    assert len(found) == 2 * 4 + 2 + len(FIGURES)
    assert found == {path: finished.tables()[path] for path in found}


def wait_for(folder, count):
    """Wait until ``folder`` holds at least ``count`` files."""
    deadline = time.monotonic() + 300
    while len(list(folder.glob("*"))) < count:
        assert time.monotonic() < deadline, f"fewer than {count} files in {folder}"
        time.sleep(0.02)
