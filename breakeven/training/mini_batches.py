"""The mini-batches of a run: S examples at each step, from a fresh random order of the training set in each epoch."""

from functools import lru_cache

import torch
from torch import Tensor

from breakeven.data.dataset import Dataset, chosen
from breakeven.specs.randomness import generator
from breakeven.specs.run import RunSpec
from breakeven.store.errors import UserError
from breakeven.training.registry import augmentation


class MiniBatches:
    """The mini-batches of a run by step; an epoch is floor(N / S) steps, the remainder of its order is left out."""

    def __init__(self, dataset: Dataset, spec: RunSpec) -> None:
        self.dataset, self.seed, self.size = dataset, spec.seed, spec.batch_size
        self.examples = len(dataset.train_labels)
        self.steps_per_epoch = self.examples // self.size
        if self.steps_per_epoch == 0:
            raise UserError(f"batch_size: {self.size} is more than the {self.examples} training examples: lower it")
        self.augment = augmentation(spec)

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Stored inputs, augmented, and labels: a slice of the order of the epoch, which depends on seed and epoch alone."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = _order(self.examples, self.seed, epoch, self.dataset.train_labels.device)
        indices = order[position * self.size : (position + 1) * self.size]
        raw = chosen(self.dataset.train_inputs, indices)
        if self.augment is not None:
            raw = self.augment(raw, generator(self.seed, "augmentation", step))
        return raw, chosen(self.dataset.train_labels, indices)


@lru_cache(maxsize=1)  # once an epoch, not once a step
def _order(examples: int, seed: int, epoch: int, device: torch.device) -> Tensor:
    """On the device once an epoch, so that no step waits for it."""
    return torch.randperm(examples, generator=generator(seed, "order", epoch)).to(device)
