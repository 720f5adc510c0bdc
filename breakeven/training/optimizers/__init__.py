"""The optimizers that a run can be trained with, one module for each.

Each has a function ``build(parameters, spec, *, option: type = default, …)``, which gives the `Optimizer` of the parameters,
pairs of name and tensor, with the settings of the run; what stands after the ``*`` are its options (`breakeven.specs.source`).
One of PyTorch's is made into one by `breakeven.training.torch_optimizer.TorchOptimizer`. Two other functions take those of the
options that they name:

- ``condition(spec, *, …)`` gives the `breakeven.specs.condition.Condition` of its stability.
- ``preconditioner(state, spec, *, …)``, if it has one, gives P for one parameter, in its shape, from what the optimizer remembers
  of it after a step, so that the step was θ ← θ − η P⁻¹ m, with m linear in the gradients: the P of that step.

A file of the user's own has the same functions without ``spec``, of which only ``build`` must be there.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Optimizer(Protocol):
    """What moves the weights; all that it remembers are tensors, so that checkpoints hold it.

    ``recordable``: after its first step, a step is the same operations on the same memory each time, so that a CUDA graph can
    repeat it.
    """

    recordable: bool

    def step(self, learning_rate: float) -> None:
        """Move each parameter by its ``grad``."""

    def state(self) -> "dict[str, Tensor]":
        """All that it remembers of the steps before, ``PARAMETER/QUANTITY``; not copies."""

    def load_state(self, tensors: "Mapping[str, Tensor]") -> None:
        """Go on as one whose state was ``tensors``."""
