import compileall
import shutil

import pytest

from tests.once import once
from tests.workflow.project import SNAKEMAKE, Project, copy, make


@pytest.fixture(scope="session")
def snakemake_is_installed():
    if not SNAKEMAKE.exists():
        pytest.skip(f"{SNAKEMAKE} does not exist: install the extra 'workflow'")


def compiled(folder):
    compileall.compile_dir(make(folder).folder / "breakeven", quiet=1)  # else each copy of it does, in each process
    return ""


def ran(folder):
    compiled(folder)
    said = Project(folder).snakemake("--cores", "all")
    return f"{said.returncode}\n{said.stdout}"


@pytest.fixture(scope="session")
def finished(tmp_path_factory, snakemake_is_installed):
    """The tiny project after a real run."""
    folder, text = once(tmp_path_factory, "finished", ran)
    assert text.startswith("0\n"), text
    return Project(folder)


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project for one test."""
    folder = tmp_path / "project"
    copy(finished.folder, folder)
    yield Project(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def never_run(tmp_path_factory):
    return once(tmp_path_factory, "never_run", compiled)[0]


@pytest.fixture
def fresh(snakemake_is_installed, never_run, tmp_path):
    """The tiny project before its first run."""
    folder = tmp_path / "fresh"
    copy(never_run, folder)
    yield Project(folder)
    shutil.rmtree(folder, ignore_errors=True)
