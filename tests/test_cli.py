"""The command line, in processes of its own: what a user sees, and each stage by hand without Snakemake."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.config.plan import load_plan
from breakeven.specs.dataset import dataset_id
from breakeven.specs.run import canonical_json

CONFIG = """\
datasets:
  digits: {loader: digits, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 16}
  hessian: {eigenvalues: 2, max_matvecs: 40, batch_size: 64}
  density: {probes: 2, steps: 20}
studies:
  main:
    base:
      dataset: digits
      network: simple_cnn
      network_options: {channels: [2], dense: 4}
      learning_rate: 0.1
      batch_size: 64
      steps: 4
      snapshots: [{every: 2}]
    seeds: [3]
"""
MEASUREMENTS = ["covariance", "hessian", "stability", "density", "predictions"]
STAGES = ["prepare", "train", *MEASUREMENTS, "embed", "summarise", "claims", "plot", "report"]


def command(*arguments, folder):
    arguments = [json.dumps(a) if isinstance(a, dict | list) else str(a) for a in arguments]
    return subprocess.run(
        [sys.executable, "-m", "breakeven", *arguments], cwd=folder, text=True, capture_output=True, check=False
    )


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_help_lists_the_stages(tmp_path):
    done = command("--help", folder=tmp_path)
    assert done.returncode == 0
    listed = re.findall(r"^    (\w+)(?:  +\S|$)", done.stdout, flags=re.MULTILINE)
    assert [stage for stage in listed if stage in STAGES] == STAGES  # in the order in which data flow


@pytest.mark.parametrize("stage", [*STAGES, "check"])
def test_each_stage_explains_itself(tmp_path, stage, monkeypatch, capsys):
    from breakeven.__main__ import main

    monkeypatch.setattr(sys, "argv", ["breakeven", stage, "--help"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 0
    assert f"usage: python -m breakeven {stage}" in capsys.readouterr().out


def test_a_mistake_of_the_user_is_one_line(tmp_path):
    spec = {"loader": "image_folder", "path": "nowhere"}
    done = command("prepare", "--spec", spec, "--out", "out", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    began, told = done.stderr.splitlines()
    assert began == "prepare image_folder in out"
    assert told.startswith("error: image_folder: 'nowhere' has no folder 'train'")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_wrong_command_line_is_refused(tmp_path):
    for arguments in ([], ["fly"], ["prepare", "--out", "x"], ["prepare", "--spec", "{", "--out", "x"]):
        done = command(*arguments, folder=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_run_by_hand(tmp_path):
    """From the config's plan, each stage as its rule calls it; every table has a row for each snapshot."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    plan = load_plan(tmp_path / "config.yaml")
    [(run, spec)] = plan.runs.items()
    data, folder = Path("results/data") / dataset_id(spec.dataset), Path("results/runs") / run
    on_cpu = ["--device", "cpu", "--threads", 1]
    points = {"columns": ["run", "learning_rate", "batch_size", "seed"], "rows": [[run, 0.1, 64, 3]]}

    predictions = folder / "predictions.safetensors"

    def measure(stage):
        own = getattr(plan.config.measurements, stage, None)
        settings = dataclasses.asdict(own) if own else {}
        if stage in ("stability", "density"):
            settings = settings | {"batch_size": 64, "precision": "float32"}
        return [
            stage,
            "--run",
            folder,
            "--data",
            data,
            "--settings",
            settings,
            "--out",
            folder / f"{stage}.csv",
            *on_cpu,
        ]

    for arguments in (
        ["prepare", "--spec", spec.dataset, "--location", {}, "--out", data],
        ["train", "--spec", canonical_json(spec), "--data", data, "--out", folder, "--state", "state", *on_cpu],
        measure("covariance"),
        measure("hessian"),
        measure("stability"),
        measure("density"),
        ["predictions", "--run", folder, "--data", data, "--settings", {}, "--out", predictions, *on_cpu],
        ["embed", "--results", "results", "--points", points, "--out", "tables/embedding.csv"],
        ["summarise", "--results", "results", "--points", points, "--accuracy-threshold", 0.6, "--out", "tables"],
    ):
        done = command(*arguments, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""

    made = tmp_path / folder
    assert json.loads((tmp_path / data / "manifest.json").read_text())["measured_examples"] == 144
    assert [row["step"] for row in rows_of(made / "history.csv")] == ["0", "0", "2", "2", "4", "4"]
    covariance, hessian = rows_of(made / "covariance.csv"), rows_of(made / "hessian.csv")
    stability = rows_of(made / "stability.csv")
    assert [(row["step"], row["lambda_1"]) for row in stability] == [(row["step"], row["lambda_1"]) for row in hessian]
    assert [row["step"] for row in covariance] == [row["step"] for row in hessian] == ["0", "2", "4"]
    assert all(float(row["lambda_1"]) > 0 for row in covariance + hessian)
    density = rows_of(made / "density.csv")
    assert [row["step"] for row in density] == ["0"] * 40 + ["2"] * 40 + ["4"] * 40
    assert sum(float(row["weight"]) for row in density) == pytest.approx(3)
    largest = [max(float(row["eigenvalue"]) for row in density if row["step"] == step) for step in "024"]
    assert largest == pytest.approx([float(row["lambda_1"]) for row in hessian], rel=0.01)
    [row] = rows_of(tmp_path / "tables" / "runs.csv")
    assert (row["run"], row["seed"], row["diverged"]) == (run, "3", "False")
    assert float(row["max_lambda_K"]) == max(float(row["lambda_1"]) for row in covariance)
    assert float(row["max_lambda_H"]) == max(float(row["lambda_1"]) for row in hessian)
    assert float(row["final_test_accuracy"]) == float(rows_of(made / "history.csv")[-1]["accuracy"])
    quantities = {row["quantity"] for row in rows_of(tmp_path / "tables" / "trajectories.csv")}
    assert {
        "train_loss",
        "lambda_K_1",
        "lambda_H_1",
        "lambda_H_2",
        "trace_H",
        "stability_lhs",
        "delta_loss",
    } <= quantities
