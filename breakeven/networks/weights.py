"""Weights out of a network, as a snapshot keeps them, and back into one."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from breakeven.store.snapshots import Snapshot


def copy_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy on the CPU that later steps don't change."""
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def load_into(model: nn.Module, snapshot: Snapshot) -> None:
    """Set the parameters and buffers of ``model`` to those at the measured step (in the model's own precision)."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(snapshot.now[name])
        for name, buffer in model.named_buffers():
            buffer.copy_(snapshot.buffers[name])
