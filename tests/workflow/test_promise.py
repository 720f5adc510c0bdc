"""The promise: an edit of the config reruns what depends on it, and nothing else. Sets of jobs are exact."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.workflow.project import (
    BUNDLE,
    CLAIMS,
    FIGURES,
    MEASURED,
    OF_H,
    REPORT,
    STUDIES,
    Project,
    copy,
    environment,
    figures,
    jobs,
    make,
    measure,
    studies_again,
    tables,
    train,
)

pytestmark = pytest.mark.workflow

EVERYTHING_MEASURED = studies_again(*STUDIES)
PREPARE = "prepare_dataset"


# ------------------------------------------------------------------ nothing


def test_the_whole_pipeline_ran(project):
    assert len(project.runs) == 5
    assert len(project.runs_with(learning_rate=0.3)) == 2
    assert len(project.runs_with(network="twin")) == 1
    assert (project.folder / "results/report.html").exists()
    kept = {path.relative_to(project.folder / "results/state") for path in project.folder.glob("results/state/*/*")}
    assert kept == {Path(run, name) for run in project.runs for name in ("checkpoint.safetensors", "took.json")}
    assert project.plan() == set()


def test_checkout_that_was_copied_elsewhere_without_its_times(project, tmp_path):
    subprocess.run(["cp", "-r", project.folder, tmp_path / "another name"], check=True)
    assert Project(tmp_path / "another name").plan() == set()


@pytest.fixture
def clone(finished, tmp_path):
    """A fresh clone, without Snakemake's own records, into which the results were copied."""
    clone = make(tmp_path / "clone")
    copy(finished.folder / "results", clone.folder / "results")
    assert not (clone.folder / ".snakemake").exists()
    yield clone
    shutil.rmtree(clone.folder, ignore_errors=True)


def test_fresh_clone(clone):
    said = clone.snakemake("--dry-run")
    assert jobs(said) == set()
    assert "missing provenance" not in said.stdout


def test_fresh_clone_into_which_the_results_were_copied_without_their_times(clone):
    results = clone.folder / "results"
    subprocess.run(["cp", "-r", results, results.with_name("copied")], check=True)
    shutil.rmtree(results)
    results.with_name("copied").rename(results)
    assert clone.plan() == set()


def test_edits_in_a_fresh_clone(clone):
    new = clone.new_runs(clone.runs_with(learning_rate=0.3), learning_rate=0.2)
    clone.edit("[0.1, 0.3]", "[0.1, 0.2]")
    assert clone.plan() == train(new) | measure(new) | studies_again("rate")
    clone.edit("[0.1, 0.2]", "[0.1, 0.3]")
    assert clone.plan() == set()
    clone.edit("eigenvalues: 2", "eigenvalues: 1")
    assert clone.plan() == measure(clone.runs, OF_H) | EVERYTHING_MEASURED


REWRITTEN = """\
# The same, in other words.
studies:
  network:
    seeds: [0.0]
    sweeps:
      network: [twin, simple_cnn]
    base: &base
      weight_decay: 0.010
      momentum: 2e-1
      snapshots: [{unit: step, every: 4.0}]
      steps: 4
      batch_size: 1e2
      schedule: []
      augmentation: none
      precision: float32
      network_options: {dense: 4, channels: [1]}
      network: simple_cnn
      dataset: numerals
      learning_rate: 1e-1
  rate:
    description: ''
    seeds: [1, 0]
    sweeps:
      learning_rate: [3E-1, .10]
    base:
      <<: *base
      learning_rate: 0.10
measurements:
  hessian: {max_matvecs: 20, eigenvalues: 2, trace_probes: 3, tolerance: 1e-1, batch_size: 128}
  covariance: {batches: null, precision: float32, batch_size: 10}
datasets:
  numerals: {measured_fraction: 1.0e-1, test_examples: 100, train_examples: 300, loader: digits, seed: 0}
  unused: {loader: cifar10}
threads: 2
device: auto
"""


def test_the_same_config_in_other_words(project):
    (project.folder / "config.yaml").write_text(REWRITTEN, encoding="utf-8")
    # the report lists the studies in the order of the config
    assert project.plan() == REPORT


