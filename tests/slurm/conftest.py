import os
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tests.slurm import cluster
from tests.slurm.night import Night, play
from tests.workflow.project import SNAKEMAKE


def pytest_collection_modifyitems(items):
    """These first: the longest fixture of all, for which only one of pytest-xdist's workers should wait."""
    items.sort(key=lambda item: item.get_closest_marker("slurm") is None)


@pytest.fixture(scope="session")
def night(tmp_path_factory):
    """The record of the night, played once for the whole session, also where pytest-xdist starts several workers."""
    reason = cluster.why_not() if SNAKEMAKE.exists() else f"{SNAKEMAKE} does not exist: install the extra 'workflow'"
    if reason is not None:
        pytest.skip(f"no Slurm can be started: {reason}")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    record = shared / "night.json"
    # one cluster on a machine, whoever else runs these tests
    with FileLock(Path(tempfile.gettempdir()) / "breakeven-slurm.lock"):
        if not record.exists():
            record.write_text(on_a_cluster(shared / "night"), encoding="utf-8")
    text = record.read_text(encoding="utf-8")
    assert text.startswith("{"), text
    return Night.from_json(text)


def on_a_cluster(folder):
    """The record of a night, or what went wrong."""
    cluster.stop_leftover()
    state = Path(tempfile.mkdtemp(prefix="breakeven-slurm-", dir="/var/tmp"))  # the tests' folders are closed to mysql
    state.chmod(0o755)
    try:
        cluster.start(state)
        return play(folder).to_json()
    except Exception as error:  # for the other workers, who would else play it again
        said = [f"{path.name}:\n{path.read_text(errors='replace')}" for path in folder.glob("slurm/*.txt")]
        return "\n".join([f"failed: {error!r}", *said])
    finally:
        cluster.stop(state)
