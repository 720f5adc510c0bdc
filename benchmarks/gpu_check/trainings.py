"""Trainings in this process, for the phases that look at their steps."""

import common
import torch
from torch.nn.functional import interpolate

from breakeven.training.training import Training

CLASSES = 10


def steps_taken(training: Training, count: int) -> None:
    """Take ``count`` steps, by whatever way the package takes them, and be sure that none of them diverged.

    The host waits for the device once, at the end.
    """
    for _ in range(count):
        training.take_step()
    training.settle()
    assert training.diverged_step is None, f"diverged at step {training.diverged_step}"


def pictures(count: int, device: torch.device) -> common.Examples:
    """Pictures 3×32×32 that can be told apart: a mean picture of 4×4 patches for each class, and noise."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (count,), generator=draws)
    means = interpolate(torch.randn(CLASSES, 3, 4, 4, generator=draws), size=(32, 32))
    return common.Examples(
        (means[labels] + torch.randn(count, 3, 32, 32, generator=draws)).to(device), labels.to(device)
    )
