"""Two invocations, two hosts, another version, a folder that can't be written: told before any job starts."""

import itertools
import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from breakeven.jobs.locks import held
from breakeven.jobs.results_folder import LOCK
from breakeven.specs.run import canonical_json
from tests.tiny import tiny_dataset, tiny_spec
from tests.workflow.project import MEASUREMENTS, STUDIES

pytestmark = pytest.mark.workflow


def refused(project, *arguments):
    """The last line of what snakemake says when it stops before the first job."""
    said = project.snakemake(*arguments)
    assert said.returncode == 1 and "Traceback" not in said.stdout and "localrule" not in said.stdout
    return [line for line in said.stdout.splitlines() if line][-1]


def test_the_second_invocation_says_so_and_stops(project):
    """From whatever checkout: the lock belongs to the results folder."""
    results = project.folder / "results"
    project.edit("learning_rate: [0.1, 0.3]", "learning_rate: [0.1, 0.5]")
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    with held(results / LOCK, "running snakemake in the results folder 'results'"):
        told = refused(project, "--cores", "all")
    assert told.startswith(f"process {os.getpid()} on ") and told.endswith(": wait for it, or stop it first")
    after = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.name != LOCK}
    assert {path: time for path, time in before.items() if path in after and path != results} == {
        path: time for path, time in after.items() if path != results
    }


@pytest.mark.parametrize("arguments", [["--cores", "all"], ["--dry-run"]])
def test_results_of_another_version_are_refused(project, arguments):
    path = project.folder / "results/plan.json"
    plan = json.loads(path.read_text())
    path.write_text(json.dumps(plan | {"format": 99, "version": "9.9"}))
    told = refused(project, *arguments)
    assert told.startswith("results: the folder 'results' was written by breakeven 9.9 (format 99), and breakeven ")
    assert told.endswith("name another folder in the config, or move that one away")


def test_a_read_only_results_folder_is_told(fresh):
    results = fresh.folder / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", results]
    if os.geteuid() or subprocess.run(mount).returncode:
        pytest.skip("no read-only disk can be mounted here: that needs root")
    try:
        told = refused(fresh, "--cores", "all")
    finally:
        subprocess.run(["umount", "-l", results], check=True)
    assert told.startswith(f"results: no permission for '{results}/.lock' (Read-only file system); ")


def test_status_from_the_command_line(project):
    done = project.breakeven("status")
    assert done.returncode == 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["train_run", "5", "5"] in rows and ["summarise_study", str(len(STUDIES)), str(len(STUDIES))] in rows
    assert all([rule, "5", "5"] in rows for rule in MEASUREMENTS)
    assert "failed:" not in done.stdout and "no snakemake is running" in done.stdout
    nothing = project.breakeven("status", "elsewhere")
    assert (nothing.returncode, nothing.stdout) == (
        1,
        "error: nothing was planned in the results folder 'elsewhere' yet: start snakemake first\n",
    )


def test_a_part_of_the_jobs(project):
    """One training again, and no report: none is announced, and the status knows the one that was needed."""
    run = min(project.runs)
    said = project.snakemake(
        "--cores", "all", "--until", "train_run", "--forcerun", f"results/runs/{run}/training.json"
    )
    assert said.returncode == 0 and "report is in" not in said.stdout, said.stdout
    plan = json.loads((project.folder / "results/plan.json").read_text())
    assert [job["name"] for job in plan["jobs"] if job["needed"]] == [run]
    os.utime(project.folder / "results/plan.json")  # as an invocation that has not begun with it
    rows = [line.split() for line in project.breakeven("status").stdout.splitlines()]
    assert ["prepare_dataset", "1", "1"] in rows and ["train_run", "4", "1", "5"] in rows


def test_two_hosts_train_the_same_run_at_the_same_time(tmp_path):
    """One after the other, since the second waits for the first; what is left is that of one alone."""
    data = tiny_dataset(tmp_path / "data")

    def start(folder):
        spec = canonical_json(tiny_spec(steps=40))
        where = ["--data", data, "--out", folder / "run", "--state", folder / "state", "--device", "cpu"]
        command = [sys.executable, "-m", "breakeven", "train", "--spec", spec, *where]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    first = start(tmp_path / "shared")
    assert first.stderr.readline().startswith("train ")
    first.send_signal(signal.SIGSTOP)  # where it is, until the second has come
    second = start(tmp_path / "shared")
    assert second.stderr.readline().startswith("waiting until it has ended: process ")
    first.send_signal(signal.SIGCONT)
    told = [process.communicate()[1] for process in (first, second)]
    assert first.returncode == second.returncode == 0, told
    assert "has been trained already" in told[1] and "waiting" not in told[0], told
    alone = start(tmp_path / "alone")
    alone.communicate()

    def contents(folder):
        return {path.name: path.read_bytes() for path in sorted((folder / "run").rglob("*")) if path.is_file()}

    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")


def test_two_studies_share_a_data_folder(tmp_path):
    """Both read it at the same time, each into its own results folder: the same bytes."""
    for number, split in itertools.product(range(40), ("train", "test")):
        folder = tmp_path / "pictures" / split / f"class{number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 2 * number, 3 * number)).save(folder / f"{number}.png")
    spec = json.dumps({"loader": "image_folder", "path": str(tmp_path / "pictures")})
    command = [sys.executable, "-m", "breakeven", "prepare", "--spec", spec, "--out"]
    both = [subprocess.Popen([*command, tmp_path / study / "data"]) for study in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    one, other = ((tmp_path / study / "data/data.safetensors").read_bytes() for study in "ab")
    assert one == other
