"""The state of an optimizer as tensors with names, for checkpoints: ``PARAMETER/QUANTITY``, such as ``0.weight/momentum_buffer``.

Its settings are no part of it: they are the run's, and the learning rate is set before each step.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def state_of(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that ``optimizer`` remembers of the steps before."""
    content = optimizer.state_dict()
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


def load_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Let ``optimizer`` go on as one whose `state_of` was ``tensors``."""
    content = optimizer.state_dict()
    numbers = {name: number for number, name in _names(content).items()}
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, quantity = name.rpartition("/")
        state.setdefault(numbers[parameter], {})[quantity] = tensor
    optimizer.load_state_dict(content | {"state": state})


def _names(content: Mapping[str, Any]) -> dict[int, str]:
    """The names of the parameters by their numbers in PyTorch; an optimizer that was built from named tensors knows them."""
    groups = content["param_groups"]
    return {
        number: name for group in groups for number, name in zip(group["params"], group["param_names"], strict=True)
    }
