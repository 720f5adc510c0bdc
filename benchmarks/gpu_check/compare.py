"""One run on digits, trained and measured three times: on the CPU, on the device, and on the device again.

The device must give the same bytes twice: snapshots and tables. Against the CPU, the first three snapshots must agree: λ and
traces of K to 1e-3, and what is estimated or is a difference to 2e-2. Later ones part, as trajectories do: they are only told.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from gpu_check.check import Check
from gpu_check.whole_runs import MEASUREMENTS, many_cores, measuring, prepared, snapshots, succeeded, training

LIMITS = {
    "covariance": {"lambda_1": 1e-3, "trace": 1e-3, "lambda_star": 1e-3},
    "hessian": {"lambda_1": 1e-3, "trace": 2e-2},
    "stability": {"curvature_variance": 1e-3, "alpha_star": 2e-2, "delta_loss": 2e-2},
}
COMPARED = 3  # snapshots
CPU, FIRST, AGAIN = "cpu", "first", "again"


def run(check: Check) -> None:
    """Rows for the bytes, and one for each column of the tables."""
    prepared(check)
    devices = {CPU: "cpu", FIRST: check.device, AGAIN: check.device}
    with ThreadPoolExecutor(len(devices) if many_cores() else 1) as pool:
        took = dict(zip(devices, pool.map(lambda name: measured_run(check, name, devices[name]), devices), strict=True))
    for name, seconds in took.items():
        told = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
        check.tell(f"seconds of the run on {devices[name]}, {name}", told)
    same_bytes(check)
    for stage, limits in LIMITS.items():
        tables = [check.work / name / f"{stage}.csv" for name in (CPU, FIRST)]
        for column, limit in limits.items():
            same_numbers(check, f"{stage}.{column}, {check.device} against the CPU", *tables, column, limit)


def same_numbers(check: Check, what: str, one: Path, other: Path, column: str, limit: float) -> None:
    """A row: the relative differences of a column of two tables, of which those of the first snapshots are judged."""
    x, y = (pd.read_csv(table)[column].to_numpy() for table in (one, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0, np.abs(x - y) / np.abs(x))
    begin = float(differences[:COMPARED].max())
    found = f"first {COMPARED} snapshots differ by {begin:.1e}, all by {differences.max():.1e}"
    check.tell(what, found, begin <= limit)


def measured_run(check: Check, name: str, device: str) -> dict[str, float]:
    """Train and measure it; seconds of each stage."""
    steps = 40 if check.quick else 400
    commands = {"train": training(check, name, device, 2, steps=steps)}
    commands |= {stage: measuring(check, name, stage, device, 2) for stage in MEASUREMENTS}
    seconds = {}
    for stage, command in commands.items():
        start = time.perf_counter()
        succeeded(command)
        seconds[stage] = time.perf_counter() - start
    return seconds


def same_bytes(check: Check) -> None:
    """Snapshots and tables of the two runs on the device."""
    cpu, first, again = (snapshots(check, name) for name in (CPU, FIRST, AGAIN))
    equal = sum(map(str.__eq__, first, again))
    check.tell(f"snapshots equal to the byte, {check.device} twice", f"{equal} of {len(again)}", first == again)
    check.tell(
        f"snapshots equal to the byte, {check.device} and CPU", f"{sum(map(str.__eq__, cpu, first))} of {len(cpu)}"
    )
    tables = ["history.csv", *(f"{stage}.csv" for stage in MEASUREMENTS)]
    pairs = {table: [(check.work / name / table).read_bytes() for name in (FIRST, AGAIN)] for table in tables}
    others = [table for table, (one, other) in pairs.items() if one != other]
    found = f"all but {', '.join(others)}" if others else "all"
    check.tell(f"tables equal to the byte, {check.device} twice", found, not others)
