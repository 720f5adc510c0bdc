"""What every measurement has in common: a run's snapshots, one after the other, as networks with the measured examples."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from breakeven.data.dataset import Dataset, load
from breakeven.data.targets import training_targets
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.exact_kernels import exact_kernels
from breakeven.networks.primitive import with_primitive_normalisation
from breakeven.networks.weights import load_into
from breakeven.specs.run import RunSpec, from_json, run_id
from breakeven.specs.schedule import learning_rate_at
from breakeven.store import snapshots
from breakeven.store.errors import UserError
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


def read_spec(run: Path) -> RunSpec:
    """The specification of the run in folder ``run``."""
    path = run / "run.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        name = content.pop("run")
        spec = from_json(json.dumps(content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"'{path}' is missing or damaged ({error}): delete the folder '{run}'") from error
    if run_id(spec) != name:
        raise UserError(
            f"'{path}' says it is run {name}, but its content is run {run_id(spec)}: delete the folder '{run}'"
        )
    return spec


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
    model = with_primitive_normalisation(build(spec, dataset.input_shape, dataset.classes, dtype, device))
    inputs, labels = dataset.measured_examples(dtype)
    targets = training_targets(labels, dataset.classes, spec.label_smoothing, dtype)
    training = read_training(run)
    with exact_kernels(model):
        for entry in progress(training["snapshots"], what, unit="snapshot"):
            snapshot = snapshots.read(run / "snapshots" / entry["file"], run_id(spec), entry["step"], entry["sha256"])
            load_into(model, snapshot)
            set_measuring(model)
            eta = learning_rate_at(training["learning_rates"], entry["step"])
            yield Measured(entry["step"], eta, model, snapshot, inputs, targets)
