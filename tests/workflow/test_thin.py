"""Snapshots that are not kept once all is measured: nothing is made again for that, until someone asks for them."""

import json
import shutil
import subprocess

import pytest

from tests.workflow.project import CHECKOUT, STUDIES, measure, studies_again, train

pytestmark = pytest.mark.workflow


def thin(runs):
    return {f"thin_run {run}" for run in runs}


def snapshots_of(project):
    """The names of the files, by run, of snapshots and of eigenvectors, which are the same; each folder is there."""
    folders = {run: project.folder / "results/runs" / run for run in project.runs}
    found = [
        {run: sorted(path.name for path in (folder / name).iterdir() if path.suffix) for run, folder in folders.items()}
        for name in ("snapshots", "eigenvectors")
    ]
    assert found[0] == found[1]
    return found[0]


def test_snapshots_are_deleted_and_made_again_for_who_measures_them(project):
    runs, before, whole = project.runs.keys(), project.tables(), snapshots_of(project)
    project.edit("device: cpu\n", "device: cpu\nkeep_snapshots: 0\n")
    assert project.plan() == thin(runs)
    assert project.run() == thin(runs)
    assert snapshots_of(project) == {run: [] for run in runs}
    assert project.plan() == set() and project.tables() == before

    # what reads no snapshots is made from what is there
    project.edit("sweeps:\n      learning_rate:", "accuracy_threshold: 0.5\n    sweeps:\n      learning_rate:")
    assert project.plan() == studies_again("rate")
    project.edit("accuracy_threshold: 0.5\n    ", "")

    # a new run beside them, and one measurement of all
    project.edit("trace_probes: 3", "trace_probes: 4")
    again = train(runs) | measure(runs) | thin(runs) | studies_again(*STUDIES)
    assert project.plan() == again
    assert project.run() == again
    assert snapshots_of(project) == {run: [] for run in runs}
    project.edit("trace_probes: 4", "trace_probes: 3")
    project.edit("keep_snapshots: 0", "keep_snapshots: 1")
    assert project.run() == again - thin(runs)
    assert project.tables() == before and snapshots_of(project) == whole
    assert project.plan() == set()

    # all is as it was before it was thinned for the first time, but the snapshots are there again
    project.edit("keep_snapshots: 1", "keep_snapshots: 0")
    assert project.plan() == thin(runs)


def test_a_piece_is_taken_to_another_machine(project, tmp_path):
    """Of what benchmarks/piece.sh packs, nothing is made again elsewhere but the data, which are none of the results."""
    said = piece(project, tmp_path)
    assert said.returncode == 1 and "must say keep_snapshots: 0" in said.stderr
    for elsewhere in (tmp_path / "results", "../results"):
        with project.for_now():
            project.edit("device: cpu\n", f"device: cpu\nkeep_snapshots: 0\nresults: {elsewhere}\n")
            said = piece(project, tmp_path)
        assert said.returncode == 1 and "must be a folder in the working folder" in said.stderr
    with project.for_now():
        project.edit("device: cpu\n", "device: cpu\nkeep_snapshots: 0\nresults: none\n")
        said = piece(project, tmp_path, "--no-such-option")
    assert said.returncode == 1 and said.stderr.endswith("piece.tgz' is as it was\n")
    assert not list(tmp_path.glob("piece*"))
    project.edit("device: cpu\n", "device: cpu\nkeep_snapshots: 0\n")
    project.run()
    made = project.tables()
    said = piece(project, tmp_path)
    assert said.returncode == 0, said.stderr
    assert f"{len(project.runs)} runs are whole" in said.stdout
    shutil.rmtree(project.folder / "results")
    subprocess.run(["tar", "-xzf", tmp_path / "piece.tgz"], cwd=project.folder, check=True)
    assert not list(project.folder.rglob("*.safetensors"))
    assert {job.split()[0] for job in project.plan()} == {"prepare_dataset"}
    assert project.tables() == made


def piece(project, folder, *options):
    """Pack a piece, in a second: nothing is to be done."""
    script = [CHECKOUT / "benchmarks/piece.sh", "config.yaml", "1", folder / "piece.tgz", *options]
    return subprocess.run(["bash", *script], cwd=project.folder, capture_output=True, text=True, check=False)


def test_each_second_snapshot_and_the_last(project):
    project.edit(
        "steps: 4\n      snapshots: [{every: 4}]", "steps: 6\n      snapshots: [{every: 1, until: 4}, {every: 2}]"
    )
    project.edit("device: cpu\n", "device: cpu\nkeep_snapshots: 2\n")
    made = {job.removeprefix("thin_run ") for job in project.run() if job.startswith("thin_run")}
    assert len(made) == 5
    for run in made:
        folder = project.folder / "results/runs" / run
        trained = json.loads((folder / "training.json").read_text())["snapshots"]
        steps = [entry["step"] for entry in trained]
        assert len(steps) == 6
        kept = [steps[0], steps[2], steps[4], steps[5]]
        assert json.loads((folder / "kept_snapshots.json").read_text()) == {"kept": kept}
        files = [entry["file"] for entry in trained if entry["step"] in kept]
        for name in ("snapshots", "eigenvectors"):
            assert sorted(path.name for path in folder.glob(f"{name}/*.safetensors")) == files
    assert project.plan() == set()
    project.edit("keep_snapshots: 2", "keep_snapshots: 3")
    assert project.run() == thin(made)
    listed = json.loads((folder / "kept_snapshots.json").read_text())["kept"]
    assert listed == [steps[0], steps[5]]  # of each third and the last, those that were there


def test_a_wrong_number_is_told(fresh):
    fresh.edit("device: cpu\n", "device: cpu\nkeep_snapshots: none\n")
    said = fresh.snakemake("--dry-run")
    assert said.returncode == 1
    assert "keep_snapshots: 'none' is not an integer; allowed: an integer of at least 0" in said.stdout


def test_a_run_that_others_count_in_is_thinned_too(fresh):
    """It is in no study, and only what its break-even point needs is measured."""
    fresh.edit(
        "sweeps:\n      learning_rate: [0.1, 0.3]",
        "sweeps:\n      schedule: [[{at: 0.5, unit: break_even, learning_rate: 0.05}]]",
    )
    fresh.edit("      momentum: 0.2\n      weight_decay: 0.01\n", "")
    fresh.edit("device: cpu\n", "device: cpu\nkeep_snapshots: 0\n")
    planned = fresh.plan()
    trained = {job.removeprefix("train_run ") for job in planned if job.startswith("train_run")}
    assert {job for job in planned if job.startswith("thin_run")} == thin(trained)
    measured = {job.removeprefix("measure_covariance ") for job in planned if job.startswith("measure_covariance")}
    assert measured < trained
