"""H, the Hessian of the training loss on the measured examples, as an operator with a ``matvec``.

The loss is L(θ) = (1/n) Σ_i ℓ_i(θ), the mean loss (`breakeven.networks.loss`) over n examples, each weighted equally. It is
summed over mini-batches, weighted by their sizes, so that a short last one does not count too much. For a network with batch
normalization the mini-batches are part of the definition, since each uses its own statistics; for any other network
they change nothing but rounding.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from breakeven.networks.batch_norm import mixes_examples
from breakeven.networks.loss import mean_loss
from breakeven.spectra.convolution import fast_convolutions
from breakeven.spectra.graph_memory import graph_bytes
from breakeven.spectra.parameters import flatten, trainable
from breakeven.spectra.second_derivatives import told
from breakeven.store.errors import UserError
from breakeven.store.progress import within

Batch = tuple[Tensor, Tensor]


class Hessian:
    """The D×D Hessian of the mean loss over ``batches``; ``matvec(v)`` is H v.

    Reverse over reverse differentiation. Where the graph of the gradient takes less than ``memory_mb``, it is built once
    and kept, and each product costs one backward pass through it (about 1.7 gradient evaluations). Where it takes more,
    it is built again at each product (about 3), in pieces that fit. ``gradient``: (D,), the gradient of the loss, which
    falls out. ``kept``: whether the graph is kept.
    """

    def __init__(self, model: nn.Module, batches: Sequence[Batch], memory_mb: float = math.inf):
        self._model, self._parameters = model, trainable(model)
        self._examples = sum(len(targets) for _, targets in batches)
        fitting = _examples_that_fit(model, batches, memory_mb)
        self.kept = self._examples <= fitting
        self._pieces = list(batches) if self.kept else list(_pieces(model, batches, fitting, memory_mb))
        self._graphs = [self._gradient(piece) for piece in self._in_turn()] if self.kept else []
        if self.kept:
            self.gradient = _sum(gradient.detach() for gradient in self._graphs)
        else:  # one graph at a time
            self.gradient = _sum(self._gradient(piece).detach() for piece in self._in_turn())

    def matvec(self, vector: Tensor) -> Tensor:
        """H ``vector``, both (D,)."""
        if self.kept:
            return _sum(_product(graph, self._parameters, vector, keep=True) for graph in self._graphs)
        return _sum(_product(self._gradient(piece), self._parameters, vector, keep=False) for piece in self._in_turn())

    def _in_turn(self) -> Iterator[Batch]:
        return within(self._pieces, "gradients of the loss", unit="mini-batch")

    def _gradient(self, piece: Batch) -> Tensor:
        return _gradient(self._model, self._parameters, piece, self._examples)


def product(model: nn.Module, batches: Sequence[Batch], vector: Tensor) -> Tensor:
    """H ``vector``, where that is all that is wanted: no mini-batch's graph outlives it."""
    parameters, examples = trainable(model), sum(len(targets) for _, targets in batches)
    return _sum(
        _product(_gradient(model, parameters, batch, examples), parameters, vector, keep=False)
        for batch in within(batches, "a product with H", unit="mini-batch")
    )


def _gradient(model: nn.Module, parameters: list[nn.Parameter], piece: Batch, examples: int) -> Tensor:
    """The piece's share of the gradient of the mean loss over so many examples, with its graph."""
    inputs, targets = piece
    with told():
        with fast_convolutions():
            loss = mean_loss(model, model(inputs), targets) * (len(targets) / examples)
        return flatten(torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True))


def _product(gradient: Tensor, parameters: list[nn.Parameter], vector: Tensor, keep: bool) -> Tensor:
    with torch.enable_grad():  # not grad(gradient, parameters, vector), which gives the same bits and imports sympy
        slope = gradient @ vector
    with told():
        return flatten(torch.autograd.grad(slope, parameters, retain_graph=keep, materialize_grads=True))


def _sum(vectors: Iterator[Tensor]) -> Tensor:
    """Their sum, one at a time, so that no more than two are held."""
    total = next(vectors).clone()
    for vector in vectors:
        total += vector
    return total


def _examples_that_fit(model: nn.Module, batches: Sequence[Batch], memory_mb: float) -> float:
    """How many examples' graphs fit into ``memory_mb``, from the graph of a few of them.

    A product needs about as much again as it goes back through the graph (measured: 0.5 to 1.1 times as much).
    """
    if math.isinf(memory_mb):
        return math.inf
    inputs, targets = batches[0][0][:4], batches[0][1][:4]
    return memory_mb * 2**20 / (2 * graph_bytes(model, inputs, targets) / len(targets))


def _pieces(model: nn.Module, batches: Sequence[Batch], fitting: float, memory_mb: float) -> Iterator[Batch]:
    """Pieces of the mini-batches whose graphs fit; a mini-batch of a network that mixes its examples stays whole."""
    needed = max(len(targets) for _, targets in batches) if mixes_examples(model, batches[0][0]) else 1
    if fitting < needed:
        what = "one example" if needed == 1 else f"a mini-batch of {needed} examples"
        megabytes = math.ceil(memory_mb * needed / fitting)
        advice = "" if needed == 1 else ", or lower measurements.hessian.batch_size"
        raise UserError(
            f"memory_mb: {memory_mb:g} is too small for the gradient's graph of {what}, which takes about "
            f"{megabytes} MB: raise it{advice}"
        )
    for inputs, targets in batches:
        size = len(targets) if needed > 1 else math.floor(fitting)
        yield from zip(inputs.split(size), targets.split(size), strict=True)
