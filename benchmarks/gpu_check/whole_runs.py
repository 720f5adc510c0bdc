"""Whole runs on digits by the package's own command line, for the phases that start and end processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from breakeven.commands import flags
from breakeven.store.training_record import read_training
from gpu_check.check import LETTERS, Check

SPEC = {
    "dataset": {"loader": "digits", "measured_fraction": 0.2},
    "network": "simple_cnn",
    "network_options": {"channels": [16, 32], "dense": 64},
    "learning_rate": 0.1,
    "batch_size": 32,
    "snapshots": [{"every": 20, "until": 200}, {"every": 50, "until": 300}, {"every": 100}],
    "seed": 0,
    "steps": 400,
}
HESSIAN = {"eigenvalues": 1, "batch_size": 512, "trace_probes": 3}
MEASUREMENTS = {"covariance": {"batch_size": 16}, "hessian": HESSIAN, "stability": {"batch_size": 512}}


def command(stage: str, *arguments: object) -> list[str]:
    """The command of a stage."""
    return [sys.executable, "-m", "breakeven", stage, *map(str, arguments)]


def finished(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    done = subprocess.run(command, capture_output=True, text=True)
    print(" ".join(command)[:LETTERS], done.stdout, done.stderr, sep="\n", flush=True)
    return done


def succeeded(command: list[str]) -> None:
    """Run it to its end, which must be a good one."""
    done = finished(command)
    if done.returncode:
        raise RuntimeError(f"{command[3]} ended with {done.returncode}: {last_line(done.stderr)}")


def last_line(text: str) -> str:
    """What a stage says of its failure."""
    return (text.strip().splitlines() or [""])[-1]


def prepared(check: Check) -> Path:
    """Digits, prepared in the folder of the phase."""
    folder = check.work / "data"
    if not folder.exists():
        succeeded(command("prepare", "--spec", json.dumps(SPEC["dataset"]), "--out", folder))
    return folder


def training(check: Check, name: str, device: str, slots: int = 1, **changes: object) -> list[str]:
    """The command that trains a run into the folder ``name``; ``changes`` of `SPEC`."""
    places = ["--data", prepared(check), "--out", check.work / name, "--state", state_of(check, name)]
    return command("train", "--spec", json.dumps(SPEC | changes), *places, "--device", device, "--slots-per-gpu", slots)


def state_of(check: Check, name: str) -> Path:
    """Where a training keeps its checkpoints, and its snapshots until it is done."""
    return check.work / f"{name}-state"


def measuring(check: Check, name: str, stage: str, device: str, slots: int = 1) -> list[str]:
    """The command that measures the run in the folder ``name``."""
    run = check.work / name
    places = ["--run", run, "--data", prepared(check), "--out", run / f"{stage}.csv"]
    return command(stage, *places, *flags(MEASUREMENTS[stage]), "--device", device, "--slots-per-gpu", slots)


def snapshots(check: Check, name: str) -> list[str]:
    """The SHA-256 of each snapshot of the run in the folder ``name``."""
    return [entry.sha256 for entry in read_training(check.work / name).snapshots]


def many_cores() -> bool:
    """Whether several processes can run at once without waiting for each other."""
    return len(os.sched_getaffinity(0)) >= 8
