"""How long the steps, evaluations and measurements of a run take on this machine, from a short run of the same kind.

The stages themselves are called, on a few snapshots and, of large data sets, on some of the examples: their cost is proportional
to the number of steps, snapshots and examples, so that nothing of what they do need be known here.
"""

import io
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from breakeven.data.dataset import Dataset
from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.networks.loss import mean_loss
from breakeven.specs.measurements import Measurement
from breakeven.specs.run import RunSpec, Segment
from breakeven.spectra.parameters import trainable
from breakeven.store.errors import UserError
from breakeven.store.progress import say
from breakeven.store.training_record import SNAPSHOTS
from breakeven.training.evaluation import evaluate
from breakeven.training.results import publish
from breakeven.training.training import Training

EVALUATED = 500  # examples of each set
# so many examples are measured, and twice as many as long as their gradient takes fewer seconds
LEAST, SHORT = 32, 0.02
EVERY = 5  # steps from one snapshot to the next
FEW, MORE = 1, 3  # snapshots of two runs: what one takes is in their difference, since the first one takes longer
REPEATS = 5
# the settings that say how many mini-batches K is made of, and of which size
OF_K = {"batches": "batch_size", "covariance_batches": "covariance_batch_size"}
GRAPHS = ("hessian", "density")  # whose memory limits how many examples' graphs are kept


@dataclass(frozen=True)
class TrainingCost:
    """Seconds of a step and of an evaluation; bytes of a snapshot, and of an eigenvector with it."""

    step: float
    evaluation: float
    steps_per_epoch: int
    snapshot_bytes: int


@dataclass(frozen=True)
class MeasuringCost:
    """Seconds of each measurement, beside its snapshots and for each; and of a gradient on the measured examples."""

    seconds: Mapping[str, tuple[float, float]]
    gradient: float


def training_cost(spec: RunSpec, dataset: Dataset, device: torch.device) -> TrainingCost:
    """What it takes to train runs like that of ``spec``."""
    say(f"calibrate: train {spec.network} with a batch size of {spec.batch_size} on {device}")
    small = replace(
        dataset,
        evaluated=dataset.evaluated[:EVALUATED],
        test_inputs=dataset.test_inputs[:EVALUATED],
        test_labels=dataset.test_labels[:EVALUATED],
        validation_inputs=None,
        validation_labels=None,
    )
    with TemporaryDirectory() as folder:
        training, steps = _train(spec, dataset, device, Path(folder), MORE)
        size = sum(path.stat().st_size for path in Path(folder, SNAPSHOTS).iterdir()) / max(1, len(training.snapshots))
    evaluation = _seconds(lambda: evaluate(training.model, spec.network, small, 0, 0.0)) / _evaluated(small)
    return TrainingCost(
        statistics.median(steps or [0.0]),  # none of a run that diverges at once
        evaluation * _evaluated(dataset),
        training.steps_per_epoch,
        round(size) + sum(weight.nbytes for weight in training.model.parameters()),
    )


def measuring_cost(
    spec: RunSpec,
    dataset: Dataset,
    measurements: Mapping[Measurement, Mapping[str, Any]],
    device: torch.device,
    memory_mb: float,
) -> MeasuringCost:
    """What it takes to measure a network like that of ``spec``, with these settings."""
    say(f"calibrate: measure {spec.network} on {device}")
    with TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):  # the progress of each
        few, more = (Path(folder, str(count)) for count in (FEW, MORE))
        _train(spec, dataset, device, few, FEW)
        _train(spec, dataset, device, more, MORE)
        first = next(measured_snapshots(few, dataset, "float32", device, "gradient"), None)
        if first is None:  # it diverges at once
            return MeasuringCost({each.name: (0.0, 0.0) for each in measurements}, 0.0)
        enough, gradient = _enough(first)
        found = {}
        for each, settings in measurements.items():
            # K needs two mini-batches
            of_k = [settings[size] for batches, size in OF_K.items() if batches in settings]
            size = max(enough, *(2 * each for each in of_k)) if of_k else enough
            small = replace(dataset, measured=dataset.measured[:size])
            share = 1.0 if each.of_training else len(dataset.measured) / len(small.measured)
            memory = memory_mb / share if each.name in GRAPHS else memory_mb
            took = [_measure(each, settings, run, small, device, memory, memory_mb) for run in (few, more)]
            one = max(took[1] - took[0], 0) / (MORE - FEW)
            found[each.name] = (max(took[0] - FEW * one, 0) * share, one * share)
    return MeasuringCost(found, gradient * len(dataset.measured) / enough)


def _evaluated(dataset: Dataset) -> int:
    validation = 0 if dataset.validation_labels is None else len(dataset.validation_labels)
    return len(dataset.evaluated) + len(dataset.test_labels) + validation


def _train(
    spec: RunSpec, dataset: Dataset, device: torch.device, out: Path, snapshots: int
) -> tuple[Training, list[float]]:
    """A short run in the folder ``out`` that begins as that of ``spec``, and the seconds of its steps."""
    last = (snapshots - 1) * EVERY
    short = replace(spec, steps=last, epochs=None, snapshots=(Segment(EVERY),), schedule=(), stop_at_accuracy=None)
    short = replace(short, initial_weights=None)  # which take no time
    training = Training(short, dataset, device)
    state, seconds = out / "state", []

    def step() -> None:
        training.take_step()
        training.settle()

    for _ in training.remaining_steps():
        before = training.weights_here()
        seconds.append(_seconds(step))
        training.save_snapshot(before, state / SNAPSHOTS)
    publish(training, "", out, state)
    return training, seconds[2:]


def _enough(measured: Measured) -> tuple[int, float]:
    """How many of the measured examples take long enough to be timed, and the seconds of the gradient of their mean loss."""
    size = min(LEAST, len(measured.targets))
    while True:
        inputs, targets = measured.inputs[:size], measured.targets[:size]

        def gradient(inputs: torch.Tensor = inputs, targets: torch.Tensor = targets) -> object:
            loss = mean_loss(measured.model, measured.model(inputs), targets)
            return torch.autograd.grad(loss, trainable(measured.model), materialize_grads=True)

        seconds = statistics.median(_seconds(gradient) for _ in range(REPEATS))
        if seconds > SHORT or size == len(measured.targets):
            return size, seconds
        size = min(2 * size, len(measured.targets))


def _measure(
    measurement: Measurement,
    settings: Mapping[str, Any],
    run: Path,
    dataset: Dataset,
    device: torch.device,
    less_mb: float,
    memory_mb: float,
) -> float:
    """The seconds of a measurement of a run; with less memory, as there are fewer examples, if that is enough."""
    module = import_module(f"breakeven.measurements.{measurement.name}")
    function: Callable[..., None] = getattr(module, f"measure_{measurement.name}")
    given = dict(settings) | {"run": run, "data": dataset, "out": run / measurement.table, "device": device}
    given |= dict.fromkeys(OF_K.keys() & given.keys())  # as many as there are
    if "memory_mb" not in signature(function).parameters:
        return _seconds(lambda: function(**given))
    try:
        return _seconds(lambda: function(**given, memory_mb=less_mb))
    except UserError:
        return _seconds(lambda: function(**given, memory_mb=memory_mb))


def _seconds(function: Callable[[], object]) -> float:
    """The seconds that a call takes, with all that it put on a GPU's queue."""
    started = time.perf_counter()
    function()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - started
