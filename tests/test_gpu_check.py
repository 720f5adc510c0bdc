"""``benchmarks/gpu.py`` runs, on a CPU; and it fails where it should."""

import itertools
import os
import subprocess
import sys
import warnings
from pathlib import Path

import gpu
import pytest
import torch
from gpu_check import compare, hazards, spectra, steps
from gpu_check.check import Check, Row, read_rows, start_table
from gpu_check.trainings import pictures

from breakeven.specs import run

ROOT = Path(gpu.__file__).parents[1]


@pytest.fixture
def check(tmp_path):
    start_table(tmp_path / "gpu.csv")
    return Check("phase", "cpu", True, tmp_path / "gpu.csv", tmp_path)


def verdicts(check):
    return {row.what: row.verdict for row in read_rows(check.table)}


def test_spectra_on_a_cpu(tmp_path):
    command = [sys.executable, gpu.__file__, "--device", "cpu", "--quick", "--only", "spectra", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no failure"), done.stdout + done.stderr
    rows = read_rows(tmp_path / "gpu.csv")
    assert [row.verdict for row in rows] == ["ok", "ok", "ok", ""]
    assert all(row.found.startswith("float64 0.0e+00") for row in rows[:3])
    assert (
        "| mlp-smooth |" in (tmp_path / "gpu.md").read_text() and "##### spectra" in (tmp_path / "gpu.log").read_text()
    )


def test_a_spectrum_that_is_off_fails(check, monkeypatch):
    sizes = itertools.cycle([1.0, 1 + 1e-9, 1.0])  # the CPU's, the device's, the device's in float32
    monkeypatch.setattr(spectra, "CASES", ["mlp-smooth"])
    monkeypatch.setattr(spectra, "measured", lambda *_: {"H·v": torch.full((3,), next(sizes), dtype=torch.float64)})
    spectra.run(check)
    assert verdicts(check) == {"mlp-smooth": "FAIL"}
    sizes = itertools.cycle([1.0, 1 + 1e-12, 1.0])
    spectra.run(check)
    assert verdicts(check) == {"mlp-smooth": "ok"}


def test_what_is_not_finite_is_no_small_difference():
    expected = {"K": torch.ones(2), "H·v": torch.ones(2)}
    assert spectra.largest_difference(expected | {"K": torch.tensor([1, torch.nan])}, expected) == (float("inf"), "K")


@pytest.mark.parametrize("found", ["nan", "1.003"])
def test_a_table_that_differs_from_the_cpus_fails(found, check):
    (check.work / "one.csv").write_text("step,x\n0,1\n1,1\n2,1\n3,1\n")
    (check.work / "other.csv").write_text(f"step,x\n0,1\n1,{found}\n2,1\n3,9\n")
    compare.same_numbers(check, "x", *(check.work / f"{name}.csv" for name in ("one", "one")), "x", 1e-3)
    assert verdicts(check) == {"x": "ok"}
    compare.same_numbers(check, "x", *(check.work / f"{name}.csv" for name in ("one", "other")), "x", 1e-3)
    assert verdicts(check) == {"x": "FAIL"}


def test_steps_that_are_not_the_bare_ones_fail(check, monkeypatch):
    examples = pictures(64, torch.device("cpu"))
    steps.compare(check, "simple_cnn", 8, examples)
    assert verdicts(check)["simple_cnn, S = 8: equal to the bit"] == "ok"
    monkeypatch.setattr(steps.step, "LEARNING_RATE", 0.02)
    monkeypatch.setattr(steps.step, "training", training_at(0.01))
    steps.compare(check, "simple_cnn", 8, examples)
    assert verdicts(check)["simple_cnn, S = 8: equal to the bit"] == "FAIL"


def training_at(learning_rate):
    original = steps.step.training
    return lambda *given, **changes: original(*given, **changes, learning_rate=learning_rate)


def test_a_synchronisation_is_told_by_the_line_of_the_package_that_made_it(monkeypatch):
    def synchronise(*_, **__):
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)

    monkeypatch.setattr(run.json, "dumps", synchronise)
    spec = run.RunSpec({"loader": "digits"}, "mlp", {}, 0.1, 8, (run.Segment(1),), 0, steps=1)
    places = hazards.synchronisations(lambda: [run.canonical_json(spec) for _ in range(2)])
    [(place, count)] = places.items()
    file, line = place.split(":")
    assert (file, count) == ("run.py", 2)
    assert "json.dumps(" in Path(run.__file__).read_text().splitlines()[int(line) - 1]


def test_the_time_in_which_something_runs_counts_once():
    assert steps.covered([(5, 6), (0, 2), (1, 3), (1.5, 2.5)]) == 4
    assert steps.covered([]) == 0


PYTHON = """#!/bin/sh
case $3 in
    slow) sleep 60 ;;
    broken) echo "ValueError: it is broken"; exit 1 ;;
    crashed) kill -SEGV $$ ;;
esac
"""


def test_phases_that_fail_or_run_over_are_told_and_the_next_ones_run(check, monkeypatch):
    python = check.work / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    monkeypatch.setattr(gpu.sys, "executable", str(python))
    monkeypatch.setattr(gpu, "LEAST", 0.5)
    names = ("slow", "broken", "crashed", "good", "late")
    monkeypatch.setattr(gpu, "NAMES", names)
    phases = [gpu.Phase(name, {"slow": 1, "late": 0}.get(name, 30), True) for name in names]
    gpu.Run(check.table, "cpu", True, 1.0).phases(phases, at_once=2)
    found = {row.phase: (row.found, row.verdict) for row in read_rows(check.table)}
    assert found["slow"] == ("ran over its time limit of 1 s, and was ended", "FAIL")
    assert found["broken"] == ("ended with exit code 1: ValueError: it is broken", "FAIL")
    assert found["crashed"][0].startswith("ended with exit code") and found["crashed"][1] == "FAIL"
    assert found["good"][0].startswith("took ") and found["good"][1] == ""
    assert found["late"] == ("did not run: no time was left", "FAIL")
    told = check.table.with_suffix(".md").read_text().partition("## Failures")[2].strip().splitlines()
    assert sorted(line.split(":")[0] for line in told) == ["- broken", "- crashed", "- late", "- slow"]


def test_failures_are_those_rows_and_no_others():
    rows = [Row("steps", "a", "1", "FAIL"), Row("steps", "b", "2", "ok"), Row("oom", "c", "FAIL", "")]
    assert gpu.failed(rows) == ["steps: a: 1"]
    assert gpu.report(rows[1:]).endswith("## Failures\n\nNone.\n")
