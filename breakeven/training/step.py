"""What a step of training computes: the loss of a mini-batch, whether it is finite, and the update of the weights."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn

from breakeven.data.targets import training_targets
from breakeven.networks.loss import mean_loss
from breakeven.specs.randomness import derived_seed
from breakeven.specs.run import RunSpec
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.optimizers import Optimizer
from breakeven.training.precision import WEIGHTS


class Problem(NamedTuple):
    """Why a run diverged: at ``step``, the loss of the mini-batch or the largest weight of θ_t was not finite."""

    step: int
    loss: float
    weight: float

    def __str__(self) -> str:
        what = f"a weight is {self.weight}" if math.isfinite(self.loss) else f"the training loss is {self.loss}"
        return f"{what} at step {self.step}"


@dataclass(frozen=True)
class Step:
    """The arithmetic of a run's steps, which is the same whoever takes them."""

    spec: RunSpec
    device: torch.device
    mini_batches: MiniBatches
    model: nn.Module
    optimizer: Optimizer

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """Those of the network, with their gradients."""
        return list(self.model.parameters())

    @cached_property
    def weights(self) -> list[Tensor]:
        """The same memory, without gradients."""
        return [parameter.detach() for parameter in self.parameters]

    def seed_layers(self, step: int) -> None:
        """Seed the one randomness of layers themselves, such as dropout: the numbers of ``torch.manual_seed``.

        That one notes where it was called from, for each kind of device, which takes a tenth of a small network's step.
        """
        seed = derived_seed(self.spec.seed, "dropout", step)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def loss(self, raw: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of a mini-batch, as it is stored."""
        dataset, dtype = self.mini_batches.dataset, WEIGHTS[self.spec.precision]
        targets = training_targets(labels, dataset.classes, self.spec.label_smoothing, dtype)
        return mean_loss(self.model, self.model(dataset.inputs(raw, dtype)), targets)

    def update(self, loss: Tensor, learning_rate: float) -> None:
        """θ_t → θ_{t+1}."""
        for parameter in self.parameters:
            parameter.grad = None
        torch.autograd.backward(loss)
        self.optimizer.step(learning_rate)
