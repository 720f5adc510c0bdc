"""What every measurement has in common: a run's snapshots, one after the other, as networks with the measured examples."""

from collections.abc import Iterator
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
from breakeven.specs.run import run_id
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

    The network is measured with normalisation and attention in operations whose derivatives are right. ``data``: the folder of
    the data set, or what was loaded from it.
    """
    spec = read_spec(run)
    dtype = DTYPES[precision]
    dataset = data if isinstance(data, Dataset) else load(data, device, spec.dataset)
    model = with_primitive_operations(
        build(spec, dataset.input_shape, dataset.classes, dtype, device, dataset.predicts_numbers)
    )
    inputs, labels = dataset.measured_examples(dtype)
    targets = training_targets(labels, dataset.classes, spec.label_smoothing, dtype)
    entries = read_training(run).snapshots
    with exact_kernels(model):
        for entry in progress(entries, what, unit="snapshot"):
            snapshot = snapshots.read(run / "snapshots" / entry.file, run_id(spec), entry.step, entry.sha256)
            load_into(model, snapshot)
            set_measuring(model)
            yield Measured(entry.step, entry.learning_rate, model, snapshot, inputs, targets)
