"""The package as it is installed: built, and run from an empty folder, without this checkout."""

import subprocess
import sys

import pytest

from tests.once import once
from tests.workflow.project import CHECKOUT, JOB_BY_JOB, environment, jobs

pytestmark = pytest.mark.workflow


def installed(folder):
    """The wheel, unpacked as pip does; nothing else is installed, and nothing is downloaded."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", folder]
    subprocess.run([*pip, CHECKOUT], check=True)
    return ""


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    return once(tmp_path_factory, "installed", installed)[0]


@pytest.fixture
def breakeven(package, tmp_path):
    """Calls the console command of the package in an empty folder; ``-P``: never what lies there."""

    def call(*arguments):
        environ = environment() | {"PYTHONPATH": str(package)}
        command = [sys.executable, "-P", package / "bin/breakeven", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return call


def test_a_config_of_the_package_is_copied_edited_checked_and_planned(breakeven, package, tmp_path):
    assert breakeven("--version").stdout.startswith("breakeven ")
    said = breakeven("new", "mine.yaml", "--like", "smoke")
    first, *others = (tmp_path / "mine.yaml").read_text().splitlines()
    assert others == (CHECKOUT / "workflow/configs/smoke.yaml").read_text().splitlines()[1:]
    assert first.endswith(str(package / "breakeven/pipeline/workflow/schemas/config.schema.yaml"))
    assert "breakeven run mine.yaml" in said.stdout
    assert "already" in breakeven("new", "mine.yaml").stdout
    assert breakeven("check", "mine.yaml").returncode == 0
    planned = jobs(breakeven("run", "mine.yaml", JOB_BY_JOB, "--dry-run"))
    assert {job.split()[0] for job in planned} >= {"prepare_dataset", "train_run", "measure_hessian", "write_report"}
    assert planned == jobs(breakeven("run", "smoke", JOB_BY_JOB, "-n", "--cores", "1"))
    assert not (package / "breakeven/pipeline/.snakemake").exists()


def test_jobs_run_the_installed_package(breakeven, package, tmp_path):
    (tmp_path / "breakeven").mkdir()
    (tmp_path / "breakeven/__init__.py").write_text(
        "raise SystemExit('the folder in which one works is not the package')"
    )
    breakeven("new", "mine.yaml", "--like", "smoke")
    said = breakeven("run", "mine.yaml", "--cores", "1", "results-smoke/figures/vega.js")
    assert said.returncode == 0, said.stdout
    assert (tmp_path / "results-smoke/figures/vega.js").stat().st_size > 1e5


def test_everything_that_the_pipeline_reads_is_in_the_package(package):
    tracked = subprocess.run(
        ["git", "ls-files", "Snakefile", "config.yaml", "workflow", "profiles"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert tracked
    for name in tracked:
        assert (package / "breakeven/pipeline" / name).read_bytes() == (CHECKOUT / name).read_bytes()
    suffixes = {".py", ".jinja", ".css", ".js"}
    own = [path for path in (CHECKOUT / "breakeven").rglob("*") if path.suffix in suffixes]
    assert own and all((package / path.relative_to(CHECKOUT)).is_file() for path in own)
    assert not list(package.glob("tests*"))
