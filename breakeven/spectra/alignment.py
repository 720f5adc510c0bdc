"""How e_H^1, the direction of largest curvature, lies to K, the covariance of mini-batch gradients.

With the slopes s_j = g_j · e of the L mini-batch losses along a direction e, and A their Gram matrix, A_ij = g_i · g_j,

    eᵀ K e = (1/L) Σ_j (s_j − s̄)²,      ⟨e_K^1, e⟩ = Σ_j u_j (s_j − s̄) / sqrt(L λ_K^1),

where (λ_K^1, u) is the top eigenpair of J A J / L, see `breakeven.spectra.gram_spectrum`: no gradient is kept.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from breakeven.spectra.gram_spectrum import ROUNDING


@dataclass(frozen=True)
class Alignment:
    """``cosine``: |⟨e_K^1, e⟩|. ``variance``: eᵀ K e. ``lambda_1``: λ_K^1, 0 where K is; NaN where something is not finite."""

    cosine: float
    variance: float
    lambda_1: float


def alignment(gram_matrix: Tensor, slopes: Tensor) -> Alignment:
    """From A (uncentred, L×L, float64) and the slopes (L,) along e, a vector of norm one."""
    count, eps = len(slopes), torch.finfo(torch.float64).eps
    slopes = slopes.to(gram_matrix)
    centred_slopes = slopes - slopes.mean()
    variance = float(centred_slopes.square().mean())
    half_centred = gram_matrix - gram_matrix.mean(dim=0, keepdim=True)
    centred = half_centred - half_centred.mean(dim=1, keepdim=True)
    if not bool(torch.isfinite(centred).all()):
        return Alignment(math.nan, variance, math.nan)
    values, vectors = torch.linalg.eigh((centred + centred.T) / (2 * count))
    largest = float(values[-1])
    if largest <= ROUNDING * count * eps * float(gram_matrix.diagonal().max()):
        return Alignment(math.nan, variance, 0.0)
    cosine = abs(float(vectors[:, -1] @ centred_slopes)) / math.sqrt(count * largest)
    return Alignment(min(cosine, 1.0), variance, largest)
