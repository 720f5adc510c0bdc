"""Stage ``estimate``: the runs, gradient evaluations, disk, memory and time that a config takes on this machine."""

import itertools
import os
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from breakeven.config.plan import load_plan
from breakeven.config.results import Result, Results, to_make
from breakeven.data.dataset import Dataset, load
from breakeven.data.prepare import prepare
from breakeven.estimate.calibration import MeasuringCost, TrainingCost, measuring_cost, training_cost
from breakeven.jobs.cost import read_seconds
from breakeven.jobs.device import memory_mb
from breakeven.measurements.dry_pass import check_own_network
from breakeven.specs.dataset import dataset_id
from breakeven.specs.measurements import BY_NAME, MEMORY_MB, Measurement, values_of
from breakeven.specs.run import RunSpec, canonical_json
from breakeven.specs.schedule import snapshot_steps, total_steps
from breakeven.store.contents import Contents
from breakeven.store.files import size_in_words
from breakeven.training.thin import kept

MEASUREMENT_OF = {f"measure_{name}": row for name, row in BY_NAME.items()}
# Seconds, on a core of 2025: of the jobs that are no run's; of Snakemake for each job; of starting one, warm and plainly.
SECONDS = {
    "thin_run": 0.1,
    "prepare_dataset": 2.0,
    "bundle_javascript": 2.5,
    "plot_figure": 1.7,
    "evaluate_claims": 1.5,
}
A_JOB, WARM, PLAIN = 0.1, 0.3, 2.0
FIGURE_BYTES = 1_600_000  # its page holds what draws it
TRAINING_MB, MEASURING_MB = 4000, 2000  # of a computer's memory that the rules ask for, the latter beside memory_mb


def estimate(config: Path = Path("config.yaml"), *, device: torch.device) -> str:
    """What a config takes, in words. Results that are there already are counted, and what is left without them is told, too."""
    with TemporaryDirectory() as folder:
        return "\n".join(Estimate(config, device, Path(folder)).lines())


@dataclass(frozen=True)
class Share:
    """Of the jobs of a kind: seconds, gradients on the measured examples, bytes on the disk, and those that go at the end."""

    seconds: float = 0.0
    gradients: float = 0.0
    size: float = 0.0
    passing: float = 0.0


