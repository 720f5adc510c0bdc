"""Two dozen steps of the random walk with a fixed seed; `python -m tests.workflow.walk --steps 200` takes longer."""

import pytest

from tests.workflow.forks import Forks
from tests.workflow.walk import steps, walk

pytestmark = pytest.mark.workflow


def test_whatever_happens_the_results_are_those_of_a_fresh_folder(snakemake_is_installed, tmp_path):
    forks = Forks(tmp_path)
    try:
        seen = list(steps(walk(tmp_path, forks, seed=0), 24))
    finally:
        forks.close()
    assert [(what, problems) for what, problems in seen if problems] == []
    assert len(seen) == 25
