"""The Gram matrix of mini-batch gradients within a memory limit: K at M > 1."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from breakeven.networks.loss import mean_loss
from breakeven.spectra.blocked_gram import MEGABYTE, blocked_gram, inner_products, slice_bytes, too_small
from breakeven.spectra.parameters import close, trainable
from breakeven.store.errors import MeasurementError
from breakeven.store.progress import within


def mini_batch_gram(model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], memory_mb: float) -> Tensor:
    """A_ij = g_i · g_j, uncentred, (L, L), float64, of the gradients g_i of the mean loss of L mini-batches.

    ``memory_mb`` (MiB) limits the gradients; the graph of one mini-batch comes on top. Gradients that don't fit are
    computed again for each block of gradients that they have to meet; the result is the same but for rounding. A network
    whose outputs are others when it is asked again is refused.
    """
    parameters, count = trainable(model), len(batches)
    sizes = [parameter.numel() for parameter in parameters]
    row_bytes = sum(sizes) * parameters[0].element_size()
    device = parameters[0].device
    width = slice_bytes(memory_mb, device)
    available = memory_mb * MEGABYTE - width
    least = (min(count, 2) + 1) * row_bytes  # one more for the gradient as autograd returns it
    if available < least:
        raise too_small(memory_mb, least, "the gradients of mini-batches", device)

    memory = parameters[0].new_empty(min(count, int(available / row_bytes) - 1), sum(sizes))

    first: list[Tensor] = []  # the outputs of the first mini-batch

    def rows_of_block(start: int, stop: int, place: int) -> Tensor:
        rows = memory[place : place + stop - start]
        block = within(batches[start:stop], "gradients", unit="mini-batch")
        for row, (inputs, targets) in zip(rows, block, strict=True):
            outputs = model(inputs)
            first.extend([] if first else [outputs.detach()])
            gradients = torch.autograd.grad(mean_loss(model, outputs, targets), parameters, materialize_grads=True)
            for part, gradient in zip(row.split(sizes), gradients, strict=True):
                part.copy_(gradient.reshape(-1))
        return rows

    def inner(x: Tensor, y: Tensor) -> Tensor:
        return inner_products(x, y, width)

    gram = blocked_gram(count, rows_of_block, inner, len(memory))
    with torch.no_grad():
        again = model(batches[0][0])
    if bool(gram.isfinite().all()) and not close(again, first[0], float(first[0].norm())):
        raise MeasurementError(
            "the network gives other outputs when the same mini-batch comes again, so that it has no K: it draws random numbers "
            "or keeps something from one call to the next; K was not measured. Let it do so only where self.training is True"
        )
    return gram
