"""Between a network's list of parameters and one flat vector of length D."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that make up θ, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors into a vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Cut ``vector`` into tensors shaped as those in ``like``."""
    pieces = vector.split([tensor.numel() for tensor in like])
    return [piece.view_as(tensor) for piece, tensor in zip(pieces, like, strict=True)]
