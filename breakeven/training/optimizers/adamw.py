"""AdamW (Loshchilov and Hutter, 2019), the steps of `torch.optim.AdamW`: `adam` whose weights decay by themselves.

θ ← (1 − η w) θ − η P⁻¹ m with the weight decay w, which is no part of the gradient. PyTorch's own default is 0.01; a run's is 0.
"""

from collections.abc import Iterable
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from breakeven.specs.condition import Condition
from breakeven.specs.run import RunSpec
from breakeven.training.optimizers.adam import preconditioner as preconditioner
from breakeven.training.torch_optimizer import TorchOptimizer


def build(
    parameters: Iterable[tuple[str, Tensor]],
    spec: RunSpec,
    *,
    beta1: Annotated[float, Ge(0), Lt(1), "Decay of the average of gradients, β₁."] = 0.9,
    beta2: Annotated[float, Ge(0), Lt(1), "Decay of the average of their squares, β₂."] = 0.999,
    eps: Annotated[float, Gt(0), "What is added to the root of the latter, ε."] = 1e-8,
) -> TorchOptimizer:
    """The optimizer of a run."""
    named = dict(parameters)
    adam = torch.optim.AdamW(named.values(), betas=(beta1, beta2), eps=eps, weight_decay=spec.weight_decay)
    return TorchOptimizer(adam, named)


def condition(spec: RunSpec, *, beta1: float) -> Condition:
    """What its stability depends on, where P is taken as frozen."""
    return Condition(momentum=beta1, scale=1 - beta1, decoupled_decay=spec.weight_decay)
