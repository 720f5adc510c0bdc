"""Planning beside Snakemake itself: as many jobs and files, in a workflow whose rules have constant parameters.

``snakemake -n`` of studies with 100 and with 1,000 runs of digits: everything to do, and nothing to do. The plain workflow has
the same rules, inputs, outputs, logs and resources, but no config to check, no digests, and no records of what results were
made from.
Processor seconds of whole processes, by turns. Targets: at most 1.5 times, and nothing to be done for 100 runs within 3 s.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import torch
import yaml

from breakeven.config.plan import load_plan
from breakeven.config.results import Results
from breakeven.store.record import write_record

ROOT = Path(__file__).resolve().parents[1]
PLAIN = """\
RUNS = [f"run{{number}}" for number in range({runs})]
DATA = ["results/data/digits/data.safetensors", "results/data/digits/manifest.json"]
RUN = ["run.yaml", "history.csv", "snapshots", "training.json"]
rule all:
    input: "results/report.html"
rule prepare:
    output: manifest="results/data/digits/manifest.json", arrays="results/data/digits/data.safetensors"
    log: "results/logs/prepare.log"
    resources: mem_mb=4000
    params: a="constant"
    shell: "command {{params.a}} > {{log}}"
rule train:
    input: DATA
    output:
        spec="results/runs/{{run}}/run.yaml",
        history="results/runs/{{run}}/history.csv",
        training="results/runs/{{run}}/training.json",
        snapshots=directory("results/runs/{{run}}/snapshots"),
    log: "results/logs/train/{{run}}.log"
    threads: 1
    resources: gpu=0, mem_mb=4000, runtime=240
    params: a="constant", b="constant"
    shell: "command {{params.a}} {{params.b}} {{wildcards.run}} > {{log}}"
TRAINED = [*DATA, *(f"results/runs/{{{{run}}}}/{{file}}" for file in RUN)]
rule covariance:
    input: TRAINED
    output: "results/runs/{{run}}/covariance.csv"
    log: "results/logs/covariance/{{run}}.log"
    threads: 1
    resources: gpu=0, mem_mb=4000, runtime=240
    params: a="constant", b="constant"
    shell: "command {{params.a}} {{params.b}} {{wildcards.run}} > {{log}}"
rule hessian:
    input: TRAINED
    output: "results/runs/{{run}}/hessian.csv", directory("results/runs/{{run}}/eigenvectors")
    log: "results/logs/hessian/{{run}}.log"
    threads: 1
    resources: gpu=0, mem_mb=4000, runtime=240
    params: a="constant", b="constant"
    shell: "command {{params.a}} {{params.b}} {{wildcards.run}} > {{log}}"
rule stability:
    input: TRAINED, "results/runs/{{run}}/hessian.csv", "results/runs/{{run}}/eigenvectors"
    output: "results/runs/{{run}}/stability.csv"
    log: "results/logs/stability/{{run}}.log"
    threads: 1
    resources: gpu=0, mem_mb=4000, runtime=240
    params: a="constant", b="constant"
    shell: "command {{params.a}} {{params.b}} {{wildcards.run}} > {{log}}"
rule summarise:
    input:
        expand("results/runs/{{run}}/{{file}}", run=RUNS,
               file=[*RUN, "covariance.csv", "hessian.csv", "eigenvectors", "stability.csv"])
    output: runs="results/tables/runs.csv", trajectories="results/tables/trajectories.csv"
    params: a="constant"
    shell: "command {{params.a}}"
rule plot:
    input: "results/tables/runs.csv", "results/tables/trajectories.csv"
    output: multiext("results/figures/{{figure}}", ".html", ".svg", ".png", ".csv", ".vl.json")
    params: a="constant"
    shell: "command {{params.a}}"
rule report:
    input:
        expand("results/figures/{{figure}}.html", figure=["figure%d" % i for i in range(10)]),
        expand("results/runs/{{run}}/{{file}}", run=RUNS, file=RUN)
    output: "results/report.html"
    shell: "command"