def test_edits_that_change_nothing(project):
    project.edit("learning_rate: 0.1\n", "learning_rate: 1e-1 # a comment\n")
    project.edit("[0.1, 0.3]", "[3e-1, 0.10]")
    project.edit("device: cpu\n", "device: cuda\nthreads: 2\nresults: ./results/\nmemory_mb: 100\n")
    assert project.plan() == set()
    assert project.plan("--config", "device=auto", "threads=3") == set()


# ------------------------------------------------------------------ runs


def test_one_learning_rate_and_back(project):
    """By running; by planning alone: `test_edits_in_a_fresh_clone`."""
    before = project.tables()
    new = project.new_runs(project.runs_with(learning_rate=0.3), learning_rate=0.2)
    project.edit("[0.1, 0.3]", "[0.1, 0.2]")
    assert project.run() == train(new) | measure(new) | studies_again("rate")
    assert project.plan() == set()
    after = project.tables()
    changed = {path for path in before if before[path] != after[path]}
    drawn = {f"figures/rate/{figure}.csv" for figure in FIGURES}
    assert changed == {"tables/rate/runs.csv", "tables/rate/trajectories.csv", "tables/claims.csv"} | drawn
    assert after.keys() - before.keys() == {
        f"runs/{run}/{table}.csv" for run in new for table in ("history", *MEASURED)
    }

    project.edit("[0.1, 0.2]", "[0.1, 0.3]")
    assert project.plan() == studies_again("rate")
    assert project.run() == studies_again("rate")
    assert project.plan() == set()
    assert {path: project.tables()[path] for path in before} == before


def test_one_more_learning_rate(project):
    new = project.new_runs(project.runs_with(learning_rate=0.3), learning_rate=0.5)
    project.edit("[0.1, 0.3]", "[0.1, 0.3, 0.5]")
    assert project.plan() == train(new) | measure(new) | studies_again("rate")


def test_one_learning_rate_less(project):
    project.edit("[0.1, 0.3]", "[0.1]")
    assert project.plan() == studies_again("rate")


def test_another_seed(project):
    new = project.new_runs(project.runs_with(network="simple_cnn", seed=1), seed=2)
    project.edit("seeds: [0, 1]", "seeds: [0, 1, 2]")
    assert project.plan() == train(new) | measure(new) | studies_again("rate")


def test_the_base_of_both_studies(project):
    """The learning rate of the base is swept in one study: only the other one's runs are new."""
    new = project.new_runs(project.runs_with(learning_rate=0.1, seed=0), learning_rate=0.4)
    project.edit("learning_rate: 0.1\n", "learning_rate: 0.4\n")
    assert project.plan() == train(new) | measure(new) | studies_again("network")


def test_swapped_values_of_two_hyperparameters(project):
    new = project.new_runs(project.runs, momentum=0.01, weight_decay=0.2)
    project.edit("momentum: 0.2", "momentum: 0.01")
    project.edit("weight_decay: 0.01", "weight_decay: 0.2")
    assert project.plan() == train(new) | measure(new) | EVERYTHING_MEASURED


def test_another_data_set(project):
    project.edit("train_examples: 300", "train_examples: 310")
    planned = project.plan()
    [prepare] = [job for job in planned if job.startswith(PREPARE)]
    runs = {job.removeprefix("train_run ") for job in planned if job.startswith("train_run")}
    assert len(runs) == 5 and not runs & project.runs.keys()
    assert planned == {prepare} | train(runs) | measure(runs) | EVERYTHING_MEASURED


# ------------------------------------------------------------------ studies


def test_a_study_that_shares_runs_and_one_that_does_not(project):
    third = project.new_runs(project.runs_with(learning_rate=0.3, seed=0), learning_rate=0.5)
    project.append("  third: {base: *base, sweeps: {learning_rate: [0.3, 0.5]}, seeds: [0]}\n")
    other = project.new_runs(project.runs_with(learning_rate=0.1, network="simple_cnn", seed=0), batch_size=50, seed=7)
    project.append("  other: {base: *base, sweeps: {batch_size: [50]}, seeds: [7]}\n")
    new = third | other
    assert project.plan() == train(new) | measure(new) | studies_again("third", "other")


def test_a_study_less(project):
    text = (project.folder / "config.yaml").read_text(encoding="utf-8")
    (project.folder / "config.yaml").write_text(text[: text.index("  network:\n    base:")], encoding="utf-8")
    assert project.plan() == CLAIMS | REPORT


