"""The workflow as a whole: every config plans, the linter, Snakemake's own report."""

import json
import re
import shutil

import pytest

from breakeven.config.plan import load_plan
from breakeven.figures.registry import FIGURES as CAPTIONS
from tests.workflow.project import CHECKOUT, FIGURES, STUDIES

pytestmark = pytest.mark.workflow

CONFIGS = sorted(path.relative_to(CHECKOUT) for path in CHECKOUT.glob("workflow/configs/*.yaml"))


@pytest.mark.parametrize("config", ["config.yaml", *map(str, CONFIGS)])
def test_every_config_plans(fresh, config):
    """Also where the data is missing: preparing it is a job."""
    plan = load_plan(CHECKOUT / config, CHECKOUT / "workflow/schemas/config.schema.yaml")
    figures = "breakeven/figures"  # the copy draws two of them
    shutil.copytree(CHECKOUT / figures, fresh.folder / figures, dirs_exist_ok=True)
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
    for figure in FIGURES:
        assert json.dumps(CAPTIONS[figure])[1:-1] in page  # figure.rst
    for study in STUDIES:
        assert re.search(rf"Tables of the study <tt[^>]*>{study}</tt>", page)  # tables.rst
        for figure in FIGURES:
            assert f'"results/figures/{study}/{figure}.svg": ' in page
    assert project.run() == set()
