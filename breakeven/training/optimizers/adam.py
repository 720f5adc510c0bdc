"""Adam (Kingma and Ba, 2015), the steps of `torch.optim.Adam`.

With the gradient g = ∇L + w θ: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − η P⁻¹ m, with
P = (1 − β₁ᵗ) (√(v / (1 − β₂ᵗ)) + ε) at the t-th step. Cohen et al. (2022, arXiv 2207.14484) write it so.
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
    beta1: Annotated[float, Ge(0), Lt(1), "Decay of the average of gradients, β₁."] = 0.9,
    beta2: Annotated[float, Ge(0), Lt(1), "Decay of the average of their squares, β₂."] = 0.999,
    eps: Annotated[float, Gt(0), "What is added to the root of the latter, ε."] = 1e-8,
) -> TorchOptimizer:
    """The optimizer of a run."""
    named = dict(parameters)
    adam = torch.optim.Adam(named.values(), betas=(beta1, beta2), eps=eps, weight_decay=spec.weight_decay)
    return TorchOptimizer(adam, named)


def condition(spec: RunSpec, *, beta1: float) -> Condition:
    """What its stability depends on, where P is taken as frozen: in P^(1/2) θ it is heavy ball with η (1 − β₁)."""
    return Condition(momentum=beta1, scale=1 - beta1, weight_decay=(1 - beta1) * spec.weight_decay)


def preconditioner(state: Mapping[str, Tensor], spec: RunSpec, *, beta1: float, beta2: float, eps: float) -> Tensor:
    """P of the last step."""
    step, squares = float(state["step"]), state["exp_avg_sq"].double()
    p: Tensor = (1 - beta1**step) * ((squares / (1 - beta2**step)).sqrt() + eps)
    return p
