"""A job on a cluster goes on when its Snakemake is killed, and records by itself what it made, and from what."""

import subprocess
import time

import pytest

from tests.workflow.project import SNAKEMAKE, copy, environment, make

pytestmark = pytest.mark.workflow


def test_what_it_made_counts_for_the_settings_that_it_had(project, tmp_path):
    """It need not be made again, here and in a fresh clone with these results; unless the config says something else now."""
    [run] = project.runs_with(learning_rate=0.3, seed=1)
    job, output = f"measure_hessian {run}", f"results/runs/{run}/hessian.csv"
    project.edit("max_matvecs: 20", "max_matvecs: 19")
    assert job in project.plan()

    kill_once_started(project, output)
    inside_of_slurm(project, "measure_hessian", run, output)
    assert job not in project.plan() and f"measure_stability {run}" in project.plan()
    clone = make(tmp_path / "clone")
    copy(project.folder / "results", clone.folder / "results")
    (clone.folder / "config.yaml").write_bytes((project.folder / "config.yaml").read_bytes())
    assert clone.plan(output) == set()
    project.edit("max_matvecs: 19", "max_matvecs: 20")
    for looking in ("-npc1", "--dry", "-S", "-l"):
        before = (project.folder / output).read_bytes()
        project.snakemake(looking, output)
        assert (project.folder / output).read_bytes() == before, looking  # who only looks removes nothing
    assert project.run(output) == {job}


def kill_once_started(project, output):
    """Kill Snakemake as soon as it has started the job of ``output``; on one machine the job ends with it."""
    process = subprocess.Popen(
        [SNAKEMAKE, "--cores", "1", output],
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    while not list((project.folder / ".snakemake/incomplete").glob("*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()


def inside_of_slurm(project, rule, run, output):
    """Run a job as Snakemake's plugin does it in a job of Slurm."""
    words = ["--mode", "remote", "--force", "--nolock", "--ignore-incomplete", "--no-hooks", "--cores", "1"]
    done = project.snakemake(output, *words, "--allowed-rules", rule, "--target-jobs", f"{rule}:run={run}")
    assert done.returncode == 0, done.stdout
