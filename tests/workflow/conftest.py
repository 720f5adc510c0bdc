import os
import shutil

import pytest
from filelock import FileLock

from tests.workflow.project import SNAKEMAKE, Project, copy, make


@pytest.fixture(scope="session")
def snakemake_is_installed():
    if not SNAKEMAKE.exists():
        pytest.skip(f"{SNAKEMAKE} does not exist: install the extra 'workflow'")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, snakemake_is_installed):
    """The tiny project after a real run: one for the whole session, also where pytest-xdist starts several workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    outcome = shared / "finished.txt"
    with FileLock(shared / "finished.lock"):
        if not outcome.exists():
            said = make(shared / "finished").snakemake("--cores", "all")
            outcome.write_text(f"{said.returncode}\n{said.stdout}", encoding="utf-8")
    text = outcome.read_text(encoding="utf-8")
    assert text.startswith("0\n"), text
    return Project(shared / "finished")


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project for one test."""
    folder = tmp_path / "project"
    copy(finished.folder, folder)
    yield Project(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh(snakemake_is_installed, tmp_path):
    """The tiny project before its first run."""
    project = make(tmp_path / "fresh")
    yield project
    shutil.rmtree(project.folder, ignore_errors=True)
