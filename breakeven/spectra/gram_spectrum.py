"""K, the centred covariance of mini-batch gradients, through its Gram matrix (paper, sections 3 and 4).

With L mini-batch gradients g_1 … g_L of size M and their mean ḡ,

    K = (1/L) Σ_i (g_i − ḡ)(g_i − ḡ)ᵀ,      D×D, centred, divided by L (not L − 1).

Its non-zero eigenvalues are those of the L×L matrix J A J / L, with A_ij = g_i · g_j and J = I − 11ᵀ/L, so that only A
is needed. At most L − 1 of them are not zero: ``lambda_star`` is the (L − 1)-th. The gradients are of the mean loss of a
mini-batch; K of mini-batches is about 1/M of K of single examples (M = 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 16  # what the inner products of equal gradients differ by, in units of L · 2⁻⁵² of their squared norm
TOP = 5  # the paper's g_5 is a projection on the top five eigenvectors of K


@dataclass(frozen=True)
class CovarianceSpectrum:
    """The spectrum of K.

    ``eigenvalues``: the L − 1 that can differ from zero, descending. ``trace``: Tr(K), their sum. ``g_over_g5``: the
    mean over mini-batches of ‖g_i‖ / ‖P g_i‖, where P projects on K's top five eigenvectors (all of them if fewer).
    """

    eigenvalues: Tensor
    trace: float
    g_over_g5: float

    @property
    def lambda_star(self) -> float:
        """The smallest eigenvalue that is not zero by construction."""
        return float(self.eigenvalues[-1])


def spectrum(gram_matrix: Tensor) -> CovarianceSpectrum:
    """The spectrum of K from A (uncentred, L×L, float64).

    An eigenvector of K that belongs to (λ, u) of J A J / L is Gᵀ J u / sqrt(L λ); so P g_i has the components
    (uᵀ J A)_i / sqrt(L λ), and ‖g_i‖² = A_ii. Eigenvalues up to the rounding of float64 in the largest, L · 2⁻⁵² of it, are
    zero; all are, where the largest is no more than rounding leaves of gradients that are equal. NaN where A, or J A J, is not
    finite.
    """
    count, eps = gram_matrix.shape[0], torch.finfo(torch.float64).eps
    half_centred = gram_matrix - gram_matrix.mean(dim=0, keepdim=True)  # J A
    centred = half_centred - half_centred.mean(dim=1, keepdim=True)  # J A J
    if not bool(torch.isfinite(centred).all()):
        return CovarianceSpectrum(torch.full((count - 1,), torch.nan, dtype=torch.float64), torch.nan, torch.nan)
    values, vectors = torch.linalg.eigh((centred + centred.T) / (2 * count))
    values, vectors = values.flip(0)[: count - 1], vectors.flip(1)[:, : count - 1]
    if values[0] <= ROUNDING * count * eps * gram_matrix.diagonal().max():
        values = torch.zeros_like(values)
    values = torch.where(values > values[0] * count * eps, values, 0.0)
    top = values[:TOP] > 0  # a zero eigenvalue has no eigenvector
    components = vectors[:, :TOP][:, top].T @ half_centred / (count * values[:TOP][top]).sqrt()[:, None]
    norms, projected = gram_matrix.diagonal().sqrt(), components.norm(dim=0)
    g_over_g5 = (norms / projected).mean() if bool((projected > 0).all()) else torch.tensor(torch.nan)
    return CovarianceSpectrum(values.cpu(), float(values.sum()), float(g_over_g5))
