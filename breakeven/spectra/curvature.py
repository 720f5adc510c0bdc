"""The curvature of the loss of each example along one direction.

For a direction e, the curvature of example i is the second directional derivative of its own loss,

    H_i = eᵀ ∇²ℓ_i(θ) e = d²/da² ℓ_i(θ + a·e)  at a = 0,

whose mean over the examples is eᵀ H e, with H the Hessian of the mean loss. With outputs z of the network and probabilities p,

    H_i = z'ᵀ (diag p − p pᵀ) z' + (p − y)ᵀ z'',      z' = dz/da,  z'' = d²z/da²,

or z'ᵀ z' + (z − y)ᵀ z'' where the loss is the squared one, see `breakeven.networks.loss`.

Two ways lead to z' and z'' of a whole mini-batch:

- `reverse_mode`: z' = J e, with J the Jacobian, is the derivative of (Jᵀu)·e with respect to u, and z'' that of z' in the same
  way: four passes back. Right wherever H is: of 110 operations tried, all to 1e-14.
- `forward_mode`: two nested forward-mode derivatives, at a third of the time. Of those operations PyTorch has none of 9 (GLU,
  packed sequences, functions of the user's own), has it wrong of 6 (solve, det, householder products: up to 370 %), and what
  is constant to reverse mode under `torch.no_grad` moves.

So `fastest_way` tries forward mode against reverse mode on a few examples, in float64.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp

from breakeven.networks.batch_norm import mixes_examples
from breakeven.networks.loss import curvature_scales, curvatures
from breakeven.spectra.parameters import as_float64, flatten, in_float64, trainable

# On a CPU, a piece whose values stay in the cache is faster, by a sixth for SimpleCNN on CIFAR-10 with 32 pictures at a
# time, this many numbers. A word becomes many numbers and counts as 16 of them: 76 texts of 80 words for the LSTM, which is
# as fast as more, and 16 of 128 word pieces for BERT, so that memory stays small. A GPU takes a mini-batch whole in forward
# mode, which keeps no graph.
NUMBERS_AT_ONCE = 32 * 3 * 32 * 32
NUMBERS_OF_A_WORD = 16

TRIED = 4  # examples on which the two ways are compared
SAME = 1e-8  # of the largest derivative, in float64; what is wrong is wrong by more than 1e-5 along a random direction

Derivatives = tuple[Tensor, Tensor, Tensor]  # z, z', z'', each (n, classes)
Way = Callable[[nn.Module, Tensor, Tensor], Derivatives]  # from the network, the direction e and the inputs


def per_example_curvature(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor, way: Way) -> Tensor:
    """H_i of the loss of each example along ``direction`` (D,), a vector (n,) in the model's precision.

    ``targets``: labels, smoothed ones (n, classes), or numbers (n, outputs). Where the examples of a mini-batch are mixed, ℓ_i is
    the loss of example i within this one, whose statistics move with θ.
    """
    pieces = _pieces(model, inputs, targets, way)
    return torch.cat([curvatures(model, *way(model, direction, x), y) for x, y in pieces])


def rounding(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor, way: Way) -> Tensor:
    """What rounding may do to each H_i, (n,), however small it is, in units of the precision's 2⁻⁵² or 2⁻²³.

    Where a network is certain, so that p is almost 0 or 1, what is left of z'² and z'' is the rounding of p.
    """
    pieces = _pieces(model, inputs, targets, way)
    return torch.cat([curvature_scales(model, *way(model, direction, x), y) for x, y in pieces])


def fastest_way(model: nn.Module, inputs: Tensor) -> Way:
    """`forward_mode` where it gives what `reverse_mode` gives for this network, along a random direction in float64.

    PyTorch's LSTM has forward mode in float64 on a CPU, but in float32 is oneDNN's, which has none: so it is tried in both.
    """
    some = inputs[:TRIED]
    inputs = as_float64(some)
    draws = torch.Generator().manual_seed(0)
    size = sum(parameter.numel() for parameter in trainable(model))
    direction = torch.randn(size, generator=draws, dtype=torch.float64).to(inputs.device)
    direction /= direction.norm()
    try:
        forward_mode(model, direction.to(trainable(model)[0].dtype), some)
        with in_float64(model):
            found = forward_mode(model, direction, inputs)
            expected = reverse_mode(model, direction, inputs)
    except RuntimeError:  # PyTorch has no forward mode of an operation, or the network no float64
        return reverse_mode
    same = all(_same(*parts) for parts in zip(found, expected, strict=True))
    return forward_mode if same else reverse_mode


def forward_mode(model: nn.Module, direction: Tensor, inputs: Tensor) -> Derivatives:
    """z, z' and z'' by two nested forward-mode derivatives of the network on the weights θ + a·e."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    parts = direction.split([weight.numel() for weight in weights.values()])
    # copies: of a view PyTorch makes zeros that take the memory of all of ``direction``, one for each parameter
    along = {name: part.view_as(weight).clone() for (name, weight), part in zip(weights.items(), parts, strict=True)}
    # said, although zero: without, PyTorch imports sympy
    straight = {name: torch.zeros_like(part) for name, part in along.items()}

    def outputs(at: dict[str, Tensor]) -> Any:
        return functional_call(model, at, (inputs,))

    def slope(at: dict[str, Tensor], to: dict[str, Tensor]) -> Any:
        return jvp(outputs, (at,), (to,))

    both: Any = jvp(slope, (weights, along), (along, straight))
    (z, first), (_, second) = both
    return z.detach(), first.detach(), second.detach()


def reverse_mode(model: nn.Module, direction: Tensor, inputs: Tensor) -> Derivatives:
    """z, z' and z'' by reverse mode alone."""
    parameters = trainable(model)
    with torch.enable_grad():
        z = model(inputs)
        first = _along(z, parameters, direction)
        second = _along(first, parameters, direction)
    return z.detach(), first.detach(), second.detach()


def _along(values: Tensor, parameters: list[nn.Parameter], direction: Tensor) -> Tensor:
    """The derivative of ``values`` along ``direction``, of their shape: that of (Jᵀu)·e, which is linear in u, for u."""
    if not values.requires_grad:  # constant
        return torch.zeros_like(values)
    u = torch.ones_like(values, requires_grad=True)
    # not grad(values, parameters, u), which gives the same bits and imports sympy
    gradient = torch.autograd.grad((values * u).sum(), parameters, create_graph=True, materialize_grads=True)
    slope = flatten(gradient) @ direction
    if not slope.requires_grad:
        return torch.zeros_like(values)
    (along,) = torch.autograd.grad(slope, u, create_graph=True, materialize_grads=True)
    return along


def _same(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().amax() <= SAME * expected.abs().amax())


def _pieces(model: nn.Module, inputs: Tensor, targets: Tensor, way: Way) -> Iterator[tuple[Tensor, Tensor]]:
    """What goes through the network at once."""
    whole = (inputs.is_cuda and way is forward_mode) or mixes_examples(model, inputs)
    numbers = inputs[0].numel() * (1 if inputs.is_floating_point() else NUMBERS_OF_A_WORD)
    size = len(inputs) if whole else max(1, NUMBERS_AT_ONCE // numbers)
    return zip(inputs.split(size), targets.split(size), strict=True)
