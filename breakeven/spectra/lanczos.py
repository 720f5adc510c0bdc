"""The algebraically largest eigenvalues of a symmetric matrix that is known only by its products with vectors.

Band Lanczos: from one or more start vectors it builds an orthonormal basis Q, taking the next basis vector q_j at each
step, computing H q_j, and adding what is orthogonal to the basis as a new basis vector. With one start vector that is
the Lanczos method; with several (the eigenvectors of a neighbouring matrix) it is its block form, one product at a time.

Of the basis, the first m vectors Q_m have been multiplied. With T = Q_mᵀ H Q_m and an eigenpair (θ, s) of T, the Ritz pair
(θ, Q_m s) has the residual H Q_m s − θ Q_m s, which lies in the span of the basis vectors that were not multiplied yet.
Its norm is known exactly, without another product. For a symmetric matrix some eigenvalue lies within the residual of θ,
and, where the rest of the spectrum is at least a gap away, within residual² / gap (Parlett, The Symmetric Eigenvalue
Problem, SIAM 1998, theorems 4.5.1 and 11.7.1). The iteration ends when the smaller of the two is below the tolerance for
every wanted value, at two products in a row, not after a fixed number of steps.
Each new vector is orthogonalised against the whole basis, twice.

Which of the basis vectors that were not multiplied yet is next? For one wanted value, the one that waited longest. For several,
the residual of the value with the largest error lies in their span, and they are rotated so that it is the next (as in
Davidson's method; Saad, section 8.4): that takes 16 % fewer products along a trajectory, 25 % fewer from a cold start. For one
value alone it would pursue what is known already, and miss what is not.

No residual can tell that *some* eigenvalue is the *wanted* one: an eigenvector that the start vectors (almost) lack is never
seen. The chance of that is in the start. A random vector in D dimensions has a component x/√D along an eigenvector, x normal
with variance one, so that all of b independent ones lack it (all |x| < ε) with probability (2/π)^{b/2} εᵇ at most: with one
vector as likely as ε, and two eigenvalues 1 % apart show themselves only to a residual below 1 % of ε; with several, hardly
ever (Kuczyński, Woźniakowski, SIAM J. Matrix Anal. Appl. 13, 1992, for one; Saad, Numerical Methods for Large Eigenvalue
Problems, SIAM 2011, section 6.6, for blocks). So a cold start takes several; `breakeven.measurements.hessian` says which.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from breakeven.store.errors import MeasurementError
from breakeven.store.progress import within

MatVec = Callable[[Tensor], Tensor]
Rounding = Callable[[Tensor], float]  # how large v·Hv may be by rounding alone, of a vector v of norm one

SQUARES = 1e-15, 1e15  # norms whose squares are well within float32
# products after which all estimated errors must be below the tolerance: the second shows what the first missed
IN_A_ROW = 2
# values beyond several wanted ones that must have converged as well: where few stand out of a bulk, the last of the wanted ones
# are of the bulk's edge, and one that is passed over shows first as one that follows
GUARDS = 2
NEIGHBOURS = 2  # Ritz vectors beyond the wanted ones that are handed on
# of T; rounding left 4e-7 and 5e-16 of it, but 1e-3 in DenseNet-121 in float32; weight_norm leaves 0.24
ASYMMETRY = {torch.float32: 1e-2, torch.float64: 1e-8}


@dataclass(frozen=True)
class RitzPairs:
    """What `largest_eigenpairs` found; k is the number of wanted values, or D if that is less.

    ``values``: float64, (k,), descending. ``vectors``: (k, D), rows of norm one. ``neighbours``: (at most `NEIGHBOURS`, D), those
    of the values that follow, converged or not: what may be wanted at a neighbouring matrix. ``residuals``: float64, (k,), the
    norms ‖H v − θ v‖. ``errors``: float64, (k,), the estimated error of each value, min(residual, residual² / gap).
    ``basis``: (m, D), the vectors that were multiplied, and ``projected``: float64, (m, m), H in that basis.
    ``converged``: every estimated error is below the tolerance. ``only_rounding``: the products are no more than rounding, and
    so are the values. Values that could not be computed are NaN.
    """

    values: Tensor
    vectors: Tensor
    neighbours: Tensor
    residuals: Tensor
    errors: Tensor
    basis: Tensor
    projected: Tensor
    matvecs: int
    converged: bool
    only_rounding: bool = False


def exact(_: Tensor) -> float:
    """The `Rounding` of a matrix whose products have (almost) all digits of their precision."""
    return 0.0


def largest_eigenpairs(
    matvec: MatVec,
    start: Tensor,
    count: int,
    tolerance: float,
    max_matvecs: int,
    generator: torch.Generator,
    rounding: Rounding = exact,
) -> RitzPairs:
    """The ``count`` algebraically largest eigenpairs of the symmetric matrix behind ``matvec``.

    A start of b vectors finds eigenvalues of multiplicity up to b; a single vector sees each once. A matrix that is not
    symmetric, and more than ``rounding``, raises `MeasurementError`.

    ``start``: (b, D), the start vectors as rows; products have their precision, everything small is float64.
    ``tolerance``: the largest estimated error of a wanted value, relative to the largest |wanted value|. ``generator`` draws a
    new direction where the Krylov space is exhausted before D. A product whose norm is not finite, or not in its precision,
    ends it, unconverged.
    """
    dimension = start.shape[1]
    count, limit = min(count, dimension), min(max_matvecs, dimension)
    basis = _Basis(start.new_empty(0, dimension), generator)
    for vector in start:
        basis.append(vector)
    guards = GUARDS if count > 1 else 0
    coefficients = torch.zeros(0, 0, dtype=torch.float64)  # (basis vectors, multiplied): Qᵀ H Q_m
    matvecs = held = 0
    for _ in within(range(limit), "products with the matrix, at most", unit="product"):
        if matvecs == len(basis):
            basis.append_random()
        product = matvec(basis.vectors[matvecs])
        matvecs += 1
        if not norm(product) <= torch.finfo(product.dtype).max:
            return _failed(basis.vectors, count, matvecs)
        column = basis.append(product)
        coefficients = _with_column(coefficients, column)
        projected = (coefficients[:matvecs] + coefficients[:matvecs].T) / 2
        values, vectors = torch.linalg.eigh(projected)
        values, vectors = values.flip(0), vectors.flip(1)
        residuals = (coefficients[matvecs:] @ vectors).norm(dim=0)
        scale = float(values[:count].abs().max())
        errors = _error_estimates(values, residuals)[: count + guards]
        # each start vector must have been multiplied, or what it knows would be ignored
        enough = matvecs >= min(dimension, max(count + guards, len(start)))
        held = held + 1 if enough and bool((errors <= tolerance * scale).all()) else 0
        converged = held >= IN_A_ROW or (held > 0 and matvecs == dimension)
        if converged or matvecs >= limit:
            break
        if count > 1 and matvecs >= len(start):
            rotation = _rotation_to(coefficients[matvecs:] @ vectors[:, int(errors.argmax())])
            basis.rotate(matvecs, rotation)
            coefficients[matvecs:] = rotation @ coefficients[matvecs:]
    q = basis.vectors[:matvecs]
    ritz = vectors[:, : count + NEIGHBOURS].T.to(q) @ q
    ritz = ritz / ritz.norm(dim=1, keepdim=True)
    only_rounding = not _symmetric(coefficients[:matvecs], q.dtype, lambda: rounding(ritz[0]))
    return RitzPairs(
        _padded(values[:count], count),
        ritz[:count],
        ritz[count:],
        _padded(residuals[:count], count),
        _padded(errors[:count], count),
        q,
        projected,
        matvecs,
        converged and not only_rounding,
        only_rounding,
    )


class _Basis:
    """Orthonormal rows that grow by one at a time."""

    def __init__(self, empty: Tensor, generator: torch.Generator):
        self._storage, self._count, self._generator = empty, 0, generator

    def __len__(self) -> int:
        return self._count

    @property
    def vectors(self) -> Tensor:
        return self._storage[: self._count]

    def append(self, vector: Tensor) -> Tensor:
        """Add the part of ``vector`` orthogonal to the basis, unless it is only rounding; return its coefficients.

        The coefficients are float64 and one longer than the basis was if the vector was added.
        """
        coefficients = torch.zeros(self._count, dtype=torch.float64, device=vector.device)
        remainder = vector
        for _ in range(2):  # "twice is enough" (Kahan)
            part = self.vectors @ remainder
            remainder = remainder - part @ self.vectors
            coefficients += part.to(torch.float64)
        left = norm(remainder)
        if left > 10 * torch.finfo(vector.dtype).eps * norm(vector):
            self._grow()
            self._storage[self._count] = remainder / left
            self._count += 1
            coefficients = torch.cat([coefficients, coefficients.new_tensor([left])])
        return coefficients.cpu()

    def rotate(self, first: int, rotation: Tensor) -> None:
        """Replace the vectors from number ``first`` on by combinations of them, the rows of an orthogonal matrix."""
        rest = self.vectors[first:]
        rest.copy_(rotation.to(rest) @ rest)

    def append_random(self) -> None:
        """Add a random direction: the Krylov space is exhausted, but not yet the whole space."""
        before = self._count
        while self._count == before:
            vector = torch.randn(self._storage.shape[1], generator=self._generator, dtype=self._storage.dtype)
            self.append(vector.to(self._storage.device))

    def _grow(self) -> None:
        if self._count == len(self._storage):
            larger = self._storage.new_empty(max(16, 2 * self._count), self._storage.shape[1])
            larger[: self._count] = self._storage
            self._storage = larger


def norm(vector: Tensor) -> float:
    """The 2-norm of a vector, also where the squares of its entries are too small or too large for its precision."""
    plain = float(vector.norm())
    return plain if SQUARES[0] < plain < SQUARES[1] else float(torch.linalg.vector_norm(vector, dtype=torch.float64))


def _rotation_to(direction: Tensor) -> Tensor:
    """An orthogonal matrix, (b, b), whose first row is ± ``direction``, (b,), or any if that is 0."""
    columns = torch.cat([direction[:, None], torch.eye(len(direction), dtype=direction.dtype)], dim=1)
    q, _ = torch.linalg.qr(columns)
    rotation: Tensor = q.T
    return rotation


def _with_column(coefficients: Tensor, column: Tensor) -> Tensor:
    rows = max(coefficients.shape[0], len(column))
    larger = torch.zeros(rows, coefficients.shape[1] + 1, dtype=torch.float64)
    larger[: coefficients.shape[0], :-1] = coefficients
    larger[: len(column), -1] = column
    return larger


def _error_estimates(values: Tensor, residuals: Tensor) -> Tensor:
    """min(residual, residual² / gap) for each value.

    The gap is the distance to the nearest other value, less that one's residual, since it may still move so far. Where
    nothing is known of the rest of the spectrum (one value), or it may touch, the residual alone is the bound.
    """
    gaps = (values[:, None] - values[None, :]).abs() - residuals[None, :]
    gaps.fill_diagonal_(torch.inf)
    gap = gaps.min(dim=1).values
    known = torch.isfinite(gap) & (gap > 0)
    return torch.where(known, torch.minimum(residuals, residuals.square() / gap.where(known, 1.0)), residuals)


def _symmetric(projected: Tensor, dtype: torch.dtype, rounding: Callable[[], float]) -> bool:
    """Whether T = Q_mᵀ H Q_m, (m, m), as its products gave it, is symmetric; if not, and not by rounding, `MeasurementError`.

    All of T is looked at, both q_i · H q_j and q_j · H q_i: far from the diagonal one of the two is 0 by construction.
    ``rounding``: how large an entry of T may be by rounding alone.
    """
    size, difference = float(projected.norm()), float((projected - projected.T).norm())
    if difference <= ASYMMETRY[dtype] * size:
        return True
    if difference <= len(projected) * rounding():
        return False
    raise MeasurementError(
        f"H is not symmetric (by {difference / size:.1g} of its size; rounding leaves less than {ASYMMETRY[dtype]:g}), so that a "
        "second derivative of this network is wrong: PyTorch's are for torch.nn.utils.weight_norm (both forms), and for fused or "
        "scripted (TorchScript) normalisation layers; or the network computes in a lower precision than its parameters have "
        "(autocast): write the layer out in primitive operations (mean, square, rsqrt), without torch.jit and autocast"
    )


def _padded(values: Tensor, count: int) -> Tensor:
    missing = values.new_full((count - len(values),), torch.nan)
    return torch.cat([values, missing])


def _failed(basis: Tensor, count: int, matvecs: int) -> RitzPairs:
    """Nothing: NaN, and a basis of no vectors."""
    nan = torch.full((count,), torch.nan, dtype=torch.float64)
    vectors = basis.new_full((count, basis.shape[1]), torch.nan)
    return RitzPairs(
        nan, vectors, vectors[:0], nan, nan, basis[:0], torch.zeros(0, 0, dtype=torch.float64), matvecs, False
    )