def test_a_renamed_study(project):
    project.edit("  rate:\n", "  speed:\n")
    assert project.plan() == studies_again("speed")


def test_the_description_of_a_study(project):
    project.edit("  rate:\n", "  rate:\n    description: What does the learning rate do?\n")
    assert project.plan() == REPORT


def test_the_accuracy_threshold_of_a_study(project):
    project.edit("  rate:\n", "  rate:\n    accuracy_threshold: 0.7\n")
    assert project.plan() == studies_again("rate")


# ------------------------------------------------------------------ measurements, results


def test_a_setting_of_one_measurement(project):
    """One that was not there before, and two that swap values: Snakemake compares parameters without their names."""
    settings = "{eigenvalues: 2, tolerance: 0.1, max_matvecs: 20, trace_probes: 3}"
    for rules, old, new in (
        ({"measure_covariance", "measure_assumptions"}, "{batch_size: 10}", "{batch_size: 10, batches: 2}"),
        (OF_H, settings, "{eigenvalues: 3, tolerance: 0.1, max_matvecs: 20, trace_probes: 2}"),
    ):
        with project.for_now():
            project.edit(old, new)
            assert project.plan() == measure(project.runs, rules) | EVERYTHING_MEASURED, new


def test_the_density_is_an_option(project):
    project.edit("  covariance: {batch_size: 10}", "  density: {probes: 2, steps: 5}\n  covariance: {batch_size: 10}")
    assert project.plan() == measure(project.runs, ["measure_density"])


def test_any_output_deleted(project):
    """What would be the same to the byte is made again alone; a training or measurement with what follows from it."""
    twin = next(iter(project.runs_with(network="twin")))
    results, network = project.folder / "results", studies_again("network")
    [data] = [path.name for path in (results / "data").iterdir() if path.is_dir()]
    trained = train({twin}) | measure({twin}) | network
    for lost, expected in {
        f"runs/{twin}/covariance.csv": {f"measure_covariance {twin}"} | network,
        f"runs/{twin}/eigenvectors": measure({twin}, OF_H) | network,
        f"runs/{twin}/snapshots/step-00000004.safetensors": trained,
        f"runs/{twin}": trained,
        f"data/{data}/data.safetensors": {f"{PREPARE} {data}"},
        "tables/network/runs.csv": tables("network"),
        "tables": tables(*STUDIES) | CLAIMS,
        "figures/rate/maxima.png": {"plot_figure rate/maxima"},
        "figures": figures(*STUDIES) | BUNDLE,
        "report.html": REPORT,
    }.items():
        (results / lost).rename(project.folder / "lost")
        assert project.plan() == expected, lost
        (project.folder / "lost").rename(results / lost)
    assert project.plan() == set()


def test_a_target_that_is_forced(project):
    """With what it needs that is out of date, and later with what follows from it."""
    run = min(project.runs)
    output, table = f"results/runs/{run}/covariance.csv", project.folder / "results/tables/network/runs.csv"
    assert project.plan("--force", output) == {f"measure_covariance {run}"}
    table.write_text(table.read_text().replace("0.1", "0.2"))
    figure = "plot_figure network/maxima"
    assert project.plan("--force", "results/figures/network/maxima.png") == {figure} | tables("network")
    assert project.plan("--forcerun", output) == {f"measure_covariance {run}"} | EVERYTHING_MEASURED


def test_a_table_of_another_run_or_edited_by_hand(project):
    one, other = (f"results/runs/{run}/covariance.csv" for run in sorted(project.runs_with(learning_rate=0.3)))
    run = other.split("/")[2]
    shutil.copy(project.folder / one, project.folder / other)
    assert project.plan() == {f"measure_covariance {run}"} | studies_again("rate")


def test_a_job_that_failed_in_between(project, tmp_path):
    """The results of the old setting are not taken for those of the new one, however often it is tried."""
    run = min(project.runs_with(network="twin"))
    fails = tmp_path / "fails.sh"  # read by each bash before its command
    fails.write_text(f'case "$BASH_EXECUTION_STRING" in *" hessian "*{run}*) exit 3;; esac\n', encoding="utf-8")
    project.edit("trace_probes: 3", "trace_probes: 2")
    said = project.snakemake("--cores", "all", env={"BASH_ENV": str(fails)})
    assert said.returncode == 1
    left = measure({run}, OF_H) | studies_again("network")
    assert project.plan() == left
    with project.for_now():
        project.edit("trace_probes: 2", "trace_probes: 3")  # the table of the old setting is gone
        assert left | studies_again("rate") <= project.plan()
    assert project.run() == left
    assert project.plan() == set()


