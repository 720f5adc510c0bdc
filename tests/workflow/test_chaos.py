"""A handful of kills with a fixed seed; `python -m tests.workflow.chaos --kills 50` has them all."""

import random
import shutil

import pytest

from tests.workflow import chaos

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, snakemake_is_installed):
    return chaos.study(tmp_path_factory.mktemp("chaos") / "fresh")


@pytest.fixture(scope="module")
def undisturbed(fresh, tmp_path_factory):
    return chaos.undisturbed(fresh, tmp_path_factory.mktemp("chaos") / "undisturbed")


@pytest.mark.parametrize("kind", ["SIGKILL to snakemake", "power loss"])
def test_killed_at_a_random_moment(fresh, undisturbed, tmp_path, kind):
    tables, seconds = undisturbed
    draws = random.Random(kind)  # noqa: S311 - which moment is no secret
    outcome = chaos.kill(fresh, tmp_path / "killed", kind, draws.uniform(0.2, 0.8) * seconds, draws, tables)
    shutil.rmtree(tmp_path / "killed")
    assert outcome.problems == []
    assert len(tables) == 2 * 4 + 2 + 1 + 1  # of two runs, the study, the verdicts and a figure
