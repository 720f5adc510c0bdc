"""A whole study, by turns with an earlier commit: wall time, processor seconds of each stage, and whether results are the same.

The config is the earlier commit's config.yaml, so that both do the same. Each turn runs in a folder of its own, from nothing, by
``snakemake`` of this environment on ``--cores`` cores, with nothing else beside it. Same results: the snapshots byte for byte,
and the largest relative difference of each quantity of the runs' tables; the eigensolver is another than at 52adac4.
"""

import argparse
import csv
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import common
import torch

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("prepare", "train", "covariance", "hessian", "stability", "summarise", "claims", "bundle", "plot", "report")
COMPARED = {
    "history.csv": ("loss", "accuracy"),
    "covariance.csv": ("lambda_1", "trace"),
    "hessian.csv": ("lambda_1",),
    "stability.csv": ("alpha_star", "delta_loss"),
}


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--commit", default="52adac4", help="the earlier commit (default: %(default)s)")
    options.add_argument("--turns", type=int, default=3, help="default: %(default)s")
    options.add_argument("--cores", type=int, default=2, help="default: %(default)s")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copies = {
            "before": checkout(arguments.commit, Path(folder, "before")),
            "now": checkout("HEAD", Path(folder, "now")),
        }
        config = copies["before"] / "config.yaml"
        walls: dict[str, list[float]] = {name: [] for name in copies}
        stages: dict[str, list[dict[str, tuple[int, float]]]] = {name: [] for name in copies}
        for turn in range(arguments.turns):
            for name, copy in copies.items():
                common.say(f"turn {turn + 1} of {arguments.turns}: {name}")
                walls[name].append(run(copy, config, arguments.cores))
                stages[name].append(processor_seconds(copy / "results"))
        print(f"{common.machine(torch.device('cpu'))}; {arguments.commit} and HEAD, {arguments.cores} cores.\n")
        rows = [[name, str(arguments.turns), *(spread(walls[name]))] for name in copies]
        print(common.table(["", "turns", "wall time, s"], [row[:3] for row in rows]))
        print(f"\nbefore / now, turn by turn: {common.ratio_text(walls['before'], walls['now'])}\n")
        print(
            common.table(
                ["processor seconds", "jobs", "before, a job", "now, a job", "before, all", "now, all"],
                by_stage(stages),
            )
        )
        print(f"\n{same(copies['before'] / 'results', copies['now'] / 'results')}")


def checkout(commit: str, folder: Path) -> Path:
    """The files of a commit."""
    folder.mkdir()
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def run(copy: Path, config: Path, cores: int) -> float:
    """The seconds of a study from nothing."""
    for left in ("results", ".snakemake"):
        shutil.rmtree(copy / left, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", str(config)]
    started = time.monotonic()
    subprocess.run(command, cwd=copy, env=environment | {"PYTHONPATH": str(copy)}, capture_output=True, check=True)
    return time.monotonic() - started


def processor_seconds(results: Path) -> dict[str, tuple[int, float]]:
    """The number of jobs of each stage, and their processor seconds, as they said (or Snakemake's benchmark did)."""
    found: dict[str, tuple[int, float]] = {}
    for path in (results / "benchmarks").rglob("*.tsv"):
        stage = path.relative_to(results / "benchmarks").parts[0].removesuffix(".tsv")
        with path.open(encoding="utf-8", newline="") as file:
            seconds = float(next(csv.DictReader(file, delimiter="\t"))["cpu_time"])
        jobs, total = found.get(stage, (0, 0.0))
        found[stage] = jobs + 1, total + seconds
    return found


def by_stage(stages: dict[str, list[dict[str, tuple[int, float]]]]) -> Iterable[list[str]]:
    """Rows of processor seconds, of the turns with the smallest sums."""
    best = {
        name: min(turns, key=lambda turn: sum(total for _, total in turn.values())) for name, turns in stages.items()
    }
    for stage in STAGES:
        before, now = (best[name].get(stage, (0, 0.0)) for name in ("before", "now"))
        each = [f"{total / jobs:.2f}" if jobs else "–" for jobs, total in (before, now)]
        yield [stage, str(max(before[0], now[0])), *each, f"{before[1]:.0f}", f"{now[1]:.0f}"]
    sums = [sum(total for _, total in best[name].values()) for name in ("before", "now")]
    yield ["all", "", "", "", *(f"{total:.0f}" for total in sums)]


def spread(seconds: list[float]) -> list[str]:
    """Their median, with the smallest and the largest."""
    return [f"{sorted(seconds)[len(seconds) // 2]:.0f} ({min(seconds):.0f} to {max(seconds):.0f})"]


def same(before: Path, now: Path) -> str:
    """What is the same in both folders."""
    runs = sorted(path.name for path in (before / "runs").iterdir())
    snapshots = equal = 0
    differences: dict[str, float] = {}
    for name in runs:
        for path in sorted((before / "runs" / name / "snapshots").glob("*.safetensors")):
            snapshots += 1
            equal += path.read_bytes() == (now / "runs" / name / "snapshots" / path.name).read_bytes()
        for table, columns in COMPARED.items():
            for old, new in zip(
                rows_of(before / "runs" / name / table), rows_of(now / "runs" / name / table), strict=True
            ):
                for column in columns:
                    key = f"{table} {column}"
                    differences[key] = max(differences.get(key, 0.0), difference(old[column], new[column]))
    told = ", ".join(f"{key} {value:.1e}" for key, value in differences.items())
    return f"{equal} of {snapshots} snapshots are the same to the byte; largest relative differences: {told}."


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def difference(old: str, new: str) -> float:
    """Relative; infinite where one is missing."""
    if not old or not new:
        return 0.0 if old == new else math.inf
    return abs(float(old) - float(new)) / max(abs(float(old)), 1e-30)


if __name__ == "__main__":
    common.run(main)
