"""Tr(H) by Hutchinson's estimator, deflated by a subspace in which H is known already (Hutch++).

With an orthonormal basis Q of that subspace and P = I − Q Qᵀ,

    Tr(H) = Tr(Qᵀ H Q) + Tr(P H P),      Tr(P H P) ≈ mean over m of  zᵀ P H P z,  z of independent ±1,

where the first term is exact and costs nothing, as the eigensolver left it behind, and the second has a small variance,
as the large eigenvalues are in the first (Meyer, Musco, Musco, Woodruff, SOSA 2021).
"""

import math

import torch
from torch import Tensor

from breakeven.spectra.lanczos import MatVec
from breakeven.store.progress import within


def hutchinson(
    matvec: MatVec, basis: Tensor, projected: Tensor, probes: int, generator: torch.Generator
) -> tuple[float, float]:
    """An unbiased estimate of the trace and its standard error, from ``probes`` products.

    ``basis``: (m, D), orthonormal rows Q; ``projected``: (m, m), Q H Qᵀ. The error is that of the mean over probes; it
    is zero where the basis spans the whole space and NaN for a single probe.
    """
    known = float(projected.diagonal().sum())
    if len(basis) == basis.shape[1]:
        return known, 0.0
    samples = []
    for _ in within(range(probes), "trace", unit="product"):
        z = torch.randint(0, 2, (basis.shape[1],), generator=generator).mul(2).sub(1).to(basis)
        z = z - (basis @ z) @ basis
        samples.append(float(z @ matvec(z)))
    estimates = torch.tensor(samples, dtype=torch.float64)
    error = float(estimates.std()) / math.sqrt(probes) if probes > 1 else math.nan
    return known + float(estimates.mean()), error
