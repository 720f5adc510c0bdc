"""The workflow as a whole: every config plans, the linter, Snakemake's own report."""

import json
import re

import pytest

from breakeven.config.plan import load_plan
from breakeven.figures.registry import FIGURES as CAPTIONS
from breakeven.figures.registry import NEEDS_EMBEDDING
from breakeven.specs.run import source_of
from tests.workflow.project import CHECKOUT, FIGURES, STUDIES

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize("config", ["smoke", "cifar10-simple_cnn", "digits-early_phase"])
def test_a_config_plans(fresh, config):
    """A small one, one with a figure that needs more stages, one that switches at break-even points; also without its data.

    That all others are valid and expand is in ``tests/config``.
    """
    path = CHECKOUT / f"workflow/configs/{config}.yaml"
    plan = load_plan(path)
    (fresh.folder / "this.yaml").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    planned = fresh.plan("--configfile", "this.yaml")
    assert {job for job in planned if job.startswith("train_run")} == {f"train_run {run}" for run in plan.runs}
    assert {job for job in planned if job.startswith("summarise_study")} == {
        f"summarise_study {s}" for s in plan.studies
    }
    embedded = {job.removeprefix("embed_study ") for job in planned if job.startswith("embed_study")}
    assert embedded == {s for s, study in plan.studies.items() if NEEDS_EMBEDDING & {*study.figures}}
    assert bool(embedded) == (config == "cifar10-simple_cnn")
    assert any(source_of(spec) for spec in plan.runs.values()) == (config == "digits-early_phase")


def test_it_is_the_same_where_the_workflow_catalog_looks_for_it(fresh):
    assert fresh.plan("--snakefile", "workflow/Snakefile") == fresh.plan() | {"pipeline"}


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
    assert f"Studies: {', '.join(STUDIES)}." in page
    for figure in FIGURES:
        assert json.dumps(CAPTIONS[figure])[1:-1] in page  # figure.rst
    for study in STUDIES:
        assert re.search(rf"Tables of the study <tt[^>]*>{study}</tt>", page)  # tables.rst
        for figure in FIGURES:
            assert f'"results/figures/{study}/{figure}.svg": ' in page
    assert project.run() == set()
