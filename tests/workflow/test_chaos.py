"""Two kills with a fixed seed, of a study of one run; `python -m tests.workflow.chaos --kills 50` has all kinds."""

import random
import shutil

import pytest

from tests.once import once
from tests.workflow import chaos
from tests.workflow.project import Project

pytestmark = pytest.mark.workflow


def undisturbed(folder):
    fresh = chaos.study(folder / "fresh", [0.1])
    _, seconds = chaos.undisturbed(fresh, folder / "undisturbed")
    return str(seconds)


@pytest.fixture(scope="module")
def before(tmp_path_factory, snakemake_is_installed):
    """The project before its run, the tables that it ends with, and the seconds that it takes."""
    folder, seconds = once(tmp_path_factory, "chaos", undisturbed)
    return Project(folder / "fresh"), Project(folder / "undisturbed").tables(), float(seconds)


@pytest.mark.parametrize("kind", ["SIGKILL to snakemake", "power loss"])
def test_killed_at_a_random_moment(before, tmp_path, kind):
    fresh, tables, seconds = before
    draws = random.Random(kind)  # noqa: S311 - which moment is no secret
    outcome = chaos.kill(fresh, tmp_path / "killed", kind, draws.uniform(0.2, 0.8) * seconds, draws, tables)
    shutil.rmtree(tmp_path / "killed")
    assert outcome.problems == []
    assert len(tables) == 6 + 2 + 1 + 1  # of the run, the study, the verdicts and a figure
