"""What a config takes: counts that are known beforehand, and what is taken from jobs that are done."""

import re
from pathlib import Path

import pytest
import torch

from breakeven.config.plan import load_plan
from breakeven.config.results import Results
from breakeven.estimate.calibration import MeasuringCost, TrainingCost
from breakeven.estimate.estimate import Estimate, estimate
from breakeven.store.errors import UserError
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
    runs, gradients, disk, memory, time, *rules = estimate(config, device=CPU).splitlines()
    assert runs == "8 runs, 54 jobs, 54 of them to do"
    assert gradients.startswith("gradient evaluations: 320 of mini-batches to train, ")
    assert memory.startswith("memory: at most 4000 MB for a job, ")
    assert re.fullmatch(r"time: [\d.]+ (s|min) with \d+ jobs at a time \([\d.]+ (s|min) one by one\)", time)
    assert [rule.split(":")[0].strip() for rule in rules if "train" in rule or "measure" in rule] == [
        "train_run",
        "measure_covariance",
        "measure_hessian",
        "measure_stability",
        "measure_assumptions",
        "measure_locate",
    ]
    assert disk == "disk: 2 MB"  # of the figure
    assert not Path("results").exists()


def test_the_disk_that_snapshots_take(config):
    """θ_t, θ_{t+1} and an eigenvector of 4 bytes each, at steps 0, 10, …, 40, with headers of 1 or 2 kB; and the last state."""
    found = Estimate(config, CPU, config.absolute().parent / "temporary")
    training = next(each for each in found.planned if each.rule == "train_run")
    size = found.calibrated(training).size / 6
    assert 3 * 4 * WEIGHTS < size < 3 * 4 * WEIGHTS + 3000


def test_a_snapshot_more_costs_as_much_as_one(config, monkeypatch):
    """The seconds of measurements and trainings grow with snapshots and steps alone."""
    found = Estimate(config, CPU, config.absolute().parent / "temporary")
    hessian = next(each for each in found.planned if each.rule == "measure_hessian")
    spec = found.plan.runs[hessian.name]
    fixed, each = found.measuring(spec).seconds["hessian"]
    assert found.calibrated(hessian).seconds == pytest.approx(fixed + 5 * each)
    assert found.calibrated(hessian).gradients == pytest.approx((fixed + 5 * each) / found.measuring(spec).gradient)
    assert each > 5 * found.measuring(spec).gradient  # its products


def test_locating_takes_the_steps_between_two_snapshots_and_measures_half_of_them(config):
    found = Estimate(config, CPU, config.absolute().parent / "temporary")
    training = TrainingCost(step=2.0, evaluation=0.0, steps_per_epoch=10, snapshot_bytes=0)
    measuring = MeasuringCost({"hessian": (1.0, 10.0), "stability": (0.5, 3.0)}, gradient=0.5)
    share = found.locating(training, measuring, [0, 10, 20, 30, 130])
    assert share.seconds == 10 * 2 + 1.5 + 5 * 13 and share.gradients == (1.5 + 5 * 13) / 0.5
    share = found.locating(training, measuring, [0, 1000])
    assert share.seconds == 1000 * 2 + 1.5 + 16 * 13, "32 steps are measured at most"
    assert found.locating(training, measuring, [0]).seconds == 1.5


def test_what_is_done_is_not_to_do(config):
    done(config, 100.0, lambda result: result.rule != "prepare_dataset")
    runs, _, _, _, time, *rules = estimate(config, device=CPU).splitlines()
    assert runs == "8 runs, 54 jobs, 1 of them to do"
    assert time.startswith("time: 2.4 s with ")
    assert [rule.split(":")[0].strip() for rule in rules] == ["prepare_dataset"]


def test_where_all_is_done_there_is_nothing_more_to_say(config):
    done(config, 100.0, lambda result: True)
    assert estimate(config, device=CPU) == "8 runs, 54 jobs, 0 of them to do"


def test_what_snakemake_would_make_again_is_to_do(config):
    """A table that is gone, and what follows from it."""
    done(config, 100.0, lambda result: result.rule != "prepare_dataset")
    run = min(load_plan(config).runs)
    Path("results/runs", run, "hessian.csv").unlink()
    found = Estimate(config, CPU, Path("temporary"))
    left = {(result.rule, result.name) for result in found.planned if result not in found.done}
    assert {("measure_hessian", run), ("measure_stability", run), ("summarise_study", "main")} <= left
    assert ("train_run", run) not in left and ("measure_covariance", run) not in left


NETWORKS = """
import torch
from torch import nn
def frozen(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes)).requires_grad_(False)
def wrong(input_shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 13))
def raises(input_shape, classes):
    raise RuntimeError("my own trouble")
def diverging(input_shape, classes):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    nn.init.constant_(network[1].weight, torch.nan)
    return network
"""


@pytest.mark.parametrize(
    ("network", "told"),
    [("frozen", "no parameter that is trained"), ("wrong", "must return a tensor"), ("raises", "my own trouble")],
)
def test_a_network_of_the_users_own_that_cant_be_measured(config, network, told):
    Path("my.py").write_text(NETWORKS, encoding="utf-8")
    own = CONFIG.replace("network: simple_cnn", f"network: my.py:{network}").replace("{channels: [2], dense: 4}", "{}")
    config.write_text(own, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        estimate(config, device=CPU)


def test_a_network_that_diverges_at_once(config):
    Path("my.py").write_text(NETWORKS, encoding="utf-8")
    own = CONFIG.replace("network: simple_cnn", "network: my.py:diverging").replace("{channels: [2], dense: 4}", "{}")
    config.write_text(own, encoding="utf-8")
    assert estimate(config, device=CPU).startswith("8 runs, 54 jobs, 54 of them to do")


def test_jobs_of_a_kind_take_what_others_took(config):
    """They differ in seed and learning rate; those with another batch size are calibrated."""
    plan = load_plan(config)
    first = min(run for run, spec in plan.runs.items() if spec.batch_size == 32)
    done(config, 1000.0, lambda result: result.rule == "train_run" and result.name == first)
    found = Estimate(config, CPU, config.absolute().parent / "temporary")
    seconds = {result.name: found.share(result).seconds for result in found.planned if result.rule == "train_run"}
    assert {run for run, took in seconds.items() if took > 1000} == {
        run for run, spec in plan.runs.items() if spec.batch_size == 32
    }
    assert max(took for took in seconds.values() if took < 1000) < 100


def test_what_was_made_with_other_settings_says_nothing(config):
    done(config, 1000.0, lambda result: result.rule == "measure_hessian")
    config.write_text(CONFIG.replace("eigenvalues: 1", "eigenvalues: 2"), encoding="utf-8")
    found = Estimate(config, CPU, config.absolute().parent / "temporary")
    assert all(found.share(result).seconds < 100 for result in found.planned)