"""
DIRECTORIES = ("snapshots", "eigenvectors")


def main() -> None:
    """Print the table."""
    options = common.parser(__doc__, repeats=3, runs=1000)
    arguments = options.parse_args()
    print(f"{common.machine(torch.device('cpu'))}, snakemake {common.version_of('snakemake')}.\n")
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for runs in dict.fromkeys((min(100, arguments.runs), arguments.runs)):
            ours, plain = Path(folder, f"ours{runs}"), Path(folder, f"plain{runs}")
            ours.mkdir()
            plain.mkdir()
            config(ours / "config.yaml", runs)
            (plain / "Snakefile").write_text(PLAIN.format(runs=runs), encoding="utf-8")
            rows.append(row(runs, "all", ours, plain, arguments.repeats))
            finish_ours(ours)
            finish_plain(plain, runs)
            rows.append(row(runs, "nothing", ours, plain, arguments.repeats))
            shutil.rmtree(ours)
        header = ["runs", "to do", "repeats", "breakeven, CPU s", "plain, CPU s", "breakeven / plain"]
        print(common.table(header, rows))


def row(runs: int, to_do: str, ours: Path, plain: Path, repeats: int) -> list[str]:
    """Processor seconds of both, by turns; the first turn is not counted."""
    planned: dict[str, Callable[[], float]] = {
        "ours": lambda: planning(ours, to_do),
        "plain": lambda: planning(plain, to_do),
    }
    times: dict[str, list[float]] = {name: [] for name in planned}
    for turn in range(repeats + 1):
        for name, plan in planned.items():
            seconds = plan()
            times[name] += [seconds] if turn else []
    seconds = [f"{sorted(times[name])[repeats // 2]:.1f}" for name in planned]
    return [f"{runs:,}", to_do, str(repeats), *seconds, common.ratio_text(times["ours"], times["plain"])]


def planning(folder: Path, to_do: str) -> float:
    """The processor seconds of a dry run in ``folder``, which must find ``to_do``."""
    snakefile = folder / "Snakefile" if (folder / "Snakefile").exists() else ROOT / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2", "--nolock"]
    command += [
        "--snakefile",
        str(snakefile),
        "--workflow-profile",
        "none",
        "--scheduler",
        "greedy",
        "--rerun-triggers",
        "mtime",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ("Nothing to be done" in said.stdout + said.stderr) == (to_do == "nothing"), said.stdout + said.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def config(path: Path, runs: int) -> None:
    """The learning rates of config.yaml with so many seeds that there are about ``runs``."""
    content = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    study = content["studies"]["learning_rate"]
    study["seeds"] = list(range(max(1, round(runs / 3))))
    path.write_text(yaml.safe_dump(content | {"studies": {"learning_rate": study}}), encoding="utf-8")


def finish_ours(folder: Path) -> None:
    """All results as if they had been made: files of a few bytes, with their records."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        results = Results(load_plan("config.yaml"), lambda path: "")
        for result in results.planned():
            for file in result.files:
                put(Path("results") / file)
            write_record(Path("results") / result.last, result.key, [Path("results") / file for file in result.files])
    finally:
        os.chdir(before)


def finish_plain(folder: Path, runs: int) -> None:
    """The same files."""
    results = folder / "results"
    for name in ("data/digits/manifest.json", "data/digits/data.safetensors"):
        put(results / name)
    files = ("run.yaml", "history.csv", "training.json", "snapshots", "covariance.csv", "hessian.csv", "eigenvectors")
    for number in range(runs):
        for file in (*files, "stability.csv"):
            put(results / "runs" / f"run{number}" / file)
    for name in ("tables/runs.csv", "tables/trajectories.csv"):
        put(results / name)
    for number in range(10):
        for suffix in ("html", "svg", "png", "csv", "vl.json"):
            put(results / f"figures/figure{number}.{suffix}")
    put(results / "report.html")


def put(path: Path) -> None:
    """A file of a few bytes, or a folder with one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name in DIRECTORIES:
        path.mkdir()
        path /= "step-00000000.safetensors"
    path.write_text("step\n", encoding="utf-8")


if __name__ == "__main__":
    common.run(main)
