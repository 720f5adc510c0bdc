"""The command line: ``python -m breakeven STAGE ...``, one stage of the pipeline at a time, with or without Snakemake."""

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from breakeven.jobs.locks import held, lock_of
from breakeven.jobs.termination import end_on_signals, end_with_parent
from breakeven.jobs.trouble import sentence
from breakeven.store.errors import UserError

# of the stages whose --out is a folder, what they write last; the lock of a job lies beside it
LAST_FILES = {"prepare": "manifest.json", "train": "training.json", "summarise": "trajectories.csv"}


def _device(a: argparse.Namespace) -> Any:
    """The device of a stage that computes, with a slot of a GPU if it is one."""
    from breakeven.jobs.device import choose_device

    return choose_device(a.device, a.threads, a.slots_per_gpu)


def prepare(a: argparse.Namespace) -> None:
    """Load a data set once and write it as uint8 arrays with a manifest."""
    from breakeven.data.prepare import prepare

    prepare(a.spec, a.location, a.out)


def train(a: argparse.Namespace) -> None:
    """Train one run: its history, and snapshots of its weights."""
    from breakeven.specs.run import from_json, source_of
    from breakeven.summary.break_even import break_even_step
    from breakeven.training.train import train

    spec, step = from_json(a.spec), None
    if source_of(spec) is not None:
        if a.source is None:
            raise UserError(
                "--source: this run's learning rate switches at the break-even point of another; name its folder"
            )
        step = break_even_step(a.source)
    train(spec, a.data, a.out, a.state, _device(a), a.code, step)


def covariance(a: argparse.Namespace) -> None:
    """Measure the covariance of gradients K at each snapshot of a run."""
    from breakeven.measurements.covariance import measure_covariance

    measure_covariance(a.run, a.data, a.out, _device(a), a.memory_mb, **a.settings)


def hessian(a: argparse.Namespace) -> None:
    """Measure the largest eigenvalues and the trace of the Hessian H at each snapshot of a run."""
    from breakeven.measurements.hessian import measure_hessian

    measure_hessian(a.run, a.data, a.out, _device(a), a.memory_mb, **a.settings)


def stability(a: argparse.Namespace) -> None:
    """Measure the stability of SGD (Eq. 1) at each snapshot of a run, along the eigenvectors that ``hessian`` left."""
    from breakeven.measurements.stability import measure_stability

    measure_stability(a.run, a.data, a.out, _device(a), **a.settings)


def density(a: argparse.Namespace) -> None:
    """Measure the density of all eigenvalues of the Hessian H at each snapshot of a run; an option of a config."""
    from breakeven.measurements.density import measure_density

    measure_density(a.run, a.data, a.out, _device(a), a.memory_mb, **a.settings)


def predictions(a: argparse.Namespace) -> None:
    """Predict the test set at each snapshot of a run; only where a figure asks for it."""
    from breakeven.measurements.predictions import measure_predictions

    measure_predictions(a.run, a.data, a.out, _device(a), **a.settings)


def embed(a: argparse.Namespace) -> None:
    """Lay out the predictions of a study's runs in two dimensions; only where a figure asks for it."""
    from breakeven.summary.embed import embed

    embed(a.results, a.points, a.out)


def summarise(a: argparse.Namespace) -> None:
    """Gather the runs of a study into its two tables."""
    from breakeven.summary.summarise import summarise

    summarise(a.results, a.points, a.accuracy_threshold, a.out)


def claims(a: argparse.Namespace) -> None:
    """Give a verdict on each claim of the paper, from the tables of all studies."""
    from breakeven.claims.evaluate import evaluate

    evaluate(a.tables, a.studies, a.out)


def plot(a: argparse.Namespace) -> None:
    """Draw one figure of a study."""
    from breakeven.figures.plot import plot

    plot(a.figure, a.tables / "trajectories.csv", a.tables / "runs.csv", a.study, a.out, a.tables / "embedding.csv")


def report(a: argparse.Namespace) -> None:
    """Write the report: one page that opens offline."""
    from breakeven.report.build import build

    build(a.out, a.results, a.studies, a.config)


def status(a: argparse.Namespace) -> None:
    """Say what is done, running and failed in a results folder, and how far each training is."""
    from breakeven.jobs.status import report_status

    print(report_status(a.results))


def check(a: argparse.Namespace) -> None:
    """Check a config, and say what it would run."""
    from breakeven.config.plan import describe, load_plan

    print(describe(load_plan(a.config)))


