"""How often is λ_1 of peers right on the problems of `calibrate_eigensolver`, at settings that ``hessian.py`` tries?

``hessian.py`` compares costs at settings that are just accurate enough at the snapshots that it measures; this tells what those
are worth elsewhere. "warm": each problem of a trajectory starts from the eigenvector found before. centralflows' LOBPCG has
the tolerance that is its default with 25,274 parameters, since it grows with their number. Four minutes on one core.
"""

import statistics
from collections.abc import Callable, Iterator
from functools import partial

import common
import numpy as np
import torch
from calibrate_eigensolver import FAMILIES, MAX_MATVECS, TOLERANCE, Family, Problem, score
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from solvers import CENTRALFLOWS, ProductsMatrix, centralflows_tolerance, lobpcg_of_scipy, lobpcg_of_torch

PROBLEMS = 400
NCV = 4
PARAMETERS = 25_274  # of the network of config.yaml

Found = tuple[
    float, np.ndarray | None, int
]  # λ_1, its vector and the number of products; NaN and None where it gives up
Solver = Callable[[Problem, np.ndarray], Found]


def main() -> None:
    """Print the share of problems at which λ_1 is right to 1e-3, and the median of the products."""
    torch.set_num_threads(1)
    print(f"λ_1 within {TOLERANCE:g} of itself, and products with the matrix; ncv={NCV}\n")
    print(common.table(["", "ours", *SOLVERS], rows()))


def rows() -> Iterator[list[str]]:
    """A row for each family."""
    for seed, (name, family) in enumerate(FAMILIES.items()):
        ours = score(family, 1, PROBLEMS, seed)
        cells = [cell(ours.first, ours.problems, ours.products)]
        for setting, solver in SOLVERS.items():
            found = list(answers(family, seed, solver, setting.endswith("warm")))
            right, products = zip(*found, strict=True)
            cells.append(cell(sum(right), len(found), products))
        common.say(name)
        yield [name, *cells]


def cell(right: int, problems: int, products: list[int] | tuple[int, ...]) -> str:
    """Share and median."""
    return f"{right / problems:.1%}, {statistics.median(products):g}"


def answers(family: Family, seed: int, solver: Solver, warm: bool) -> Iterator[tuple[bool, int]]:
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
            value, start, products = solver(problem, start)
            expected = float(problem.values[0])
            yield abs(value - expected) <= TOLERANCE * expected, products


def by_eigsh(problem: Problem, start: np.ndarray, tol: float) -> Found:
    """SciPy's ARPACK."""
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


def by_scipy_lobpcg(problem: Problem, start: np.ndarray, tol: float) -> Found:
    """SciPy's LOBPCG, which is told λ_1."""
    block = torch.from_numpy(start[None]).to(problem.gradient)
    values, vectors, products = lobpcg_of_scipy(problem.matvec, block, tol * float(problem.values[0]))
    return float(values[0]), vectors[:, 0].numpy(), products


def by_centralflows(problem: Problem, start: np.ndarray) -> Found:
    """`torch.lobpcg` as centralflows would set it."""
    matrix = ProductsMatrix.of(problem.matvec, problem.gradient)
    block = torch.from_numpy(start[None]).to(problem.gradient)
    values, vectors = lobpcg_of_torch(matrix, block, centralflows_tolerance(CENTRALFLOWS, PARAMETERS))
    if not len(values):
        return np.nan, None, matrix.matvecs
    return float(values[0]), vectors[:, 0].numpy(), matrix.matvecs


SOLVERS: dict[str, Solver] = {
    **{
        f"eigsh, tol={tol:g}{warm}": partial(by_eigsh, tol=tol) for warm in ("", ", warm") for tol in (0.02, 1e-3, 1e-4)
    },
    **{f"SciPy's lobpcg, tol={tol:g}, warm": partial(by_scipy_lobpcg, tol=tol) for tol in (0.01, 1e-3)},
    "centralflows' LOBPCG, warm": by_centralflows,
}


if __name__ == "__main__":
    common.run(main)
