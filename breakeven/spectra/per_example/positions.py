"""Inner products of two examples' gradients as a double sum over the positions at which they use a layer."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from breakeven.spectra.blocked_gram import inner_products


def over_positions(
    inputs: tuple[Tensor, Tensor],
    deltas: tuple[Tensor, Tensor],
    alike: Callable[[Tensor, Tensor], Tensor],
    slice_bytes: float,
) -> Tensor:
    """Σ_s Σ_t alike(a_is, a_jt) (δ_is · δ_jt) in float64, (p, q), for examples i and j with T positions each.

    ``inputs``: a of both, (p, T, …) and (q, T, …); ``deltas``: δ of both, (p, T, out) and (q, T, out). ``alike`` takes (m, …) and
    (k, …) to (m, k). One matrix product for as many examples as ``slice_bytes`` holds the pairs of positions of; half of the
    work where both are the same.
    """
    (a, b), (delta, epsilon) = inputs, deltas
    # a quarter for each of two matrices of pairs, the rest for the slices of their products
    size = max(1, int(math.sqrt(slice_bytes / 4 / 8) / a.shape[1]))
    parts = list(zip(a.split(size), delta.split(size), strict=True))
    others = parts if b is a else list(zip(b.split(size), epsilon.split(size), strict=True))
    total = torch.zeros(len(a), len(b), dtype=torch.float64, device=a.device)
    for i, (a_i, delta_i) in enumerate(parts):
        x, u = a_i.flatten(0, 1), delta_i.flatten(0, 1)
        for j, (b_j, epsilon_j) in enumerate(others):
            if b is a and j < i:
                continue
            y, v = (x, u) if b_j is a_i else (b_j.flatten(0, 1), epsilon_j.flatten(0, 1))
            pairs = inner_products(u, v, slice_bytes / 2) * alike(x, y)
            summed = pairs.unflatten(0, (len(a_i), -1)).unflatten(2, (len(b_j), -1)).sum(dim=(1, 3))
            total[i * size : i * size + len(a_i), j * size : j * size + len(b_j)] = summed
    return total.triu() + total.triu(1).T if b is a else total
