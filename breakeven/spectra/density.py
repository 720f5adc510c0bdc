"""The density of all eigenvalues of H, by stochastic Lanczos quadrature (Ghorbani, Krishnan, Xiao, ICML 2019).

For a random vector z of norm one whose entries are ±1/√D, Lanczos from z gives a tridiagonal T, whose eigenvalues θ_j and the
squared first entries w_j of whose eigenvectors are a Gauss quadrature: Σ_j w_j f(θ_j) ≈ zᵀ f(H) z, exact for polynomials f of
degree up to 2m − 1 after m steps. The mean over several z estimates Tr f(H) / D, for every f.
"""

import math

import torch
from torch import Tensor

from breakeven.spectra.lanczos import MatVec, Rounding, exact, largest_eigenpairs
from breakeven.store.progress import within

NEVER = -math.inf  # a tolerance that no estimated error meets


def quadrature(
    matvec: MatVec, like: Tensor, probes: int, steps: int, generator: torch.Generator, rounding: Rounding = exact
) -> tuple[Tensor, Tensor]:
    """Nodes θ and weights w of the density, float64, (probes, m) each, from ``probes`` · m products, m = min(``steps``, D).

    All weights add up to one. ``like``: (D,), a vector of the precision and device of the products. NaN if a product is not
    finite.
    """
    nodes, weights = [], []
    for _ in within(range(probes), "density", unit="random vector"):
        z = torch.randint(0, 2, (1, len(like)), generator=generator).mul(2).sub(1).to(like) / math.sqrt(len(like))
        found = largest_eigenpairs(matvec, z, 1, NEVER, steps, generator, rounding)
        if len(found.projected) == 0:
            nan = torch.full((probes, min(steps, len(like))), math.nan, dtype=torch.float64)
            return nan, nan
        values, vectors = torch.linalg.eigh(found.projected)
        nodes.append(values)
        weights.append(vectors[0].square() / probes)
    return torch.stack(nodes), torch.stack(weights)
