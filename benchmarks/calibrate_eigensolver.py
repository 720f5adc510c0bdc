"""Does the eigensolver tell the truth? Eigenvalues that are known, and what it says of them.

Synthetic: symmetric matrices of 60 to 500 dimensions with spectra like those of networks, a bulk about 0 with 1 to 10 larger
eigenvalues, one at a time from a cold start, or 12 along a trajectory, each warm-started from the one before as stage
``hessian`` does, in float64 and in float32. Real: snapshots of networks trained on digits here, measured in float32; SciPy's
``eigsh`` in float64 says what is right.

A value is right within `TOLERANCE` of λ_1, and its reported error exceeded only by more than float32's rounding, a hundredth of
that. ``report`` makes the tables; 3,500 synthetic problems and 340 snapshots take about five minutes on one core.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from breakeven.data.prepare import prepare
from breakeven.measurements.hessian import start_vectors
from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.specs.run import RunSpec, Segment, run_id
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import RitzPairs, largest_eigenpairs
from breakeven.training.train import train

TOLERANCE = 1e-3
ROUNDING = 1e-5  # of float32, relative to λ_1
SEVERAL = 5
MAX_MATVECS = 400
CPU = torch.device("cpu")
HEADER = ("problems", "converged", "λ_1 right", "all right", "error above the reported", "products")


@dataclass(frozen=True)
class Problem:
    """A symmetric matrix by its products, a gradient to start from, (D,), and its largest eigenvalues, descending."""

    matvec: Callable[[Tensor], Tensor]
    gradient: Tensor
    values: Tensor


Trajectory = list[Problem]
Family = Callable[[np.random.Generator], Trajectory]


@dataclass
class Score:
    """What was seen in a family: how many problems, how many of the converged ones were right, and the products of all."""

    problems: int = 0
    converged: int = 0
    first: int = 0
    all: int = 0
    understated: int = 0
    products: list[int] = field(default_factory=list)

    def add(self, pairs: RitzPairs, expected: Tensor) -> None:
        """Count what the solver said of a problem."""
        self.problems += 1
        self.products.append(pairs.matvecs)
        if not pairs.converged:
            return
        scale = float(expected[0])
        wrong = (pairs.values - expected[: len(pairs.values)]).abs()
        self.converged += 1
        self.first += bool(wrong[0] <= (TOLERANCE + ROUNDING) * scale)
        self.all += bool((wrong <= (TOLERANCE + ROUNDING) * scale).all())
        self.understated += bool((wrong > pairs.errors + ROUNDING * scale).any())

    def cells(self) -> list[str]:
        """Of a row of the table."""
        shares = (self.first, self.all, self.understated)
        texts = [f"{100 * share / max(1, self.converged):.2f} %" for share in shares]
        return [f"{self.problems:,}", f"{self.converged:,}", *texts, f"{statistics.median(self.products):g}"]


def along(trajectory: Iterable[Problem], count: int, seed: int) -> Iterator[tuple[RitzPairs, Problem]]:
    """What stage ``hessian`` finds at each, warm-started from the one before."""
    draws = torch.Generator().manual_seed(seed)
    previous = None
    for problem in trajectory:
        start = start_vectors(previous, problem.gradient, draws)
        pairs = largest_eigenpairs(problem.matvec, start, count, TOLERANCE, MAX_MATVECS, draws)
        previous = torch.cat([pairs.vectors, pairs.neighbours]) if pairs.converged else None
        yield pairs, problem


def score(family: Family, count: int, problems: int, seed: int) -> Score:
    """So many problems of a family, at least."""
    total = Score()
    draws = np.random.default_rng(seed)
    while total.problems < problems:
        for pairs, problem in along(family(draws), count, int(draws.integers(2**31))):
            total.add(pairs, problem.values)
    return total


# --- synthetic matrices


def _problem(
    values: np.ndarray, basis: Tensor, draws: np.random.Generator, dtype: torch.dtype, lacks: int | None = None
) -> Problem:
    """Q diag(values) Qᵀ, and a gradient that lies mostly along large eigenvalues, but not along number ``lacks``."""
    diagonal = torch.from_numpy(values)
    part = 0.3 * np.abs(values).max() / np.sqrt(len(values))
    weights = draws.normal(size=len(values)) * np.maximum(np.abs(values) * (values > 0.2 * values.max()), part)
    if lacks is not None:
        weights[lacks] = 0.0
    gradient = basis @ torch.from_numpy(weights)
    basis, diagonal = basis.to(dtype), diagonal.to(dtype)
    return Problem(
        lambda vector: basis @ (diagonal * (basis.T @ vector)), gradient.to(dtype), torch.from_numpy(-np.sort(-values))
    )


def _orthogonal(size: int, draws: np.random.Generator, angle: float | None = None) -> Tensor:
    """A random rotation; a small one by about ``angle``."""
    matrix = draws.normal(size=(size, size))
    if angle is not None:
        matrix = np.eye(size) + angle / np.sqrt(size) * (matrix - matrix.T) / 2
    q, r = np.linalg.qr(matrix)
    return torch.from_numpy(q * np.sign(np.diag(r)))


@cache
def _basis(size: int) -> Tensor:
    """A rotation, the same for all problems of that size: their start vectors are random."""
    return _orthogonal(size, np.random.default_rng(size))


def _bulk(size: int, draws: np.random.Generator, width: float) -> np.ndarray:
    """Heavy-tailed about 0, up to ``width``, less far below 0."""
    values = draws.normal(size=size) * np.abs(draws.normal(size=size))
    values *= width / np.abs(values).max()
    return np.where(values < 0, 0.6 * values, values)


def _setting(draws: np.random.Generator) -> tuple[int, torch.dtype]:
    return int(draws.choice([60, 200, 500])), (torch.float64, torch.float32)[draws.integers(2)]


def _outliers(draws: np.random.Generator, fewest: int, lowest: float) -> np.ndarray:
    """Up to ten eigenvalues, from ``lowest`` to 1."""
    return -np.sort(-np.exp(draws.uniform(np.log(lowest), 0, draws.integers(fewest, 11))))


def _alone(outliers: np.ndarray, draws: np.random.Generator) -> Trajectory:
    """One problem: a cold start."""
    size, dtype = _setting(draws)
    values = _bulk(size, draws, draws.uniform(0.05, 0.5))
    values[: len(outliers)] = outliers
    return [_problem(values, _basis(size), draws, dtype)]


def _moving(
    paths: np.ndarray, draws: np.random.Generator, angle: float, lacks: int | None = None, flat: bool = False
) -> Trajectory:
    """Eigenvalues along ``paths``, (snapshots, outliers), above a bulk; the eigenvectors turn by ``angle`` a snapshot."""
    size, dtype = _setting(draws)
    width = draws.uniform(0.05, 0.35)
    bulk = draws.uniform(-width, width, size) if flat else _bulk(size, draws, width)
    basis = _basis(size)
    turning = paths.shape[1] + 8
    made = []
    for path in paths:
        values = np.concatenate([path, bulk[len(path) :]])
        basis = torch.cat([basis[:, :turning] @ _orthogonal(turning, draws, angle), basis[:, turning:]], dim=1)
        made.append(_problem(values, basis, draws, dtype, lacks))
    return made


def _crossing(lacks: int | None) -> Family:
    """The second eigenvalue rises past the first."""

    def family(draws: np.random.Generator) -> Trajectory:
        snapshots, others = 12, draws.integers(1, 9)
        time = np.arange(snapshots)[:, None] - draws.uniform(3, snapshots - 3)
        speed = draws.uniform(0.01, 0.08)
        rest = draws.uniform(0.2, 0.85, others) * (1 + 0.02 * draws.normal(size=(snapshots, others)))
        return _moving(np.hstack([1 - 0.3 * speed * time, 1 + speed * time, rest]), draws, 0.1, lacks)

    return family


def _drifting(start: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Paths of eigenvalues, each at a pace of its own, (12, outliers)."""
    return start * np.exp(np.arange(12)[:, None] * draws.normal(size=len(start)) * 0.05)


