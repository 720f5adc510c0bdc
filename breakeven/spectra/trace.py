"""Tr(H) by Hutchinson's estimator, deflated by a subspace in which H is known already (Hutch++).

With an orthonormal basis Q of that subspace, P = I − Q Qᵀ and B = P H P,

    Tr(H) = Tr(Qᵀ H Q) + Tr(B),      Tr(B) ≈ mean over m of  zᵀ B z,  z of independent ±1,

where the first term is exact and costs nothing, as the eigensolver left it behind, and the second has a small variance,
as the large eigenvalues are in the first (Meyer, Musco, Musco, Woodruff, SOSA 2021).

The spread of two or three samples can't say how far off that may be: ±2 of its standard errors cover 62 to 83 % and not 95 %.
Student's t covers 88 to 96 %, as the samples are skewed, and its interval of two samples is 12.7 errors wide. But each
product alone knows a bound of the variance: Var(zᵀ B z) = 2 (‖B‖² − Σ_i B_ii²) ≤ 2 ‖B‖² in the Frobenius norm (Avron, Toledo,
J. ACM 2011), and ‖B‖² is the expectation of ‖B z‖². The interval is made of that; it covers 95 % or more, by
`benchmarks/calibrate_trace.py`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from breakeven.spectra.lanczos import MatVec
from breakeven.store.progress import within

WIDTH = 2.5  # half of the interval, in bounds of the standard error; 1.96 would do if the samples were normal


@dataclass(frozen=True)
class Trace:
    """An unbiased ``estimate`` of Tr(H), the standard ``error`` of the mean over its samples, and an interval of 95 % about it.

    The error is NaN for a single sample. It and the interval have no width where the basis spans the whole space.
    """

    estimate: float
    error: float
    low: float
    high: float


def hutchinson(matvec: MatVec, basis: Tensor, projected: Tensor, probes: int, generator: torch.Generator) -> Trace:
    """The trace of the symmetric matrix behind ``matvec`` from ``probes`` products.

    ``basis``: (m, D), orthonormal rows Q; ``projected``: (m, m), Q H Qᵀ. The interval is WIDTH · sqrt(2 mean ‖B z‖² / probes)
    to both sides.
    """
    known = float(projected.diagonal().sum())
    if len(basis) == basis.shape[1]:
        return Trace(known, 0.0, known, known)
    samples, squares = [], []
    for _ in within(range(probes), "trace", unit="product"):
        z = torch.randint(0, 2, (basis.shape[1],), generator=generator).mul(2).sub(1).to(basis)
        z = z - (basis @ z) @ basis
        product = matvec(z)
        samples.append(float(z @ product))
        squares.append(float(torch.linalg.vector_norm(product - (basis @ product) @ basis, dtype=torch.float64)) ** 2)
    values = torch.tensor(samples, dtype=torch.float64)
    estimate = known + float(values.mean())
    error = float(values.std()) / math.sqrt(probes) if probes > 1 else math.nan
    half = WIDTH * math.sqrt(2 * math.fsum(squares)) / probes
    return Trace(estimate, error, estimate - half, estimate + half)
