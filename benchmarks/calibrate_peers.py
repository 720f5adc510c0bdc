"""How often is λ_1 of SciPy's `eigsh` right on the problems of `calibrate_eigensolver`, at settings that ``hessian.py`` tries?

``hessian.py`` compares costs at settings that are just accurate enough at the snapshots that it measures; this tells what those
are worth elsewhere. "warm": each problem of a trajectory starts from the eigenvector found before. A minute on one core.
"""

import statistics
from collections.abc import Iterator

import common
import numpy as np
import torch
from calibrate_eigensolver import FAMILIES, MAX_MATVECS, TOLERANCE, Family, Problem, score
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

PROBLEMS = 400
NCV = 4
SETTINGS = [(tol, warm) for warm in (False, True) for tol in (0.02, 1e-3, 1e-4)]
HEADER = ["", "ours", *(f"eigsh, tol={tol:g}{', warm' * warm}" for tol, warm in SETTINGS)]


def main() -> None:
    """Print the share of problems at which λ_1 is right to 1e-3, and the median of the products."""
    torch.set_num_threads(1)
    print(f"λ_1 within {TOLERANCE:g} of itself, and products with the matrix; ncv={NCV}\n")
    print(common.table(HEADER, rows()))


def rows() -> Iterator[list[str]]:
    """A row for each family."""
    for seed, (name, family) in enumerate(FAMILIES.items()):
        ours = score(family, 1, PROBLEMS, seed)
        cells = [cell(ours.first, ours.problems, ours.products)]
        for tol, warm in SETTINGS:
            found = list(answers(family, seed, tol, warm))
            right, products = zip(*found, strict=True)
            cells.append(cell(sum(right), len(found), products))
        common.say(name)
        yield [name, *cells]


def cell(right: int, problems: int, products: list[int] | tuple[int, ...]) -> str:
    """Share and median."""
    return f"{right / problems:.1%}, {statistics.median(products):g}"


def answers(family: Family, seed: int, tol: float, warm: bool) -> Iterator[tuple[bool, int]]:
    """Whether λ_1 is right, and the products, of the problems that `score` draws."""
    draws = np.random.default_rng(seed)
    drawn = 0
    while drawn < PROBLEMS:
        trajectory = family(draws)
        random = np.random.default_rng(int(draws.integers(2**31)))
        start = None
        for problem in trajectory:
            drawn += 1
            if start is None or not warm:
                start = random.normal(size=len(problem.gradient))
            value, start, products = one(problem, start, tol)
            expected = float(problem.values[0])
            yield abs(value - expected) <= TOLERANCE * expected, products


def one(problem: Problem, start: np.ndarray, tol: float) -> tuple[float, np.ndarray | None, int]:
    """λ_1, its vector and the number of products; NaN and no vector where ARPACK gives up."""
    like = problem.gradient
    dtype, products = like.numpy().dtype, 0

    def matvec(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return problem.matvec(torch.from_numpy(vector.ravel().copy()).to(like)).numpy()

    operator = LinearOperator((len(like), len(like)), matvec=matvec, dtype=dtype)
    try:
        values, vectors = eigsh(
            operator, k=1, which="LA", ncv=NCV, tol=tol, v0=start.astype(dtype), maxiter=MAX_MATVECS
        )
    except ArpackNoConvergence:
        return np.nan, None, products
    return float(values[0]), vectors[:, 0], products


if __name__ == "__main__":
    common.run(main)
