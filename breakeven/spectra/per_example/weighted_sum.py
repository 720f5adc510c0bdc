"""The check of the gradients of single examples: a weighted sum of them, by one ordinary gradient.

With weights c of random size and sign, cᵀ A c = ‖Σ_i c_i g_i‖² = ‖∇ Σ_i c_i ℓ_i‖², where the right-hand side knows nothing of
layers and examples: autograd takes it of the weighted loss. Equal weights, c = 1, would not see that a layer was given the
examples in another order than the next one. The examples go through the network in another order and other company than
before, so that outputs that depend on those, or on chance, show as well.

How often a wrong A passes: with E its error and t the tolerance relative to ‖E‖, the probability that |cᵀ E c| < t ‖E‖ is of
the order of √t (Carbery and Wright, 2001); for λ_K^1 that is 15 % off some hundredths in float32. So there are two such sums,
from one pass forward, and each snapshot draws new weights.
"""

import math

import torch
from torch import Tensor, nn

from breakeven.networks.loss import losses
from breakeven.spectra.parameters import close, trainable
from breakeven.spectra.per_example.routes import MIXING
from breakeven.store.errors import MeasurementError, UserError
from breakeven.store.progress import within

SUMS = 2  # with weights of their own


def check_gram(
    gram: Tensor, outputs: Tensor, model: nn.Module, inputs: Tensor, targets: Tensor, chunk: int, seed: int
) -> None:
    """Refuse a Gram matrix of single examples that contradicts the gradient of a weighted sum of their losses.

    ``outputs``: the network's, from which A comes. Not more than half of ``chunk`` examples go through it at once. Both sides
    must agree within half of the digits of sqrt(Σ_i c_i² ‖g_i‖²), the size of what is summed.
    """
    count, parameters, draws = len(targets), trainable(model), torch.Generator().manual_seed(seed)
    shape = SUMS, count
    weights = (torch.rand(shape, generator=draws) + 0.5) * (2 * torch.randint(2, shape, generator=draws) - 1)
    weights, order = weights.to(outputs), torch.randperm(count, generator=draws).to(inputs.device)
    totals = [[torch.zeros_like(parameter) for parameter in parameters] for _ in range(SUMS)]
    groups = [order[:1], *order[1:].split(max(1, chunk // 2))]  # the first one is alone
    for places in within(groups, "check of the gradients", unit="group of examples"):
        found = model(inputs[places])
        if not close(found.detach(), outputs[places], float(outputs[places].norm())):
            raise UserError(MIXING.format("gives other outputs for an example in one mini-batch than in another"))
        of_each = losses(model, found, targets[places])
        for c, total in zip(weights, totals, strict=True):
            gradients = torch.autograd.grad(c[places] @ of_each, parameters, retain_graph=True, materialize_grads=True)
            for whole, part in zip(total, gradients, strict=True):
                whole += part
    for c, total in zip(weights.to(torch.float64), totals, strict=True):
        _compare(gram, c, total, outputs.dtype)


def _compare(gram: Tensor, c: Tensor, total: list[Tensor], dtype: torch.dtype) -> None:
    """Whether cᵀ A c is the squared norm of ``total``, the gradient of the sum with weights c."""
    ours = float(c @ gram @ c)
    expected = sum(float(torch.linalg.vector_norm(part, dtype=torch.float64)) ** 2 for part in total)
    slack = math.sqrt(torch.finfo(dtype).eps * float(c.square() @ gram.diagonal()))
    if not abs(ours - expected) <= slack * (2 * math.sqrt(expected) + slack):
        coarse = ", or where float32 is too coarse (set measurements.covariance.precision to float64)"
        raise MeasurementError(
            "the gradients of single examples contradict the gradient of a weighted sum of their losses, whose squared norm is "
            f"{expected:.9g} and not {ours:.9g}; K was not measured. So it is where the network reorders or mixes the examples "
            "of a mini-batch (set measurements.covariance.batch_size to 2 or more)"
            + (coarse if dtype == torch.float32 else "")
        )
