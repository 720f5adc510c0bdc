"""How coarse gradients are in the precision of their network: beside the same ones in float64."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from breakeven.spectra.parameters import as_float64, in_float64, loss_gradient, trainable


def relative_rounding(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """‖g − g_64‖ / ‖g_64‖ of the gradients of the mean loss of some mini-batches, the largest; 0 in float64.

    Ordinary networks have 1e-6 in float32. Batch normalization of few numbers can divide by almost nothing, again and again.
    A gradient that is 0 or not finite has none.
    """
    if trainable(model)[0].dtype == torch.float64:
        return 0.0
    found = []
    for inputs, targets in batches:
        rounded = loss_gradient(model, inputs, targets)
        with in_float64(model):
            exact = loss_gradient(model, as_float64(inputs), as_float64(targets))
        found.append(float((rounded.to(exact) - exact).norm() / exact.norm()))
    return max(filter(math.isfinite, found), default=0.0)