def smooth(draws: np.random.Generator) -> Trajectory:
    """Every eigenvalue drifts."""
    return _moving(_drifting(_outliers(draws, 1, 0.2), draws), draws, 0.2)


def few(draws: np.random.Generator) -> Trajectory:
    """Fewer stand out than are wanted: the others are at the edge of a bulk that has one."""
    return _moving(_drifting(_outliers(draws, 1, 0.5)[:3], draws), draws, 0.1, flat=True)


def cold(draws: np.random.Generator) -> Trajectory:
    """One matrix."""
    return _alone(_outliers(draws, 1, 0.2), draws)


def one_percent(draws: np.random.Generator) -> Trajectory:
    """λ_2 = 0.99 λ_1."""
    return _alone(np.concatenate([[1.0, 0.99], draws.uniform(0.2, 0.8, draws.integers(1, 7))]), draws)


def cluster(draws: np.random.Generator) -> Trajectory:
    """Three of the largest five within up to 3 %."""
    values = -np.sort(-draws.uniform(0.3, 1, draws.integers(5, 9)))
    first = draws.integers(3)
    values[first + 1 : first + 3] = values[first] * (1 - 10 ** draws.uniform(-4, -1.5, 2))
    return _alone(values, draws)


def double(draws: np.random.Generator) -> Trajectory:
    """Two of the largest five are the same."""
    values = _outliers(draws, 6, 0.2)
    first = draws.integers(4)
    values[first + 1] = values[first]
    return _alone(values, draws)


