"""Every config that comes with the project is valid and expands into runs; three of them are planned in ``tests/workflow``."""

from pathlib import Path

import pytest

from breakeven.config.plan import load_plan
from breakeven.specs.run import run_id, source_of

CHECKOUT = Path(__file__).parents[2]
FILES = ("config.yaml", "docs/examples/*.yaml", "workflow/configs/*.yaml")
CONFIGS = sorted(path.relative_to(CHECKOUT) for pattern in FILES for path in CHECKOUT.glob(pattern))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_it_expands_into_runs(config, monkeypatch, tmp_path):
    """Also where its data set is missing: preparing it is a job."""
    monkeypatch.setenv("BREAKEVEN_DATA", str(tmp_path))
    monkeypatch.chdir(CHECKOUT)  # an example names a file of the user's own
    plan = load_plan(config)
    assert plan.studies
    for name, study in plan.studies.items():
        assert study.runs and study.figures, name
        assert set(study.runs) <= plan.runs.keys()
    for run, spec in plan.runs.items():
        assert run_id(spec) == run
        source = source_of(spec)
        assert source is None or run_id(source) in plan.runs


def test_there_are_some():
    assert {Path("config.yaml"), Path("docs/examples/own.yaml"), Path("workflow/configs/smoke.yaml")} < set(CONFIGS)
