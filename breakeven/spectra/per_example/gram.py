"""The Gram matrix of the gradients of single examples, without ever holding the gradients: K at M = 1 (paper, appendix).

Linear layers, convolutions and embeddings contribute through what enters and leaves them (`layer_factors`), in the smaller of two
exact forms. All other parameters contribute through their own gradients (`direct_gradients`). Which way is right for a
parameter is tried out and not assumed (`per_example_plan`).
"""

import torch
from torch import Tensor, nn

from breakeven.networks.loss import summed_loss
from breakeven.spectra.blocked_gram import MEGABYTE, blocked_gram, inner_products, slice_bytes, too_small
from breakeven.spectra.parameters import trainable
from breakeven.spectra.per_example.direct_gradients import looped, vectorised
from breakeven.spectra.per_example.embedding_factors import embedding_inner_products
from breakeven.spectra.per_example.layer_factors import (
    bias_gradients,
    capturing,
    factored_inner_products,
    factors,
    fits,
    gradients_of_outputs,
    weight_gradients,
)
from breakeven.spectra.per_example.routes import Plan, make_plan
from breakeven.spectra.per_example.weighted_sum import check_gram
from breakeven.store.progress import say, within

CHUNK, CHUNK_ON_GPU = 16, 256  # examples in one forward and backward pass, at most


class _UsedOtherwise(Exception):
    """A layer has no use, more uses, or other ones than where the plan was tried out."""


def per_example_gram(model: nn.Module, inputs: Tensor, targets: Tensor, memory_mb: float, seed: int = 0) -> Tensor:
    """A_ij = g_i · g_j, uncentred, (n, n), float64, of the gradients g_i = ∇ℓ_i of the cross-entropy of single examples.

    ``memory_mb`` (MiB) limits what is kept of the gradients together with the working memory of a pass; n×n
    matrices come on top. Examples that don't fit are cut into blocks and evaluated again for each block that they have to
    meet; the result is the same but for rounding. A limit that holds less than two examples is an error, and so is a network
    that mixes the examples of a mini-batch. Where examples differ in how they use a layer, as with experts, each has a pass of
    its own. Every call checks A by an ordinary gradient (`check_gram`), with weights from
    ``seed``. Where a gradient is not finite, all of A is NaN.
    """
    plan = make_plan(model, inputs, targets)
    try:
        return _checked_gram(model, plan, inputs, targets, memory_mb, seed)
    except _UsedOtherwise:
        say("a layer is used in other ways by some examples than by others: a pass for each example")
        plan = make_plan(model, inputs, targets, directly=True)
        return _checked_gram(model, plan, inputs, targets, memory_mb, seed)


def _checked_gram(
    model: nn.Module, plan: Plan | None, inputs: Tensor, targets: Tensor, memory_mb: float, seed: int
) -> Tensor:
    """A by the ways of ``plan``, checked; NaN without a plan."""
    count = len(targets)
    if plan is None:
        return torch.full((count, count), torch.nan, dtype=torch.float64, device=inputs.device)
    parameter_bytes = sum(parameter.nbytes for parameter in trainable(model))
    chunk, capacity = _sizes(plan, count, memory_mb, parameter_bytes, inputs.device)
    memory: list[Tensor] = []
    outputs: list[Tensor] = [inputs.new_empty(0)] * count

    def rows_of_block(start: int, stop: int, place: int) -> list[Tensor]:
        for first in within(range(start, stop, chunk), "gradients", unit=f"{chunk} examples"):
            last = min(first + chunk, stop)
            outputs[first:last], rows = _rows(model, plan, inputs[first:last], targets[first:last])
            if not memory:
                memory.extend(row.new_empty(capacity, *row.shape[1:]) for row in rows)
            for kept, row in zip(memory, rows, strict=True):
                if kept.shape[1:] != row.shape[1:]:
                    raise _UsedOtherwise
                kept[place + first - start : place + last - start] = row
            del rows
        return [kept[place : place + stop - start] for kept in memory]

    width = slice_bytes(memory_mb, inputs.device)
    gram = blocked_gram(count, rows_of_block, lambda x, y: _inner(plan, x, y, width), capacity)
    if not bool(gram.isfinite().all()):
        return gram.fill_(torch.nan)
    check_gram(gram, torch.stack(outputs), model, inputs, targets, chunk, seed)
    return gram


def _sizes(plan: Plan, count: int, memory_mb: float, parameter_bytes: int, device: torch.device) -> tuple[int, int]:
    """How many examples pass through the network at once, and of how many the rows are kept."""
    fixed = 2 * parameter_bytes  # the sum of all gradients and that of a pass, in the check
    least = fixed + min(count, 2) * plan.row_bytes + plan.working_bytes
    available = memory_mb * MEGABYTE - slice_bytes(memory_mb, device)
    if available < least:
        raise too_small(memory_mb, least, "the gradients of single examples", device)
    most = CHUNK_ON_GPU if device.type == "cuda" else CHUNK
    chunk = min(most, max(1, int((available - fixed) / 4 / plan.working_bytes)))
    return chunk, min(count, int((available - fixed - chunk * plan.working_bytes) / plan.row_bytes))


def _rows(model: nn.Module, plan: Plan, inputs: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The network's outputs for some examples, and what is kept of their gradients, in the order of the plan."""
    with capturing(layer.module for layer in plan.layers) as uses:
        outputs = model(inputs)
        loss = summed_loss(model, outputs, targets)
    deltas = gradients_of_outputs(loss, uses)
    rows: list[Tensor] = []
    for layer in plan.layers:
        used, delta = uses[layer.module], deltas[layer.module]
        if not used or not fits(layer.module, used, len(targets)):
            raise _UsedOtherwise
        if layer.factored:
            rows += factors(layer.module, used, delta)
            continue
        if layer.weight:
            rows.append(weight_gradients(layer.module, used, delta))
        if layer.bias:
            rows.append(bias_gradients(layer.module, delta))
    if plan.rest:
        direct = vectorised if plan.vectorise else looped
        rows.append(direct(model, plan.rest, inputs, targets))
    return outputs.detach(), rows


def _inner(plan: Plan, x: list[Tensor], y: list[Tensor], width: float) -> Tensor:
    """The inner products of two blocks of rows: summed over layers, and the rest."""
    total = torch.zeros(len(x[0]), len(y[0]), dtype=torch.float64, device=x[0].device)
    pairs = iter(zip(x, y, strict=True))
    for layer in within(plan.layers, "inner products", unit="layer"):
        if layer.factored:
            inputs, deltas = next(pairs), next(pairs)
            if isinstance(layer.module, nn.Embedding):
                (words, others), (delta, epsilon) = inputs, deltas
                total += embedding_inner_products((words, delta), (others, epsilon), width)
            else:
                total += factored_inner_products(inputs, deltas, layer.bias, width)
        else:
            for _ in range(layer.weight + layer.bias):
                total += inner_products(*next(pairs), width)
    for rest in pairs:
        total += inner_products(*rest, width)
    return total