class Estimate:
    """The estimate of a config: jobs that are done took what they say; the others what jobs of their kind took, or calibration.

    Jobs are of a kind where their runs differ in seed, learning rate and schedule alone. ``temporary``: a folder for data sets
    that are not prepared yet.
    """

    def __init__(self, config: Path, device: torch.device, temporary: Path) -> None:
        self.plan, self.device, self.temporary = load_plan(config), device, temporary
        self.folder = Path(self.plan.config.results)
        contents = Contents(self.folder / "data/contents.json")
        self.planned = Results(self.plan, contents.digest).planned()
        self._datasets: dict[str, Dataset] = {}
        self._folders: dict[str, Path] = {}
        self._training: dict[str, TrainingCost] = {}
        self._measuring: dict[str, MeasuringCost] = {}

    def lines(self) -> Iterator[str]:
        """What is told."""
        counts = Counter(result.rule for result in self.planned)
        left = [result for result in self.planned if result not in self.done]
        yield f"{counts['train_run']} runs, {len(self.planned)} jobs, {len(left)} of them to do"
        if not left:
            return
        shares = {result: self.share(result) for result in self.planned}
        specs = [self.plan.runs[result.name] for result in self.planned if result.rule == "train_run"]
        steps = sum(total_steps(spec, self.training(spec).steps_per_epoch) for spec in specs)
        gradients = sum(share.gradients for share in shares.values())
        to_train, to_measure = (
            f"{_count(steps)} of mini-batches to train",
            f"{_count(gradients)} of the measured examples",
        )
        yield f"gradient evaluations: {to_train}, {to_measure} to measure"
        passing = self.at_once * max(share.passing for share in shares.values())
        on_the_way = f", and {size_in_words(passing)} more until all is measured" if passing else ""
        yield f"disk: {size_in_words(sum(share.size for share in shares.values()))}{on_the_way}"
        most = max(TRAINING_MB, MEASURING_MB + (self.plan.config.memory_mb or MEMORY_MB))
        yield f"memory: at most {most} MB for a job, {self.at_once} at a time"
        seconds = sum(shares[result].seconds for result in left)
        longest = max(shares[result].seconds for result in left)
        soonest = _time(max(seconds / self.at_once, longest))
        yield f"time: {soonest} with {self.at_once} jobs at a time ({_time(seconds)} one by one)"
        yield from self.rows(shares, left)

    def rows(self, shares: Mapping[Result, Share], left: list[Result]) -> Iterator[str]:
        """A line for each rule with jobs to do."""
        for rule in dict.fromkeys(result.rule for result in left):
            jobs = [shares[result].seconds for result in left if result.rule == rule]
            yield f"  {rule}: {len(jobs)} of {_time(sum(jobs) / len(jobs))}"

    @property
    def at_once(self) -> int:
        """How many jobs run at a time."""
        if self.device.type == "cuda":
            return torch.cuda.device_count() * self.plan.config.slots_per_gpu
        return max(1, len(os.sched_getaffinity(0)) // self.plan.config.threads)

    @cached_property
    def done(self) -> dict[Result, float | None]:
        """The results that are there as they are planned, and the seconds that they took, where they say so."""
        to_do = to_make(self.planned, self.folder)
        return {each: read_seconds(self.folder / each.cost) for each in self.planned if each not in to_do}

    @cached_property
    def taken(self) -> dict[tuple[str, str], list[float]]:
        """What jobs took that are done, by their rule and kind."""
        found: dict[tuple[str, str], list[float]] = {}
        for result, seconds in self.done.items():
            if seconds is not None:
                found.setdefault((result.rule, self.kind(result)), []).append(seconds)
        return found

    def kind(self, result: Result) -> str:
        """Jobs of a rule that take as long."""
        return _kind(self.plan.runs[result.name]) if self.is_of_a_run(result) else ""

    def is_of_a_run(self, result: Result) -> bool:
        """Whether it is a training or a measurement."""
        return result.rule == "train_run" or result.rule in MEASUREMENT_OF

    def share(self, result: Result) -> Share:
        """What a job takes, from what it took, what others of its kind did, or calibration."""
        found = self.calibrated(result)
        start = A_JOB + (WARM if self.device.type == "cpu" and self.plan.config.threads == 1 else PLAIN)
        took = self.done.get(result)
        others = self.taken.get((result.rule, self.kind(result)))
        if took is not None:
            return replace(found, seconds=took + start)
        return replace(found, seconds=(sum(others) / len(others) if others else found.seconds) + start)

    def calibrated(self, result: Result) -> Share:
        """What a job takes by calibration."""
        if not self.is_of_a_run(result):
            return Share(SECONDS.get(result.rule, 1.0), size=FIGURE_BYTES if result.rule == "plot_figure" else 0)
        spec = self.plan.runs[result.name]
        training = self.training(spec)
        steps, measured = (
            total_steps(spec, training.steps_per_epoch),
            snapshot_steps(spec, training.steps_per_epoch),
        )
        if result.rule == "train_run":
            evaluations = len({*measured, *range(0, steps + 1, training.steps_per_epoch)})
            seconds = steps * training.step + evaluations * training.evaluation
            stay = len(kept(measured, self.plan.config.keep_snapshots))
            gone = len(measured) - stay
            # the last state stays, too, at most as large as a snapshot, but where snapshots go
            stay += self.plan.config.keep_snapshots == 1
            return Share(seconds, size=stay * training.snapshot_bytes, passing=gone * training.snapshot_bytes)
        measuring, name = self.measuring(spec), MEASUREMENT_OF[result.rule].name
        if name == "locate":
            return self.locating(training, measuring, measured)
        # predictions are a part of an evaluation
        fixed, each = measuring.seconds.get(name, (0.0, training.evaluation))
        seconds = fixed + len(measured) * each
        return Share(seconds, seconds / measuring.gradient if measuring.gradient else 0.0)

    def locating(self, training: TrainingCost, measuring: MeasuringCost, measured: list[int]) -> Share:
        """What it takes to locate the break-even point, if there is one: the steps between two snapshots, trained again.

        H and the left-hand side of Eq. 1 are measured at half of them, as was seen, and at no more than half of the most.
        """
        between = statistics.median([after - before for before, after in itertools.pairwise(measured)] or [0])
        steps = min(between, self.plan.config.measurements.locate.most_steps) / 2
        measuring_takes = sum(
            fixed + steps * each for fixed, each in map(measuring.seconds.__getitem__, ("hessian", "stability"))
        )
        gradients = measuring_takes / measuring.gradient if measuring.gradient else 0.0
        return Share(between * training.step + measuring_takes, gradients)

    def training(self, spec: RunSpec) -> TrainingCost:
        """What it takes to train runs of this kind."""
        kind = _kind(spec)
        if kind not in self._training:
            dataset = self.dataset(spec)
            check_own_network(spec, self._folders[dataset_id(spec.dataset)], self.device)
            self._training[kind] = training_cost(spec, dataset, self.device)
        return self._training[kind]

    def measuring(self, spec: RunSpec) -> MeasuringCost:
        """What it takes to measure networks of this kind; of how they are trained, mini-batches alone may make a difference."""
        asked = {result.rule for result in self.planned}
        settings: dict[Measurement, Mapping[str, Any]] = {
            row: values_of(row, self.plan.config.measurements)
            for rule, row in MEASUREMENT_OF.items()
            if rule in asked and row.name not in ("predictions", "locate")
        }
        like = replace(spec, steps=1, epochs=None, momentum=0.0, weight_decay=0.0)
        if not any(row.of_training for row in settings):
            like = replace(like, batch_size=1, augmentation="none")
        kind = _kind(like)
        if kind not in self._measuring:
            config = self.plan.config
            most = config.memory_mb or memory_mb(self.device, config.slots_per_gpu, MEMORY_MB)
            self._measuring[kind] = measuring_cost(spec, self.dataset(spec), settings, self.device, most)
        return self._measuring[kind]

    def dataset(self, spec: RunSpec) -> Dataset:
        """The data set of a run; for the moment alone where it isn't prepared yet."""
        name = dataset_id(spec.dataset)
        if name not in self._datasets:
            use = self.plan.datasets[name]
            folder = self.folder / "data" / name
            if not any(each.rule == "prepare_dataset" and each.name == name for each in self.done):
                folder = self.temporary / name
                prepare(dict(spec.dataset), folder, dict(use.location))
            self._datasets[name], self._folders[name] = load(folder, self.device, spec.dataset), folder
        return self._datasets[name]


def _kind(spec: RunSpec) -> str:
    return canonical_json(replace(spec, seed=0, learning_rate=1.0, schedule=()))


def _count(number: float) -> str:
    """Two digits are all that an estimate has; small counts are exact."""
    return f"{number:,.0f}" if number < 1000 else f"{float(f'{number:.2g}'):,.0f}"


def _time(seconds: float) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
