"""SGD, with (Nesterov's) momentum and weight decay where a run has them: the steps of `torch.optim.SGD`, to the bit.

That one imports PyTorch's compiler when it is made, which takes longer than many a training (1.1 to 1.5 s).
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from breakeven.specs.condition import Condition
from breakeven.specs.run import RunSpec


def build(parameters: Iterable[tuple[str, Tensor]], spec: RunSpec) -> "SGD":
    """The optimizer of a run."""
    return SGD(parameters, spec.momentum, spec.weight_decay, spec.nesterov)


def condition(spec: RunSpec) -> Condition:
    """What its stability depends on."""
    return Condition(momentum=spec.momentum, nesterov=spec.nesterov, weight_decay=spec.weight_decay)


class SGD:
    """With momentum β and weight decay w: g = ∇L + w θ, v ← β v + g, θ ← θ − η v, from v = 0. What has no gradient stays.

    With Nesterov's momentum θ ← θ − η (g + β v), with the new v.
    """

    recordable = True

    def __init__(
        self, parameters: Iterable[tuple[str, Tensor]], momentum: float, weight_decay: float, nesterov: bool = False
    ) -> None:
        self.parameters, self.momentum, self.weight_decay = dict(parameters), momentum, weight_decay
        self.nesterov = nesterov
        self.velocities: dict[str, Tensor] = {}

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move each parameter by its ``grad``."""
        moving = {name: weight for name, weight in self.parameters.items() if weight.grad is not None}
        weights = list(moving.values())
        directions = [weight.grad for weight in weights if weight.grad is not None]
        if self.weight_decay:
            directions = list(torch._foreach_add(directions, weights, alpha=self.weight_decay))
        if self.momentum:
            velocities = [self._velocity(name, direction) for name, direction in zip(moving, directions, strict=True)]
            ahead = self.nesterov
            directions = list(torch._foreach_add(directions, velocities, alpha=self.momentum)) if ahead else velocities
        torch._foreach_add_(weights, directions, alpha=-learning_rate)

    def _velocity(self, name: str, direction: Tensor) -> Tensor:
        """What the parameter's velocity becomes."""
        if name in self.velocities:
            return self.velocities[name].mul_(self.momentum).add_(direction)
        return self.velocities.setdefault(name, direction.clone())

    def state(self) -> dict[str, Tensor]:
        """All that it remembers of the steps before."""
        return {f"{name}/velocity": velocity for name, velocity in self.velocities.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on as one whose state was ``tensors``."""
        named = ((key.removesuffix("/velocity"), tensor) for key, tensor in tensors.items())
        # a checkpoint is read on the CPU, wherever the weights are
        self.velocities = {name: torch.empty_like(self.parameters[name]).copy_(tensor) for name, tensor in named}
