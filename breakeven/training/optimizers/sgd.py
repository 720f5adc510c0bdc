"""SGD, with momentum and weight decay where a run has them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from breakeven.specs.run import RunSpec


def build(parameters: Iterable[tuple[str, Tensor]], spec: RunSpec) -> torch.optim.Optimizer:
    """With momentum μ and weight decay λ: v ← μ v + ∇L + λ θ, θ ← θ − η v, from v = 0."""
    return torch.optim.SGD(parameters, momentum=spec.momentum, weight_decay=spec.weight_decay)
