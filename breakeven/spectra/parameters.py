"""A network's list of parameters as one flat vector of length D, and when two vectors are the same."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that make up θ, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors into a vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def close(x: Tensor, y: Tensor, scale: float) -> bool:
    """Equal in half of the digits, or but for rounding of what has the size ``scale``."""
    epsilon = torch.finfo(y.dtype).eps
    difference = float((x.reshape(-1) - y.reshape(-1)).norm())
    return difference <= math.sqrt(epsilon) * float(y.norm()) + 100 * epsilon * scale
