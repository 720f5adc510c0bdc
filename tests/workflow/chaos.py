"""Kill a small study at random moments, in every way, and see the next invocation end with the same tables.

    python -m tests.workflow.chaos --kills 50 --seed 0

Each kill begins with a fresh copy of the project: snakemake runs, something is killed at a random moment of the time that an
undisturbed run takes, then snakemake runs again, with no other word. Prints a line for each kill.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.workflow.project import JOB_BY_JOB, SNAKEMAKE, Project, copy, environment, make

KINDS = (
    "SIGKILL to a job",
    "SIGTERM to a job",
    "SIGKILL to snakemake",
    "SIGTERM to snakemake",
    "SIGINT to snakemake",
    "SIGKILL to the group",
    "SIGTERM to the group",
    "SIGINT to the group",
    "power loss",
)
ONE_STUDY = """\
device: cpu
datasets:
  digits: {loader: digits, train_examples: 300, test_examples: 100, measured_fraction: 0.1}
measurements:
  covariance: {batch_size: 10}
  hessian: {eigenvalues: 1, tolerance: 0.1, max_matvecs: 20, trace_probes: 2}
studies:
  rate:
    base:
      dataset: digits
      network: simple_cnn_bn
      network_options: {channels: [4], dense: 8}
      learning_rate: 0.1
      batch_size: 20
      steps: 600
      momentum: 0.5
      snapshots: [{every: 60}]
    sweeps: {learning_rate: RATES}
    seeds: [0]
"""


@dataclass(frozen=True)
class Outcome:
    """What a kill hit and what came of it: ``problems`` are what is not as it should be."""

    kind: str
    seconds: float
    running: list[str]
    resumed: list[int]
    problems: list[str]


def study(folder: Path, learning_rates: Sequence[float]) -> Project:
    """The project with one study of a few runs, whose trainings take seconds and save checkpoints all the time."""
    project = make(folder)
    (folder / "config.yaml").write_text(ONE_STUDY.replace("RATES", str(learning_rates)), encoding="utf-8")
    project.edit(
        "SECONDS_BETWEEN_CHECKPOINTS = 20.0", "SECONDS_BETWEEN_CHECKPOINTS = 0.2", "breakeven/training/checkpoints.py"
    )
    project.append("\nON_REQUEST = True\n", "breakeven/figures/maxima.py")
    return project


def undisturbed(fresh: Project, folder: Path) -> tuple[dict[str, bytes], float]:
    """The tables that the study ends with, and the seconds that it takes."""
    copy(fresh.folder, folder)
    started = time.monotonic()
    done = Project(folder).snakemake("--cores", "all")
    assert done.returncode == 0, done.stdout
    return Project(folder).tables(), time.monotonic() - started


def kill(
    fresh: Project, folder: Path, kind: str, seconds: float, draws: random.Random, tables: dict[str, bytes]
) -> Outcome:
    """Run, kill after ``seconds``, run again."""
    copy(fresh.folder, folder)
    project = Project(folder)
    with (folder / "said.txt").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [SNAKEMAKE, JOB_BY_JOB, "--cores", "all"],
            cwd=folder,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        time.sleep(seconds)
        running = strike(kind, process, project, draws)
        process.wait(timeout=300)
    again = project.snakemake("--cores", "all")
    problems = [] if again.returncode == 0 else [f"exit code {again.returncode}: {again.stdout[-3000:]}"]
    found = project.tables()
    problems += [
        f"{name} differs" for name in sorted(tables.keys() | found.keys()) if tables.get(name) != found.get(name)
    ]
    problems += [f"{path} is left" for path in left(folder / "results")]
    return Outcome(kind, seconds, running, list(resumed(folder / "results/logs/train")), problems)


def strike(kind: str, process: subprocess.Popen[bytes], project: Project, draws: random.Random) -> list[str]:
    """Kill what ``kind`` says; the stages that were running."""
    jobs = [child for child in psutil.Process(process.pid).children(recursive=True) if stage_of(child)]
    stages = sorted(stage_of(job) for job in jobs)
    if kind == "power loss":
        rest = project.folder.with_name("rest")
        subprocess.run(["cp", "-a", project.folder, rest], stderr=subprocess.DEVNULL)  # files come and go meanwhile
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(project.folder)
        rest.rename(project.folder)
        return stages
    name, _, target = kind.partition(" to ")
    number = signal.Signals[name]
    if target == "the group":
        os.killpg(process.pid, number)
    elif target == "snakemake" or not jobs:
        process.send_signal(number)
    else:
        draws.choice(jobs).send_signal(number)
    return stages


def stage_of(process: psutil.Process) -> str:
    """The stage that a process runs, if it does."""
    try:
        line = process.cmdline()
    except psutil.Error:
        return ""
    return line[3] if line[1:3] == ["-m", "breakeven"] else ""


def left(results: Path) -> Iterator[str]:
    """Files that a user might wonder about."""
    for path in results.rglob("*"):
        is_last_state = path.name in ("checkpoint.safetensors", "took.json")  # which stays, for longer runs
        in_state = path.is_relative_to(results / "state") and path.is_file() and not is_last_state
        if ".tmp" in path.name or in_state or (path.suffix == ".lock" and path != results / ".lock"):
            yield str(path.relative_to(results))


def resumed(logs: Path) -> Iterator[int]:
    """The steps from which trainings went on."""
    for log in sorted(logs.glob("*.log")):
        step = int(log.read_text(encoding="utf-8").partition("from step ")[2].split()[0])
        if step:
            yield step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draws = random.Random(arguments.seed)  # noqa: S311 - which moment is no secret
    good = 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as base:
        fresh = study(Path(base) / "fresh", [0.1, 0.3])
        tables, seconds = undisturbed(fresh, Path(base) / "undisturbed")
        print(f"undisturbed: {seconds:.0f} s, {len(tables)} tables", flush=True)
        for number in range(arguments.kills):
            kind, moment = KINDS[number % len(KINDS)], draws.uniform(1, seconds)
            outcome = kill(fresh, Path(base) / "killed", kind, moment, draws, tables)
            good += not outcome.problems
            at = f"{', '.join(outcome.running) or 'planning'} running; trainings went on from {outcome.resumed}"
            said = "identical" if not outcome.problems else "; ".join(outcome.problems)
            print(f"{number + 1:3} {kind:22} after {moment:4.1f} s, {at}: {said}", flush=True)
            shutil.rmtree(Path(base) / "killed")
    print(f"{good} of {arguments.kills} end with identical tables")
    raise SystemExit(good != arguments.kills)


if __name__ == "__main__":
    main()
