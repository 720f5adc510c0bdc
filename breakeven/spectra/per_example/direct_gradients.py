"""The gradients of single examples with respect to named parameters, for those that no layer's factors give."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from breakeven.networks.loss import mean_loss
from breakeven.spectra.parameters import flatten


def looped(model: nn.Module, names: Sequence[str], inputs: Tensor, targets: Tensor) -> Tensor:
    """∇ℓ_i of the parameters ``names``, (examples, numbers): one ordinary backward pass for each example."""
    parameters = [model.get_parameter(name) for name in names]
    rows = []
    for i in range(len(targets)):
        loss = mean_loss(model, model(inputs[i : i + 1]), targets[i : i + 1])
        rows.append(flatten(torch.autograd.grad(loss, parameters, materialize_grads=True)))
    return torch.stack(rows)


def vectorised(model: nn.Module, names: Sequence[str], inputs: Tensor, targets: Tensor) -> Tensor:
    """The same through `torch.func.vmap`, all examples at once; fails for what vmap can't do (PyTorch's LSTM)."""

    def loss(parameters: dict[str, Tensor], example: Tensor, target: Tensor) -> Tensor:
        return mean_loss(model, functional_call(model, parameters, (example[None],)), target[None])

    parameters = {name: model.get_parameter(name).detach() for name in names}
    with torch.no_grad():  # no graph of what is not asked for; torch.func.grad has its own
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, inputs, targets)
    return torch.cat([gradient.flatten(1) for gradient in gradients.values()], dim=1)
