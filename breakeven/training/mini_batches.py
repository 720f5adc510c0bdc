"""The mini-batches of a run: S examples at each step, reshuffled in each epoch, or drawn by themselves.

Eq. 1 takes mini-batches for independent draws. Those of one epoch are not: where one curves more than the mean, the others curve
less. So training that reshuffles is more stable, and Eq. 1 calls its break-even point early. With N = 1437, fixed H_i and one
direction, the learning rate from which on the mean of x² grows is above Eq. 1's by 1.5 to 23 % at S = 32, and by 6 to 78 % at
S = 8, for s/λ from 0.5 to 2 (`benchmarks/calibrate_conditions.py`).
"""

from functools import lru_cache

import torch
from torch import Tensor

from breakeven.data.dataset import Dataset, chosen
from breakeven.specs.randomness import generator
from breakeven.specs.run import RunSpec
from breakeven.store.errors import UserError
from breakeven.training.registry import augmentation


class MiniBatches:
    """The mini-batches of a run by step; an epoch is floor(N / S) steps, the remainder of its order is left out.

    They depend on seed and step alone, so that an interrupted training, or a longer one, goes on with the same.
    """

    def __init__(self, dataset: Dataset, spec: RunSpec) -> None:
        self.dataset, self.seed, self.size, self.sampling = dataset, spec.seed, spec.batch_size, spec.sampling
        self.examples = len(dataset.train_labels)
        self.steps_per_epoch = self.examples // self.size
        if self.steps_per_epoch == 0:
            raise UserError(f"batch_size: {self.size} is more than the {self.examples} training examples: lower it")
        self.augmentation = augmentation(spec)
        if self.augmentation is not None and dataset.train_inputs.dtype != torch.uint8:
            raise UserError(f"augmentation: {spec.augmentation} is for pictures, and the data set holds none")

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Stored inputs, augmented, and labels."""
        return self.gather(self.examples_of(step), self.draws(step))

    def examples_of(self, step: int) -> Tensor:
        """Their numbers, (S,), each once: S of all at random, or a slice of the order of the epoch."""
        device = self.dataset.train_labels.device
        if self.sampling == "replacement":
            return torch.randperm(self.examples, generator=generator(self.seed, "sampling", step))[: self.size].to(
                device
            )
        epoch, position = divmod(step, self.steps_per_epoch)
        order = _order(self.examples, self.seed, epoch, device)
        return order[position * self.size : (position + 1) * self.size]

    def draws(self, step: int) -> Tensor | None:
        """The random numbers of the augmentation, on the CPU, where they are the same for every device; None without one."""
        if self.augmentation is None:
            return None
        return self.augmentation.draw(self.size, generator(self.seed, "augmentation", step))

    def gather(self, examples: Tensor, draws: Tensor | None) -> tuple[Tensor, Tensor]:
        """Stored inputs of the ``examples``, augmented with the ``draws``, and labels."""
        raw = chosen(self.dataset.train_inputs, examples)
        if self.augmentation is not None and draws is not None:
            raw = self.augmentation.augment(raw, draws.to(raw.device))
        return raw, chosen(self.dataset.train_labels, examples)


@lru_cache(maxsize=1)  # once an epoch, not once a step
def _order(examples: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """On the device once an epoch, so that no step waits for it."""
    return torch.randperm(examples, generator=generator(seed, "order", epoch)).to(device)
