"""A learning rate that switches at the break-even point of the run without the switch: found first, as jobs of the DAG."""

import json

import pandas as pd
import pytest

from breakeven.specs.run import run_id, source_of
from tests.workflow.project import measure, tables, train

pytestmark = pytest.mark.workflow

STUDY = """\
device: cpu
datasets:
  digits: {loader: digits, train_examples: 300, test_examples: 100, measured_fraction: 0.2}
measurements:
  covariance: {batch_size: 10}
  hessian: {eigenvalues: 1}
studies:
  early:
    base:
      dataset: digits
      network: simple_cnn
      network_options: {channels: [4], dense: 8}
      learning_rate: 0.5
      batch_size: 30
      steps: 40
      snapshots: [{every: 5}]
      schedule: [{at: 0.5, unit: break_even, learning_rate: 0.05}]
    seeds: [0]
"""
# of another first learning rate, at the same step
CONTROL = """\
  control:
    base:
      dataset: digits
      network: simple_cnn
      network_options: {channels: [4], dense: 8}
      learning_rate: 0.3
      batch_size: 30
      steps: 40
      snapshots: [{every: 5}]
      schedule: [{at: 0.5, unit: break_even, of: 0.5, learning_rate: 0.05}]
    seeds: [0]
"""
TABLE = ("--", "results/tables/early/runs.csv")


def test_a_switch_at_the_break_even_point(fresh):
    (fresh.folder / "config.yaml").write_text(STUDY, encoding="utf-8")
    executed = fresh.run(*TABLE)
    [run] = [name for name, spec in fresh.runs.items() if spec.schedule]
    source = run_id(source_of(fresh.runs[run]))
    # it is in no study: nothing else
    of_the_source = measure({source}, ["measure_hessian", "measure_stability", "measure_locate"])
    [prepare] = executed - train({run, source}) - measure({run}) - of_the_source - tables("early")
    assert prepare.startswith("prepare_dataset")

    table = pd.read_csv(fresh.folder / f"results/runs/{source}/locate.csv")
    point = int(table["step"][table["stability_lhs"] >= 1].iloc[0])
    training = json.loads((fresh.folder / f"results/runs/{run}/training.json").read_text())
    assert training["switches"] == [{"step": round(0.5 * point), "learning_rate": 0.05}]
    [row] = pd.read_csv(fresh.folder / "results/tables/early/runs.csv").to_dict("records")
    assert (row["run"], row["first_switch_step"]) == (run, round(0.5 * point))
    measured = pd.read_csv(fresh.folder / f"results/runs/{run}/stability.csv")
    assert sorted(measured["two_over_lr"].unique()) == [2 / 0.5, 2 / 0.05]
    assert fresh.plan(*TABLE) == set()

    # a control counts in the break-even point of the same source, which is there
    (fresh.folder / "config.yaml").write_text(STUDY + CONTROL, encoding="utf-8")
    executed = fresh.run("--", "results/tables/control/runs.csv")
    [control] = [job.removeprefix("train_run ") for job in executed if job.startswith("train_run")]
    assert executed == train({control}) | measure({control}) | tables("control")
    training = json.loads((fresh.folder / f"results/runs/{control}/training.json").read_text())
    assert training["switches"] == [{"step": round(0.5 * point), "learning_rate": 0.05}]
    (fresh.folder / "config.yaml").write_text(STUDY, encoding="utf-8")

    # the seeds of a study that lost its switch are found again
    fresh.edit("      schedule: [{at: 0.5, unit: break_even, learning_rate: 0.05}]\n", "")
    assert fresh.plan(*TABLE) == measure({source}, ["measure_covariance", "measure_assumptions"]) | tables("early")
