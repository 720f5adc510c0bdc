"""A training at a step t: the network with the weights θ_t, the optimizer, and what was recorded on the way."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from breakeven.data.dataset import Dataset
from breakeven.networks.build import build
from breakeven.networks.weights import copy_of
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.schedule import snapshot_steps, total_steps
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.progress import say
from breakeven.store.training_record import SnapshotEntry
from breakeven.training.device_steps import steps_of
from breakeven.training.evaluation import Evaluation, evaluate
from breakeven.training.initial_weights import set_initial_weights
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.precision import WEIGHTS
from breakeven.training.registry import build_optimizer
from breakeven.training.schedules import schedule
from breakeven.training.step import Step


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
    ``initial_weights``: the file of the first weights, where the specification has its digest.
    """

    def __init__(
        self,
        spec: RunSpec,
        dataset: Dataset,
        device: torch.device,
        break_even_step: int | None = None,
        initial_weights: Path | None = None,
    ) -> None:
        self.spec, self.dataset, self.device, self.break_even_step = spec, dataset, device, break_even_step
        self.mini_batches = MiniBatches(dataset, spec)
        self.steps_per_epoch = self.mini_batches.steps_per_epoch
        self.steps = total_steps(spec, self.steps_per_epoch)
        self.snapshot_steps = frozenset(snapshot_steps(spec, self.steps_per_epoch))
        self.schedule = schedule.build(spec, self.steps_per_epoch, break_even_step)

        if dataset.predicts_numbers and spec.stop_at_accuracy is not None:
            raise UserError(
                f"stop_at_accuracy: {spec.stop_at_accuracy} is for classes, and the data set has numbers to predict"
            )
        dtype = WEIGHTS[spec.precision]
        self.model = build(spec, dataset.input_shape, dataset.classes, dtype, device, dataset.predicts_numbers).train()
        set_initial_weights(self.model, spec, initial_weights)
        self.optimizer = build_optimizer(self.model.named_parameters(), spec)
        self._steps = steps_of(Step(spec, device, self.mini_batches, self.model, self.optimizer))
        self.step = 0
        self.diverged_step: int | None = None
        self.stopped_step: int | None = None
        self.history: list[Evaluation] = []
        self.snapshots: list[SnapshotEntry] = []

    def remaining_steps(self) -> Iterator[int]:
        """The steps that are still to be taken, each when it is next: to the end, or until the run diverged or stopped."""
        while self.step <= self.steps and self.stopped_step is None:
            if self.is_observed(self.step):
                self.settle()
            if self.diverged_step is not None:
                return
            yield self.step
        self.settle()

    def is_observed(self, step: int) -> bool:
        """Whether θ_t is evaluated, and perhaps saved, at t = ``step``."""
        return step in self.snapshot_steps or step % self.steps_per_epoch == 0

    def evaluate_here(self) -> None:
        """Loss and accuracy at θ_t, where there is a snapshot or an epoch begins; the run stops where it is accurate enough."""
        if not self.is_observed(self.step):
            return
        epoch = self.step / self.steps_per_epoch
        found = evaluate(self.model, self.spec.network, self.dataset, self.step, epoch)
        self.history += found
        accuracy = self.spec.stop_at_accuracy
        if accuracy is not None and found[0].accuracy >= accuracy:
            self.stopped_step = self.step
            say(f"stopped: the training accuracy is at least {accuracy} at step {self.step}")

    def weights_here(self) -> Weights | None:
        """θ_t, where there is a snapshot: as scheduled, or where the run stops."""
        if self.step not in self.snapshot_steps and self.step != self.stopped_step:
            return None
        parameters, buffers = dict(self.model.named_parameters()), dict(self.model.named_buffers())
        return Weights(self.step, copy_of(parameters), copy_of(buffers))

    def take_step(self) -> None:
        """θ_t → θ_{t+1}, unless the loss of the mini-batch or a weight of θ_t is not finite: then the run has diverged.

        On a GPU that may be known later, see `settle`.
        """
        self._steps.take(self.step, self.schedule.rate(self.step))
        self.step += 1
        if self.step % self._steps.ahead == 0:
            self.settle()

    @property
    def replayed(self) -> bool:
        """Whether the next step is a CUDA graph that is replayed."""
        return self._steps.replayed

    def settle(self) -> None:
        """Wait for the steps that were asked for. Where the run diverged, t is that step, whatever was computed beyond it."""
        problem = self._steps.problem()
        if problem is not None and self.diverged_step is None:
            self.step = self.diverged_step = problem.step
            say(f"diverged: {problem}")

    def save_snapshot(self, before: Weights | None, folder: Path) -> None:
        """Save θ_t, ``before``, with θ_{t+1} and what the optimizer remembers, as they are now.

        Nothing where ``before`` is None, or there is no θ_{t+1}.
        """
        if before is None:
            return
        self.settle()
        if self.diverged_step is not None:
            return
        after = copy_of(dict(self.model.named_parameters()))
        remembered = copy_of(self.optimizer.state())
        snapshot = snapshots.Snapshot(before.step, before.parameters, after, before.buffers, remembered)
        self.snapshots.append(snapshots.write(folder, run_id(self.spec), snapshot, self.schedule.rate(before.step)))

    def state(self) -> TrainingState:
        """Everything that has changed since the beginning; tensors are those of the training, not copies."""
        self.settle()
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
