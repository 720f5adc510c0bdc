"""A network's list of parameters as one flat vector of length D."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that make up θ, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors into a vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
