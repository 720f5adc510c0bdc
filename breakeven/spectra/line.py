"""The losses of examples along a straight line in weight space, θ + a·e, and their derivatives with respect to a.

All by reverse mode, which is right wherever H is: with a weight u_i for each example, d/da Σ_i u_i ℓ_i(θ + a·e) is linear in u,
so that its derivative with respect to u is the derivative of each loss.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from breakeven.networks.batch_norm import mixes_examples
from breakeven.networks.loss import losses
from breakeven.spectra.convolution import fast_convolutions
from breakeven.spectra.graph_memory import graph_bytes
from breakeven.spectra.hessian import Batch

GRAPHS = (
    4.5  # what the graph of the third derivative and its passes take, in graphs of a gradient (measured: 3.4 to 4.4)
)


class Line:
    """The line from the weights of ``model``, or from ``start``, along ``direction`` e (D,), in the precision of the model."""

    def __init__(self, model: nn.Module, direction: Tensor, start: Mapping[str, Tensor] | None = None):
        named = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
        parts = direction.split([weight.numel() for weight in named.values()])
        self.model = model
        self._start = {name: weight if start is None else start[name].to(weight) for name, weight in named.items()}
        self._along = {
            name: part.view_as(weight).to(weight) for (name, weight), part in zip(named.items(), parts, strict=True)
        }

    def losses(self, a: float | Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """ℓ_i(θ + a·e), (n,)."""
        weights = {name: weight + a * self._along[name] for name, weight in self._start.items()}
        return losses(self.model, functional_call(self.model, weights, (inputs,)), targets)

    def derivatives(self, inputs: Tensor, targets: Tensor, each: int, order: int) -> tuple[list[Tensor], float]:
        """The losses and their first ``each`` derivatives, (n,); and the sum over examples of the derivative of ``order``."""
        with torch.enable_grad():
            a = torch.zeros((), dtype=next(iter(self._start.values())).dtype, device=inputs.device, requires_grad=True)
            u = a.new_ones(len(targets)).requires_grad_()
            with fast_convolutions():
                of_each = self.losses(a, inputs, targets)
            found, total = [of_each.detach()], of_each @ u
            for number in range(1, order + 1):
                needed = number < order or number <= each
                total = _derivative(total, a, graph=needed)
                if number <= each:
                    found.append(_derivative(total, u, graph=False, again=number < order))
        return found, float(total.detach())


def _derivative(total: Tensor, by: Tensor, graph: bool, again: bool = True) -> Tensor:
    """dtotal/dby; 0 where it is constant."""
    if not total.requires_grad:
        return torch.zeros_like(by)
    (found,) = torch.autograd.grad(total, by, create_graph=graph, retain_graph=graph or again, materialize_grads=True)
    return found


def pieces(model: nn.Module, batches: Sequence[Batch], memory_mb: float) -> Iterator[Batch]:
    """Pieces of mini-batches whose third derivative fits into ``memory_mb``; one whose examples are mixed stays whole."""
    inputs, targets = batches[0][0][:4], batches[0][1][:4]
    fitting = memory_mb * 2**20 / (GRAPHS * max(1, graph_bytes(model, inputs, targets)) / len(targets))
    whole = math.isinf(fitting) or mixes_examples(model, batches[0][0])
    for x, y in batches:
        size = len(y) if whole else max(1, min(len(y), math.floor(fitting)))
        yield from zip(x.split(size), y.split(size), strict=True)
