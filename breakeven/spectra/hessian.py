"""H, the Hessian of the training loss on the measured examples, as an operator with a ``matvec``.

The loss is L(θ) = (1/n) Σ_i ℓ_i(θ), the mean cross-entropy over n examples, each weighted equally. It is summed over
mini-batches, weighted by their sizes, so that a short last one does not count too much. For a network with batch
normalization the mini-batches are part of the definition, since each uses its own statistics; for any other network
they change nothing but rounding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from breakeven.spectra.parameters import flatten, trainable


class Hessian:
    """The D×D Hessian of the mean loss over ``batches``; ``matvec(v)`` is H v.

    Reverse over reverse differentiation: the graph of the gradient is built once and kept, so that each product costs
    one backward pass through it. ``gradient``: (D,), the gradient of the loss, which falls out.
    """

    def __init__(self, model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]]):
        self._parameters = trainable(model)
        examples = sum(len(targets) for _, targets in batches)
        self._gradients: list[Tensor] = []
        for inputs, targets in batches:
            loss = cross_entropy(model(inputs), targets) * (len(targets) / examples)
            gradient = torch.autograd.grad(loss, self._parameters, create_graph=True)
            self._gradients.append(flatten(gradient))
        self.gradient = torch.stack([gradient.detach() for gradient in self._gradients]).sum(dim=0)

    def matvec(self, vector: Tensor) -> Tensor:
        """H ``vector``, both (D,)."""
        total = torch.zeros_like(vector)
        for gradient in self._gradients:
            product = torch.autograd.grad(gradient, self._parameters, vector, retain_graph=True, materialize_grads=True)
            total += flatten(product)
        return total
