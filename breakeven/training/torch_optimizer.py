"""One of PyTorch's own optimizers, with a state of named tensors: ``PARAMETER/QUANTITY``, such as ``0.weight/exp_avg``.

Its settings are no part of the state: they are the run's.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class TorchOptimizer:
    """An optimizer as trainings need it, see `breakeven.training.optimizers`, around one that was built from named tensors."""

    recordable = False  # most count their steps on the host

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self, learning_rate: float) -> None:
        """Move each parameter by its ``grad``."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """All that it remembers of the steps before."""
        content = self.optimizer.state_dict()
        names = _names(content)
        tensors = {
            f"{names[number]}/{quantity}": value
            for number, quantities in content["state"].items()
            for quantity, value in quantities.items()
        }
        for name, value in tensors.items():
            assert isinstance(value, Tensor), (
                f"a checkpoint can't hold the optimizer's {name}, which is no tensor: {value!r}"
            )
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on as one whose state was ``tensors``."""
        content = self.optimizer.state_dict()
        numbers = {name: number for number, name in _names(content).items()}
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            parameter, _, quantity = name.rpartition("/")
            state.setdefault(numbers[parameter], {})[quantity] = tensor
        self.optimizer.load_state_dict(content | {"state": state})


def _names(content: Mapping[str, Any]) -> dict[int, str]:
    """The names of the parameters by their numbers in PyTorch."""
    groups = content["param_groups"]
    return {
        number: name for group in groups for number, name in zip(group["params"], group["param_names"], strict=True)
    }
