"""H of one block of parameters, the others held: the diagonal block of H, as an operator on vectors of the block's length."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from breakeven.spectra.lanczos import MatVec
from breakeven.spectra.parameters import trainable

OF_PARAMETRIZATION = (
    ".parametrizations."  # in the name of a weight that PyTorch computes from others, as with weight_norm
)
LAYER = "layer"


def blocks_of(model: nn.Module, by: str) -> dict[str, list[slice]]:
    """The blocks of θ by name, in the order of the network: where in the flat vector their parameters stand.

    ``by``: each "parameter" is one, or each "layer", the module that has the parameters: weight and bias together. A layer is
    called by its name and type, ``0 Conv2d``: in an `nn.Sequential` names are numbers.
    """
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    found: dict[str, list[slice]] = {}
    first = 0
    for name, parameter in zip(names, trainable(model), strict=True):
        module = name.split(OF_PARAMETRIZATION)[0] if OF_PARAMETRIZATION in name else name.rpartition(".")[0]
        # a parameter of the network itself is a layer
        block = _layer(model, module) if by == LAYER and module else name
        found.setdefault(block, []).append(slice(first, first + parameter.numel()))
        first += parameter.numel()
    return found


def _layer(model: nn.Module, name: str) -> str:
    return f"{name} {type_before_parametrizations(model.get_submodule(name)).__name__}"


def part(vector: Tensor, block: list[slice]) -> Tensor:
    """The block's part of a vector (D,)."""
    return torch.cat([vector[each] for each in block])


def whole(vector: Tensor, block: list[slice], like: Tensor) -> Tensor:
    """The vector (D,), ``like`` in length, whose part this is; 0 elsewhere."""
    found = vector.new_zeros(len(like))
    first = 0
    for each in block:
        size = each.stop - each.start
        found[each] = vector[first : first + size]
        first += size
    return found


def restricted(matvec: MatVec, block: list[slice], like: Tensor) -> MatVec:
    """The products of the diagonal block, from those of the whole matrix with vectors that are 0 outside of it."""
    return lambda vector: part(matvec(whole(vector, block, like)), block)