def _json(text: str) -> Any:
    """``text`` is JSON; ``-`` reads it from standard input, since Linux takes a single argument up to 128 KiB."""
    return json.loads(sys.stdin.read() if text == "-" else text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m breakeven", description=__doc__)
    stages = parser.add_subparsers(title="stages", metavar="STAGE", required=True)

    def stage(function: Any) -> argparse.ArgumentParser:
        command = stages.add_parser(function.__name__, help=function.__doc__, description=function.__doc__)
        command.set_defaults(function=function)
        return command

    def on_device(command: argparse.ArgumentParser) -> None:
        command.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
        command.add_argument("--slots-per-gpu", type=int, default=1, help="jobs that share a GPU (default: 1)")
        command.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")

    command = stage(prepare)
    command.add_argument("--spec", type=json.loads, required=True, help="the data set's canonical specification, JSON")
    command.add_argument("--location", type=json.loads, default={}, help="where the data lies, JSON")
    command.add_argument("--out", type=Path, required=True, help="folder for the prepared data set")

    command = stage(train)
    command.add_argument("--spec", required=True, help="the run's canonical specification, JSON")
    command.add_argument("--data", type=Path, required=True, help="folder of the prepared data set")
    command.add_argument("--out", type=Path, required=True, help="folder of the run")
    command.add_argument("--state", type=Path, required=True, help="folder for checkpoints; remove it when all is done")
    command.add_argument("--source", type=Path, help="folder of the run whose break-even point the schedule counts in")
    command.add_argument("--code", default="", help="digest of this stage's code; checkpoints of another are not used")
    on_device(command)

    for measurement in (covariance, hessian, stability, density, predictions):
        command = stage(measurement)
        command.add_argument("--run", type=Path, required=True, help="folder of the run")
        command.add_argument("--data", type=Path, required=True, help="folder of the prepared data set")
        command.add_argument("--settings", type=json.loads, required=True, help="settings of the measurement, JSON")
        command.add_argument("--out", type=Path, required=True, help="the table to write")
        command.add_argument("--memory-mb", type=float, default=2000, help="for gradients and graphs (default: 2000)")
        on_device(command)

    command = stage(embed)
    command.add_argument("--results", type=Path, required=True, help="the results folder")
    command.add_argument("--points", type=_json, required=True, help="the runs and their labels, JSON; - reads it")
    command.add_argument("--out", type=Path, required=True, help="the table to write")

    command = stage(summarise)
    command.add_argument("--results", type=Path, required=True, help="the results folder")
    command.add_argument("--points", type=_json, required=True, help="the runs and their labels, JSON; - reads it")
    command.add_argument("--accuracy-threshold", type=float, required=True, help="training accuracy, from 0 to 1")
    command.add_argument("--out", type=Path, required=True, help="folder for the tables")

    command = stage(claims)
    command.add_argument("--tables", type=Path, required=True, help="folder with the tables of all studies")
    command.add_argument("--studies", type=_json, required=True, help="name and swept of each study, JSON; - reads it")
    command.add_argument("--out", type=Path, required=True, help="the table to write")

    command = stage(plot)
    command.add_argument("--figure", required=True, help="name of the figure")
    command.add_argument("--tables", type=Path, required=True, help="folder of the study's tables")
    command.add_argument("--study", type=json.loads, required=True, help="name, swept and threshold, JSON")
    command.add_argument("--out", type=Path, required=True, help="folder for the figures")

    command = stage(report)
    command.add_argument("--results", type=Path, required=True, help="the results folder")
    command.add_argument("--studies", type=_json, required=True, help="the studies, JSON; - reads it")
    command.add_argument("--config", type=Path, required=True, help="the config that was run")
    command.add_argument("--out", type=Path, required=True, help="the page to write")

    command = stage(status)
    command.add_argument("results", type=Path, nargs="?", default=Path("results"), help="the folder (default: results)")

    command = stage(check)
    command.add_argument("config", type=Path)
    return parser


def main() -> int:
    """Run a stage; a user's mistake and bad luck are told in a sentence, with exit code 1."""
    arguments = _parser().parse_args()
    stage = arguments.function.__name__
    end_on_signals()
    end_with_parent()
    try:
        with _alone(arguments, stage):
            arguments.function(arguments)
    except Exception as error:
        told = sentence(error, stage)
        if told is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return 1
    return 0


def _alone(a: argparse.Namespace, stage: str) -> AbstractContextManager[None]:
    """Let no other process, on this host or another, write the same results at the same time.

    There is one where a Snakemake was killed: on this machine its jobs end at once, but on a cluster they go on.
    """
    if not hasattr(a, "out"):
        return nullcontext()
    last = f"{a.figure}.vl.json" if stage == "plot" else LAST_FILES.get(stage, "")
    return held(lock_of(a.out / last), f"writing '{a.out}' ({stage})", wait=True)


if __name__ == "__main__":
    sys.exit(main())