def near_bulk(draws: np.random.Generator) -> Trajectory:
    """Cubes of normal variables: nothing but a tail."""
    return _alone(np.sort(draws.normal(size=60) ** 3)[::-1].copy(), draws)


FAMILIES: dict[str, Family] = {
    "trajectory, crossing": _crossing(None),
    "trajectory, crossing, gradient without the rising one": _crossing(1),
    "trajectory": smooth,
    "trajectory, three outliers at most": few,
    "cold": cold,
    "cold, gap of 1 %": one_percent,
    "cold, cluster of three": cluster,
    "cold, double eigenvalue": double,
    "cold, heavy tail": near_bulk,
}


# --- snapshots of networks


@dataclass(frozen=True)
class Network:
    """A network on digits, and the runs whose snapshots are measured."""

    options: dict[str, object]
    rates: tuple[float, ...]
    seeds: range
    steps: int
    snapshots: tuple[Segment, ...]


NETWORKS = {
    "digits, 798 parameters": Network({"channels": [4], "dense": 8}, (0.03, 0.1, 0.3), range(5), 400, (Segment(20),)),
    "digits, network of config.yaml": Network(
        {"channels": [16, 32], "dense": 64}, (0.1,), range(1), 100, (Segment(20),)
    ),
}


def trajectories(network: Network) -> Iterator[Trajectory]:
    """Each run's snapshots in float32, with SciPy's eigenvalues in float64."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        digits = {"loader": "digits", "measured_fraction": 0.2}
        prepare(digits, data)
        for rate in network.rates:
            for seed in network.seeds:
                spec = RunSpec(
                    digits, "simple_cnn", network.options, rate, 32, network.snapshots, seed, steps=network.steps
                )
                run = Path(folder) / run_id(spec)
                train(spec, data, run, Path(folder) / "state", CPU, "")
                exact = [reference(each) for each in measured_snapshots(run, data, "float64", CPU, "reference")]
                yield list(_real(measured_snapshots(run, data, "float32", CPU, "float32"), exact))


def _real(snapshots: Iterable[Measured], exact: list[Tensor]) -> Iterator[Problem]:
    for measured, values in zip(snapshots, exact, strict=True):
        hessian = Hessian(
            deepcopy(measured.model), measured.batches(512)
        )  # the next snapshot is loaded into the same one
        yield Problem(hessian.matvec, hessian.gradient, values)


def reference(measured: Measured) -> Tensor:
    """SciPy's largest eigenvalues from a random vector, with residuals below 1e-6 of them."""
    hessian = Hessian(measured.model, measured.batches(512))
    size = len(hessian.gradient)
    operator = LinearOperator(
        (size, size), matvec=lambda v: hessian.matvec(torch.from_numpy(v.ravel().copy())).numpy(), dtype=np.float64
    )
    start = np.random.default_rng(measured.step).standard_normal(size)
    found = eigsh(operator, k=SEVERAL + 2, which="LA", ncv=30, tol=1e-6, v0=start, return_eigenvectors=False)
    return torch.from_numpy(np.sort(found)[::-1].copy())


# --- tables


def report(problems: int) -> str:
    """A table for λ_1 alone and one for the five largest, over about so many synthetic problems, and all snapshots."""
    rows: dict[int, list[list[str]]] = {1: [], SEVERAL: []}
    each = -(-problems // len(FAMILIES))
    for seed, (name, family) in enumerate(FAMILIES.items()):
        for count, lines in rows.items():
            lines.append([name, *score(family, count, each, seed).cells()])
    for name, network in NETWORKS.items():
        scores = {count: Score() for count in rows}
        for number, trajectory in enumerate(trajectories(network)):
            for count, total in scores.items():
                for pairs, problem in along(trajectory, count, number):
                    total.add(pairs, problem.values)
        for count, total in scores.items():
            rows[count].append([name, *total.cells()])
    titles = {1: "λ_1 alone", SEVERAL: f"the {SEVERAL} largest"}
    return "\n\n".join(f"{titles[count]}, to {TOLERANCE:g} of λ_1\n\n{_table(lines)}" for count, lines in rows.items())


def _table(rows: list[list[str]]) -> str:
    head = ["| | " + " | ".join(HEADER) + " |", "|---|" + "---:|" * len(HEADER)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(report(3500))
