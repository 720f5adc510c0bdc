"""An optimizer of your own, with what its stability depends on: Adam with one decay for both averages."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from breakeven.specs.condition import Condition


def build(parameters: Sequence[tuple[str, Tensor]], *, beta: float = 0.9, eps: float = 1e-8) -> torch.optim.Optimizer:
    """The optimizer; its learning rate is set at each step."""
    return torch.optim.Adam([tensor for _, tensor in parameters], betas=(beta, beta), eps=eps)


def condition(*, beta: float) -> Condition:
    """Heavy ball with momentum β and learning rate η (1 − β), in the coordinates P^(1/2) θ."""
    return Condition(momentum=beta, scale=1 - beta)


def preconditioner(state: Mapping[str, Tensor], *, beta: float, eps: float) -> Tensor:
    """P of the last step for one parameter, from what the optimizer remembers of it, so that the step was η P⁻¹ m."""
    unbiased = 1 - beta ** float(state["step"])
    return unbiased * ((state["exp_avg_sq"] / unbiased).sqrt() + eps)
