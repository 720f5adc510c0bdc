"""More steps go on from where the finished runs ended, and their results are those of a folder without them."""

import shutil

import pytest

from tests.workflow.project import measure, studies_again, train

pytestmark = pytest.mark.workflow


def files_of(project, run):
    """What its training made."""
    folder = project.folder / "results/runs" / run
    names = ("run.yaml", "history.csv", "training.json", "snapshots/step-*.safetensors")
    return {path.name: path.read_bytes() for name in names for path in folder.glob(name)}


def test_more_steps_go_on_from_the_last_one(project):
    rates = project.runs_with(network="simple_cnn")
    new = project.new_runs(rates, steps=6)
    project.edit("    base: *base\n    sweeps:\n      network: [simple_cnn, twin]", "    base: *base")
    project.edit("steps: 4", "steps: 6")
    jobs = train(new) | measure(new) | studies_again("rate", "network")
    assert project.plan() == jobs
    assert project.run() == jobs
    for run in new:
        log = (project.folder / f"results/logs/train/{run}.log").read_text()
        assert "goes on from step 5, after the last one of" in log, log
        state = project.folder / "results/state" / run
        assert {path.name for path in state.iterdir()} == {"checkpoint.safetensors", "took.json"}
    assert project.plan() == set()

    run = min(new)
    extended = files_of(project, run)
    assert len(extended) == 3 + 3  # steps 0, 4, 6
    shutil.rmtree(project.folder / "results")
    said = project.snakemake("--cores", "all", f"results/runs/{run}/training.json")
    assert said.returncode == 0, said.stdout
    assert "goes on" not in (project.folder / f"results/logs/train/{run}.log").read_text()
    assert files_of(project, run) == extended


def test_not_where_the_code_of_training_was_edited(project):
    project.edit("        self.step += 1\n", "        self.step += int(True)\n", "breakeven/training/training.py")
    project.edit("steps: 4", "steps: 6")
    run = min(project.new_runs(project.runs_with(network="simple_cnn"), steps=6))
    said = project.snakemake("--cores", "all", f"results/runs/{run}/training.json")
    assert said.returncode == 0, said.stdout
    log = (project.folder / f"results/logs/train/{run}.log").read_text()
    assert "from step 0 to 6" in log and "goes on" not in log
