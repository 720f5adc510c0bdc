"""What every measurement has in common: a run's snapshots, one after the other, as networks with the measured examples."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from breakeven.data.dataset import Dataset, load
from breakeven.data.targets import training_targets
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.exact_kernels import exact_kernels
from breakeven.networks.primitive import with_primitive_operations
from breakeven.networks.weights import load_into
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.run_file import read_spec
from breakeven.store import snapshots
from breakeven.store.progress import progress
from breakeven.store.training_record import read_training

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Measured:
    """One snapshot of a run, ready to be measured.

    ``learning_rate``: of the SGD step from there. ``model``: the network with the weights of the step, in measuring mode.
    ``inputs``, ``targets``: the measured examples, normalised, in the order in which they were drawn; targets are labels, or
    smoothed ones (n, classes).
    """

    step: int
    learning_rate: float
    model: nn.Module
    snapshot: snapshots.Snapshot
    inputs: Tensor
    targets: Tensor

    def batches(self, size: int) -> list[tuple[Tensor, Tensor]]:
        """The measured examples in mini-batches of ``size``, the last one shorter if need be."""
        return list(zip(self.inputs.split(size), self.targets.split(size), strict=True))


def measured_snapshots(
    run: Path, data: Path | Dataset, precision: str, device: torch.device, what: str
) -> Iterator[Measured]:
    """The snapshots of the run in folder ``run``, in order, measured in ``precision``; their digests are verified.

    ``data``: the folder of the data set, or what was loaded from it.
    """
    spec, entries = read_spec(run), read_training(run).snapshots
    dataset = data if isinstance(data, Dataset) else load(data, device, spec.dataset)
    with measuring(spec, dataset, precision, device) as measured:
        for entry in progress(entries, what, unit="snapshot"):
            snapshot = snapshots.read(run / "snapshots" / entry.file, run_id(spec), entry.step, entry.sha256)
            yield measured(snapshot, entry.learning_rate)


@contextmanager
def measuring(
    spec: RunSpec, dataset: Dataset, precision: str, device: torch.device
) -> Iterator[Callable[[snapshots.Snapshot, float], Measured]]:
    """A function that makes a snapshot ready to be measured, with the η of the step from there, until the next one is.

    The network is measured with normalisation and attention in operations whose derivatives are right.
    """
    dtype = DTYPES[precision]
    model = with_primitive_operations(
        build(spec, dataset.input_shape, dataset.classes, dtype, device, dataset.predicts_numbers)
    )
    inputs, labels = dataset.measured_examples(dtype)
    targets = training_targets(labels, dataset.classes, spec.label_smoothing, dtype)

    def measured(snapshot: snapshots.Snapshot, learning_rate: float) -> Measured:
        load_into(model, snapshot)
        set_measuring(model)
        return Measured(snapshot.step, learning_rate, model, snapshot, inputs, targets)

    with exact_kernels(model):
        yield measured
