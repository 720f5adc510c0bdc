"""How coarse gradients are in the precision of their network: beside the same ones in float64."""

import math
from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.spectra.parameters import flatten, trainable


def relative_rounding(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """‖g − g_64‖ / ‖g_64‖ of the gradients of the mean loss of some mini-batches, the largest; 0 in float64.

    Ordinary networks have 1e-6 in float32. Batch normalization of few numbers can divide by almost nothing, again and again.
    A gradient that is 0 or not finite has none.
    """
    if trainable(model)[0].dtype == torch.float64:
        return 0.0
    twin = deepcopy(model).double()
    found = []
    for inputs, targets in batches:
        exact = _gradient(twin, _in_float64(inputs), _in_float64(targets))
        found.append(float((_gradient(model, inputs, targets).to(exact) - exact).norm() / exact.norm()))
    return max(filter(math.isfinite, found), default=0.0)


def _gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    loss = cross_entropy(model(inputs), targets)
    return flatten(torch.autograd.grad(loss, trainable(model), materialize_grads=True))


def _in_float64(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
