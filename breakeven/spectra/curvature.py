"""The curvature of the loss of each example along one direction, by second-order Taylor arithmetic.

For a direction e, the curvature of example i is the second directional derivative of its own loss,

    H_i = eᵀ ∇²ℓ_i(θ) e = d²/da² ℓ_i(θ + a·e)  at a = 0,

whose mean over the examples is eᵀ H e, with H the Hessian of the mean loss. The network is evaluated once on the weights
θ + a·e (`breakeven.spectra.taylor`), which gives H_i for a whole mini-batch at the cost of about five forward passes, and
no graph is kept.

Forward mode through PyTorch's own batch and layer normalization is silently wrong (pytorch#196699), so networks are
measured with `breakeven.networks.primitive`; whoever uses this compares the mean with eᵀ H e by reverse mode.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven.networks.batch_norm import mixes_examples
from breakeven.spectra.taylor import Jet

# On a CPU, a piece whose values stay in the cache is faster, by a sixth for SimpleCNN on CIFAR-10 with 32 pictures at a
# time, this many numbers. A word becomes many numbers and counts as 16 of them: 76 texts of 80 words for the LSTM, which is
# as fast as more, and 16 of 128 word pieces for BERT, so that memory stays small. A GPU takes a mini-batch whole.
NUMBERS_AT_ONCE = 32 * 3 * 32 * 32
NUMBERS_OF_A_WORD = 16


def per_example_curvature(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """H_i of the cross-entropy of each example along ``direction`` (D,), a vector (n,) in the model's precision.

    With batch normalization, ℓ_i is the loss of example i within this mini-batch, whose statistics move with θ.
    """
    pieces = _pieces(model, inputs, targets)
    return torch.cat([_curvature(model, direction, *piece) for piece in pieces])


@torch.no_grad()
def rounding(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """What rounding may do to each H_i, (n,), however small it is, in units of the precision's 2⁻⁵² or 2⁻²³.

    With outputs z and probabilities p, H_i = z'ᵀ (diag p − p pᵀ) z' + (p − y)ᵀ z'': where a network is certain, so that p is
    almost 0 or 1, what is left of z'² and z'' is the rounding of p.
    """
    return torch.cat([_scale(_outputs(model, direction, x)) for x, _ in _pieces(model, inputs, targets)])


def _pieces(model: nn.Module, inputs: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """What goes through the network at once."""
    whole = inputs.is_cuda or mixes_examples(model)
    numbers = inputs[0].numel() * (1 if inputs.is_floating_point() else NUMBERS_OF_A_WORD)
    size = len(inputs) if whole else max(1, NUMBERS_AT_ONCE // numbers)
    return zip(inputs.split(size), targets.split(size), strict=True)


def _scale(outputs: Jet) -> Tensor:
    largest = [torch.zeros_like(outputs.value) if part is None else part for part in (outputs.first, outputs.second)]
    first, second = (part.abs().amax(dim=1) for part in largest)
    return first.square() + second


@torch.no_grad()
def _curvature(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    losses: Jet = cross_entropy(_outputs(model, direction, inputs), targets, reduction="none")  # type: ignore[assignment]
    assert losses.second is not None
    return losses.second


def _outputs(model: nn.Module, direction: Tensor, inputs: Tensor) -> Jet:
    """The outputs of the network on the weights θ + a·e."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    parts = direction.split([weight.numel() for weight in weights.values()])
    along = {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}
    jets: dict[str, Tensor] = {name: Jet(weights[name], along[name], None) for name in weights}
    outputs: Jet = functional_call(model, jets, (inputs,))
    return outputs
