"""What a config takes: counts that are known beforehand, and what is taken from jobs that are done."""

import re
from pathlib import Path

import pytest
import torch

from breakeven.config.plan import load_plan
from breakeven.config.results import Results
from breakeven.estimate.estimate import Estimate, estimate
from breakeven.store.record import write_record

CPU = torch.device("cpu")
CONFIG = """\
datasets:
  digits: {loader: digits, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 16}
  hessian: {eigenvalues: 1, max_matvecs: 40, batch_size: 64, trace_probes: 2}
studies:
  main:
    base:
      dataset: digits
      network: simple_cnn
      network_options: {channels: [2], dense: 4}
      learning_rate: 0.1
      batch_size: 64
      steps: 40
      snapshots: [{every: 10}]
    sweeps: {learning_rate: [0.1, 0.2], batch_size: [32, 64]}
    seeds: [0, 1]
    figures: [lambda_H]
"""
WEIGHTS = 2 * 9 + 2 + 2 * 2 * 9 + 2 + (2 * 4 * 4) * 4 + 4 + 4 * 10 + 10


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG, encoding="utf-8")
    return Path("config.yaml")


def done(config, seconds, chosen):
    """Results as if their jobs had been done, in so many seconds."""
    for result in Results(load_plan(config), lambda path: "").planned():
        if chosen(result):
            for file in result.files:
                path = Path("results") / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir(exist_ok=True) if not file.suffix else path.write_text("", encoding="utf-8")
            write_record(Path("results") / result.last, result.key, [Path("results") / file for file in result.files])
            cost = Path("results") / result.cost
            cost.parent.mkdir(parents=True, exist_ok=True)
            cost.write_text(f"s\tcpu_time\tmax_rss\n{seconds}\t1\t1\n", encoding="utf-8")


def test_what_is_known_beforehand(config):
    runs, gradients, disk, memory, time, *rules = estimate(config, CPU).splitlines()
    assert runs == "8 runs, 38 jobs, 38 of them to do"
    assert gradients.startswith("gradient evaluations: 320 of mini-batches to train, ")
    assert memory.startswith("memory: at most 4000 MB for a job, ")
    assert re.fullmatch(r"time: [\d.]+ (s|min) with \d+ jobs at a time \([\d.]+ (s|min) one by one\)", time)
    assert [rule.split(":")[0].strip() for rule in rules if "train" in rule or "measure" in rule] == [
        "train_run",
        "measure_covariance",
        "measure_hessian",
        "measure_stability",
    ]
    assert disk == "disk: 2 MB"  # of the figure
    assert not Path("results").exists()


def test_the_disk_that_snapshots_take(config):
    """θ_t, θ_{t+1} and an eigenvector of 4 bytes each, at steps 0, 10, …, 40, beside a header of 1 or 2 kB."""
    found = Estimate(config, CPU)
    training = next(each for each in found.planned if each.rule == "train_run")
    size = found.calibrated(training).size / 5
    assert 3 * 4 * WEIGHTS < size < 3 * 4 * WEIGHTS + 3000


def test_a_snapshot_more_costs_as_much_as_one(config, monkeypatch):
    """The seconds of measurements and trainings grow with snapshots and steps alone."""
    found = Estimate(config, CPU)
    hessian = next(each for each in found.planned if each.rule == "measure_hessian")
    spec = found.plan.runs[hessian.name]
    fixed, each = found.measuring(spec).seconds["hessian"]
    assert found.calibrated(hessian).seconds == pytest.approx(fixed + 5 * each)
    assert found.calibrated(hessian).gradients == pytest.approx((fixed + 5 * each) / found.measuring(spec).gradient)
    assert each > 5 * found.measuring(spec).gradient  # its products


def test_what_is_done_is_not_to_do(config):
    done(config, 100.0, lambda result: result.rule != "prepare_dataset")
    runs, _, _, _, time, *rules = estimate(config, CPU).splitlines()
    assert runs == "8 runs, 38 jobs, 1 of them to do"
    assert time.startswith("time: 2.4 s with ")
    assert [rule.split(":")[0].strip() for rule in rules] == ["prepare_dataset"]


def test_jobs_of_a_kind_take_what_others_took(config):
    """They differ in seed and learning rate; those with another batch size are calibrated."""
    plan = load_plan(config)
    first = min(run for run, spec in plan.runs.items() if spec.batch_size == 32)
    done(config, 1000.0, lambda result: result.rule == "train_run" and result.name == first)
    found = Estimate(config, CPU)
    seconds = {result.name: found.share(result).seconds for result in found.planned if result.rule == "train_run"}
    assert {run for run, took in seconds.items() if took > 1000} == {
        run for run, spec in plan.runs.items() if spec.batch_size == 32
    }
    assert max(took for took in seconds.values() if took < 1000) < 100


def test_what_was_made_with_other_settings_says_nothing(config):
    done(config, 1000.0, lambda result: result.rule == "measure_hessian")
    config.write_text(CONFIG.replace("eigenvalues: 1", "eigenvalues: 2"), encoding="utf-8")
    found = Estimate(config, CPU)
    assert all(found.share(result).seconds < 100 for result in found.planned)
