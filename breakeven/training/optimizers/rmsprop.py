"""RMSprop (Hinton's lecture, 2012), with momentum where a run has it: the steps of `torch.optim.RMSprop`.

With the gradient g = ∇L + w θ: v ← α v + (1 − α) g², b ← β b + P⁻¹ g, θ ← θ − η b, P = √v + ε. It has no bias correction: v
begins at 0 and is small at first, so that the first steps are large.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from breakeven.specs.condition import Condition
from breakeven.specs.run import RunSpec
from breakeven.training.torch_optimizer import TorchOptimizer


def build(
    parameters: Iterable[tuple[str, Tensor]],
    spec: RunSpec,
    *,
    alpha: Annotated[float, Ge(0), Lt(1), "Decay of the average of squared gradients, α."] = 0.99,
    eps: Annotated[float, Gt(0), "What is added to its root, ε."] = 1e-8,
) -> TorchOptimizer:
    """The optimizer of a run."""
    named = dict(parameters)
    rmsprop = torch.optim.RMSprop(
        named.values(), alpha=alpha, eps=eps, weight_decay=spec.weight_decay, momentum=spec.momentum
    )
    return TorchOptimizer(rmsprop, named)


def condition(spec: RunSpec) -> Condition:
    """What its stability depends on, where P is taken as frozen: in P^(1/2) θ it is SGD with momentum."""
    return Condition(momentum=spec.momentum, weight_decay=spec.weight_decay)


def preconditioner(state: Mapping[str, Tensor], spec: RunSpec, *, eps: float) -> Tensor:
    """P of the last step."""
    return state["square_avg"].double().sqrt() + eps
