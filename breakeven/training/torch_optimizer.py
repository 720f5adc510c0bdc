"""One of PyTorch's own optimizers, with a state of named tensors: ``PARAMETER/QUANTITY``, such as ``0.weight/exp_avg``.

Its settings are no part of the state: they are the run's.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from breakeven.store.errors import UserError, some


class TorchOptimizer:
    """An optimizer as trainings need it, see `breakeven.training.optimizers`, around one of the ``named`` parameters."""

    recordable = False  # most count their steps on the host

    def __init__(self, optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> None:
        self.optimizer = optimizer
        names = {id(parameter): name for name, parameter in named.items()}
        # in PyTorch's order, in which it numbers them
        self.parameters = {names[id(each)]: each for group in optimizer.param_groups for each in group["params"]}

    def step(self, learning_rate: float) -> None:
        """Move each parameter by its ``grad``; all groups of parameters with the same learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """All that it remembers of the steps before."""
        remembered = self.optimizer.state
        found = {
            f"{name}/{quantity}": value
            for name, parameter in self.parameters.items()
            if parameter in remembered
            for quantity, value in remembered[parameter].items()
        }
        others = [name for name, value in found.items() if not isinstance(value, Tensor)]
        if others:
            raise UserError(
                f"the optimizer's state holds {some(others)}, of which the first is {str(found[others[0]])[:50]!r}, no tensor: "
                "a checkpoint can hold tensors only; make a number one by torch.tensor"
            )
        return found

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on as one whose state was ``tensors``."""
        numbers = {name: number for number, name in enumerate(self.parameters)}
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            parameter, _, quantity = name.rpartition("/")
            state.setdefault(numbers[parameter], {})[quantity] = (
                tensor.clone()
            )  # PyTorch moves what it is given, in place
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})
        for name, loaded in self.state().items():
            if loaded.dtype != tensors[name].dtype:  # PyTorch makes all as the weights are
                parameter, _, quantity = name.rpartition("/")
                of_parameter = self.optimizer.state[self.parameters[parameter]]
                of_parameter[quantity] = tensors[name].to(loaded.device, copy=True)


def own_optimizer(made: Any, named: Mapping[str, Tensor]) -> TorchOptimizer:
    """What a function of the user's own made of the ``named`` parameters, if it can be used."""
    if not isinstance(made, torch.optim.Optimizer):
        raise UserError(f"it returned a {type(made).__name__}; allowed: a torch.optim.Optimizer")
    needed = [each for each in inspect.signature(made.step).parameters.values() if each.default is each.empty]
    if any(each.kind is each.POSITIONAL_OR_KEYWORD for each in needed):
        raise UserError(f"the step of {type(made).__name__} needs a closure; allowed: one that takes none")
    known = {id(parameter) for parameter in named.values()}
    if any(id(each) not in known for group in made.param_groups for each in group["params"]):
        raise UserError("it moves something that is no parameter of the network")
    return TorchOptimizer(made, named)
