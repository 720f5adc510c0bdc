import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tests.once import once
from tests.slurm import cluster
from tests.slurm.night import Night, play
from tests.workflow.project import SNAKEMAKE


def pytest_collection_modifyitems(items):
    """The longest first, so that no worker of pytest-xdist is alone at the end: those on a cluster, then the random walk."""
    items.sort(key=lambda item: (item.get_closest_marker("slurm") is None, "test_walk" not in item.nodeid))


@pytest.fixture(scope="session")
def night(tmp_path_factory):
    """The record of the night."""
    reason = cluster.why_not() if SNAKEMAKE.exists() else f"{SNAKEMAKE} does not exist: install the extra 'workflow'"
    if reason is not None:
        pytest.skip(f"no Slurm can be started: {reason}")
    _, text = once(tmp_path_factory, "night", on_a_cluster)
    assert text.startswith("{"), text
    return Night.from_json(text)


def on_a_cluster(folder):
    """The record of a night, or what went wrong."""
    # one cluster on a machine, whoever else runs these tests
    with FileLock(Path(tempfile.gettempdir()) / "breakeven-slurm.lock"):
        return alone_on_a_cluster(folder)


def alone_on_a_cluster(folder):
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
