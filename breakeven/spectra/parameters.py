"""A network's parameters and gradient as one flat vector of length D, in float64 for a while, and when two are the same."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from breakeven.networks.loss import mean_loss


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that make up θ, in the model's order."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate tensors into a vector."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def loss_gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The gradient of the mean loss of one mini-batch, (D,), without its graph."""
    loss = mean_loss(model, model(inputs), targets)
    return flatten(torch.autograd.grad(loss, trainable(model), materialize_grads=True))


def as_float64(tensor: Tensor) -> Tensor:
    """The tensor in float64; one of integers (words, labels) as it is."""
    return tensor.double() if tensor.is_floating_point() else tensor


@contextmanager
def in_float64(model: nn.Module) -> Iterator[None]:
    """Inside the block ``model`` has copies of its parameters and buffers, in float64.

    Not a copy of the network, which not every one allows; nor its own parameters in float64, since graphs would lose them.
    """
    places = [
        (module, name, tensor)
        for module in model.modules()
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
        if tensor.is_floating_point()
    ]
    copies: dict[Tensor, Tensor] = {}  # a tensor that is used in two places has one copy
    for module, name, tensor in places:
        setattr(module, name, copies.setdefault(tensor, _double(tensor)))
    try:
        yield
    finally:
        for module, name, tensor in places:
            setattr(module, name, tensor)


def _double(tensor: Tensor) -> Tensor:
    copy = tensor.detach().to(torch.float64, copy=True)
    return nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy


def close(x: Tensor, y: Tensor, scale: float) -> bool:
    """Equal in half of the digits, or but for rounding of what has the size ``scale``."""
    epsilon = torch.finfo(y.dtype).eps
    difference = float((x.reshape(-1) - y.reshape(-1)).norm())
    return difference <= math.sqrt(epsilon) * float(y.norm()) + 100 * epsilon * scale