def test_results_by_another_path(project):
    """Moved, copied, absolute, through a link: nothing; and an edit there is seen."""
    results = project.folder / "results"
    copy(results, project.folder / "copied")
    (project.folder / "linked").symlink_to("copied")
    shutil.rmtree(project.folder / ".snakemake")
    of_k = measure(project.runs, ["measure_covariance", "measure_assumptions"]) | EVERYTHING_MEASURED
    results.rename(project.folder / "moved")
    for path in ("copied", "linked", "moved", str(project.folder / "moved"), "copied/../moved"):
        assert project.plan("--config", f"results={path}") == set(), path
        with project.for_now():
            project.edit("covariance: {batch_size: 10}", "covariance: {batch_size: 8}")
            assert project.plan("--config", f"results={path}") == of_k, path


def test_data_replaced_in_place(fresh):
    folder = fresh.folder / "pictures"
    for split, label, number in itertools.product(("train", "test"), "ab", range(4)):
        (folder / split / label).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / split / label / f"{number}.png")
    fresh.edit("{loader: digits, train_examples: 300, test_examples: 100,", "{loader: image_folder, path: pictures,")
    fresh.edit("batch_size: 100", "batch_size: 4")
    [data] = [job for job in fresh.plan() if job.startswith(PREPARE)]
    target = f"results/data/{data.split()[1]}/manifest.json"
    assert fresh.run(target) == {data}
    subprocess.run(["cp", "-r", folder, fresh.folder / "again"], check=True)
    shutil.rmtree(folder)
    (fresh.folder / "again").rename(folder)
    assert fresh.plan(target) == set()  # other times
    Image.new("RGB", (4, 4), (0, 9, 0)).save(folder / "train/a/3.png")
    assert fresh.plan(target) == {data}
    assert fresh.run(target) == {data}
    assert fresh.plan(target) == set()
    (folder / "train/a/3.png").rename(folder / "train/b/4.png")
    assert fresh.plan(target) == {data}


def test_data_that_hold_the_results(fresh):
    fresh.edit("{loader: digits, train_examples: 300, test_examples: 100,", "{loader: image_folder, path: .,")
    said = fresh.snakemake("--dry-run")
    assert said.returncode == 1 and "Traceback" not in said.stdout
    assert said.stdout.splitlines()[-1] == (
        "'.', of which data are read, holds the results folder 'results': choose another for one of them"
    )


def test_a_stage_by_hand(project):
    """What it made is known where it was given the key that the dry run prints; else it is made again."""
    output = f"results/runs/{min(project.runs)}/covariance.csv"
    (project.folder / output).unlink()
    said = project.snakemake("--dry-run", "--printshellcmds", output).stdout
    [command] = [line.partition("Shell command: ")[2] for line in said.splitlines() if "start.py covariance" in line]
    (project.folder / "results/logs/covariance").mkdir(parents=True, exist_ok=True)
    subprocess.run(command, shell=True, check=True, cwd=project.folder, env=environment(), executable="/bin/bash")
    assert project.plan() == set()
    by_hand = command.replace("--key", "--key= --threads 1 #")
    words = by_hand[: by_hand.index("#")].strip()
    subprocess.run(words, shell=True, check=True, cwd=project.folder, env=environment(), executable="/bin/bash")
    assert f"measure_covariance {min(project.runs)}" in project.plan()


def test_inputs_that_were_touched(project):
    for path in (project.folder / "results").rglob("*"):
        os.utime(path)
    assert project.plan() == set()


def test_another_results_folder(project):
    runs = project.runs
    planned = project.plan("--config", "results=elsewhere")
    [prepare] = [job for job in planned if job.startswith(PREPARE)]
    of_studies = tables(*STUDIES) | figures(*STUDIES) | CLAIMS | BUNDLE | REPORT
    assert planned == {prepare} | train(runs) | measure(runs) | of_studies
    assert project.plan() == set()
