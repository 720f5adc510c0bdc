"""A training at a step t: the network with the weights θ_t, the optimizer, and what was recorded on the way."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import get_total_norm

from breakeven.data.dataset import Dataset
from breakeven.data.targets import training_targets
from breakeven.networks.build import build
from breakeven.networks.weights import copy_of
from breakeven.specs.randomness import derived_seed
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.schedule import snapshot_steps, total_steps
from breakeven.store import snapshots
from breakeven.store.progress import say
from breakeven.store.training_record import SnapshotEntry
from breakeven.training.evaluation import Evaluation, evaluate
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.precision import WEIGHTS, computing
from breakeven.training.registry import build_optimizer, build_schedule


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on from ``step``, the next one to take.

    ``tensors``: ``model/NAME`` for each weight and buffer of the network, ``optimizer/NAME/QUANTITY`` for what the optimizer
    remembers. The rest is what is recorded of the run: where it ended, if so, its history and its snapshots.
    """

    step: int
    diverged_step: int | None
    stopped_step: int | None
    history: list[Evaluation]
    snapshots: list[SnapshotEntry]
    tensors: dict[str, Tensor] = field(repr=False)


@dataclass(frozen=True)
class Weights:
    """Copies of θ_t and of the buffers (running averages) at step t."""

    step: int
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


class Training:
    """A run that is trained: everything that changes from one step to the next is here, and in `state`.

    ``break_even_step``: of the run that `source_of` names, which the schedule may count in; None where it has none.
    """

    def __init__(
        self, spec: RunSpec, dataset: Dataset, device: torch.device, break_even_step: int | None = None
    ) -> None:
        self.spec, self.dataset, self.device = spec, dataset, device
        self.dtype = WEIGHTS[spec.precision]
        self.mini_batches = MiniBatches(dataset, spec)
        self.steps_per_epoch = self.mini_batches.steps_per_epoch
        self.steps = total_steps(spec, self.steps_per_epoch)
        self.snapshot_steps = frozenset(snapshot_steps(spec, self.steps_per_epoch))
        self.schedule = build_schedule(spec, self.steps_per_epoch, break_even_step)

        self.model = build(spec, dataset.input_shape, dataset.classes, self.dtype, device).train()
        self.parameters = list(self.model.parameters())
        self.weights = [parameter.detach() for parameter in self.parameters]  # without a gradient; the same memory
        self.optimizer = build_optimizer(self.model.named_parameters(), spec)
        self.step = 0
        self.diverged_step: int | None = None
        self.stopped_step: int | None = None
        self.history: list[Evaluation] = []
        self.snapshots: list[SnapshotEntry] = []

    def remaining_steps(self) -> Iterator[int]:
        """The steps that are still to be taken, each when it is next: to the end, or until the run diverged or stopped."""
        while self.step <= self.steps and self.diverged_step is None and self.stopped_step is None:
            yield self.step

    def evaluate_here(self) -> None:
        """Loss and accuracy at θ_t, where there is a snapshot or an epoch begins; the run stops where it is accurate enough."""
        if self.step not in self.snapshot_steps and self.step % self.steps_per_epoch:
            return
        epoch = self.step / self.steps_per_epoch
        train, test = evaluate(self.model, self.spec.network, self.dataset, self.step, epoch)
        self.history += [train, test]
        accuracy = self.spec.stop_at_accuracy
        if accuracy is not None and train.accuracy >= accuracy:
            self.stopped_step = self.step
            say(f"stopped: the training accuracy is at least {accuracy} at step {self.step}")

    def weights_here(self) -> Weights | None:
        """θ_t, where there is a snapshot: as scheduled, or where the run stops."""
        if self.step not in self.snapshot_steps and self.step != self.stopped_step:
            return None
        parameters, buffers = dict(self.model.named_parameters()), dict(self.model.named_buffers())
        return Weights(self.step, copy_of(parameters), copy_of(buffers))

    def take_step(self) -> None:
        """θ_t → θ_{t+1}, unless the loss of the mini-batch or a weight of θ_t is not finite: then the run has diverged."""
        raw, labels = self.mini_batches.at(self.step)
        inputs = self.dataset.inputs(raw, self.dtype)
        targets = training_targets(labels, self.dataset.classes, self.spec.label_smoothing, self.dtype)
        seed_layers(derived_seed(self.spec.seed, "dropout", self.step), self.device)
        with computing(self.spec.precision, self.device):
            loss = cross_entropy(self.model(inputs), targets)
            problem = _not_finite(loss, self.weights)
            if problem:
                self.diverged_step = self.step
                say(f"diverged: {problem} at step {self.step}")
                return
            for parameter in self.parameters:
                parameter.grad = None
            torch.autograd.backward(loss)
            self.optimizer.step(self.schedule.rate(self.step))
        self.step += 1

    def save_snapshot(self, before: Weights | None, folder: Path) -> None:
        """Save θ_t, ``before``, with θ_{t+1}, which the network has now; nothing where it is None, or there is no θ_{t+1}."""
        if before is None or self.diverged_step is not None:
            return
        after = copy_of(dict(self.model.named_parameters()))
        snapshot = snapshots.Snapshot(before.step, before.parameters, after, before.buffers)
        self.snapshots.append(snapshots.write(folder, run_id(self.spec), snapshot, self.schedule.rate(before.step)))

    def state(self) -> TrainingState:
        """Everything that has changed since the beginning; tensors are those of the training, not copies."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"optimizer/{name}": tensor for name, tensor in self.optimizer.state().items()}
        return TrainingState(self.step, self.diverged_step, self.stopped_step, self.history, self.snapshots, tensors)

    def load_state(self, state: TrainingState) -> None:
        """Go on from ``state``."""
        self.model.load_state_dict(_part(state.tensors, "model/"))
        self.optimizer.load_state(_part(state.tensors, "optimizer/"))
        self.step, self.diverged_step, self.stopped_step = state.step, state.diverged_step, state.stopped_step
        self.history, self.snapshots = state.history, state.snapshots


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed the one randomness of layers themselves, such as dropout: the numbers of ``torch.manual_seed``.

    That one notes where it was called from, for each kind of device, which takes a tenth of a small network's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _not_finite(loss: Tensor, weights: list[Tensor]) -> str:
    """What of the loss and the weights is not finite; empty where all is, in one transfer from the device.

    A weight can be infinite where the loss is finite, behind a ReLU that is 0. The 2-norms are had much sooner than the largest
    weight, and tell where all are finite; where one overflows, the largest weight decides.
    """
    value, *norms = torch.stack([loss.detach(), *(norm.to(loss) for norm in torch._foreach_norm(weights))]).tolist()
    if not math.isfinite(value):
        return f"the training loss is {value}"
    if all(map(math.isfinite, norms)):
        return ""
    largest = get_total_norm(weights, norm_type=math.inf).item()
    return "" if math.isfinite(largest) else f"a weight is {largest}"
