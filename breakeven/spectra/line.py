"""The loss along a straight line in weight space, θ + a·e, and its derivatives by a, of the examples and of their sum."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from breakeven.networks.batch_norm import mixes_examples
from breakeven.networks.loss import curvatures, losses
from breakeven.spectra.convolution import fast_convolutions
from breakeven.spectra.curvature import Way
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

    def derivative(self, inputs: Tensor, targets: Tensor, order: int) -> float:
        """d^order/da^order Σ_i ℓ_i(θ + a·e) at a = 0, by reverse mode alone, which is right wherever H is."""
        with torch.enable_grad():
            a = next(iter(self._start.values())).new_zeros(()).requires_grad_()
            with fast_convolutions():
                total = self.losses(a, inputs, targets).sum()
            for number in range(1, order + 1):
                if not total.requires_grad:  # constant
                    return 0.0
                (total,) = torch.autograd.grad(total, a, create_graph=number < order, materialize_grads=True)
        return float(total.detach())


def of_each(model: nn.Module, direction: Tensor, inputs: Tensor, targets: Tensor, way: Way) -> tuple[Tensor, ...]:
    """ℓ_i, and its first two derivatives along ``direction``, each (n,)."""
    z, first, second = way(model, direction, inputs)
    with torch.enable_grad():
        outputs = z.requires_grad_()
        loss = losses(model, outputs, targets)
        (by_output,) = torch.autograd.grad(loss.sum(), outputs)
    slopes = (by_output * first).sum(dim=1)
    return loss.detach(), slopes, curvatures(model, z.detach(), first, second, targets)


def pieces(model: nn.Module, batches: Sequence[Batch], memory_mb: float) -> Iterator[Batch]:
    """Pieces of mini-batches whose third derivative fits into ``memory_mb``; one whose examples are mixed stays whole."""
    inputs, targets = batches[0][0][:4], batches[0][1][:4]
    fitting = memory_mb * 2**20 / (GRAPHS * max(1, graph_bytes(model, inputs, targets)) / len(targets))
    whole = math.isinf(fitting) or mixes_examples(model, batches[0][0])
    for x, y in batches:
        size = len(y) if whole else max(1, min(len(y), math.floor(fitting)))
        yield from zip(x.split(size), y.split(size), strict=True)
