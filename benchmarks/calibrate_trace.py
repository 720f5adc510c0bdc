"""Does the interval of Tr(H) cover the trace as often as it says? Against dense matrices, whose trace is known.

The eigensolver runs first, as in the stage hessian, and leaves its basis behind; each problem is then estimated again and again
with other probes. `python benchmarks/calibrate_trace.py [PROBLEMS]`; one core, a minute at 20.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy.stats import t
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this folder

from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.trace import hutchinson

D = 200  # the size of the synthetic matrices
AGAIN = 40  # estimates of each problem
PROBES = (2, 3, 5, 10)
TOLERANCE, MAX_MATVECS = 1e-3, 200  # of the eigensolver

Problem = Callable[[torch.Generator], Tensor]  # makes a dense symmetric matrix


def outliers_and_bulk(draws: torch.Generator) -> Tensor:
    """Eight outliers above a bulk of mostly small eigenvalues of both signs, as Hessians of networks have."""
    bulk = 0.05 * torch.randn(D - 8, generator=draws, dtype=torch.float64)
    return _rotated(torch.cat([2 + 18 * torch.rand(8, generator=draws, dtype=torch.float64), bulk]), draws)


def power_law(draws: torch.Generator) -> Tensor:
    """Eigenvalues 10/i."""
    return _rotated(10 / torch.arange(1, D + 1, dtype=torch.float64), draws)


def long_tail(draws: torch.Generator) -> Tensor:
    """Outliers above a bulk with a heavy tail, so that a few eigenvalues that nobody asked for make up the trace."""
    bulk = torch.rand(D - 8, generator=draws, dtype=torch.float64) ** 8
    return _rotated(torch.cat([2 + 18 * torch.rand(8, generator=draws, dtype=torch.float64), bulk]), draws)


def layers(draws: torch.Generator) -> Tensor:
    """Outliers and bulk with eigenvectors that live mostly on a few coordinates, as on those of a layer."""
    bulk = 0.05 * torch.randn(D - 8, generator=draws, dtype=torch.float64)
    values = torch.cat([2 + 18 * torch.rand(8, generator=draws, dtype=torch.float64), bulk])
    return _rotated(values, draws, torch.randn(D, 1, generator=draws, dtype=torch.float64).mul(2).exp())


def network(draws: torch.Generator) -> Tensor:
    """The Hessian of a small network (570 parameters) on scikit-learn's digits, somewhere in the first 100 steps of training."""
    from sklearn.datasets import load_digits

    pictures, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
    pictures, labels = pictures[:300].double().reshape(-1, 4, 2, 4, 2).mean((2, 4)) / 8 - 1, labels[:300]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 21), nn.Tanh(), nn.Linear(21, 10)).double()
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]
    theta = torch.randn(sum(sizes), generator=draws, dtype=torch.float64) / 4

    def loss(theta: Tensor) -> Tensor:
        parts = theta.split(sizes)
        weights = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return cross_entropy(functional_call(model, weights, (pictures,)), labels)

    for _ in range(int(torch.randint(0, 100, (1,), generator=draws))):
        theta = theta - 0.3 * torch.func.grad(loss)(theta)
    return torch.func.hessian(loss)(theta)


def _rotated(values: Tensor, draws: torch.Generator, scales: Tensor | None = None) -> Tensor:
    """V diag(values) Vᵀ with a random orthogonal V; its rows have these ``scales``, roughly."""
    random = torch.randn(len(values), len(values), generator=draws, dtype=torch.float64)
    vectors = torch.linalg.qr(random if scales is None else scales * random).Q
    return (vectors * values) @ vectors.T


KINDS: dict[str, Problem] = {
    "outliers, bulk": outliers_and_bulk,
    "outliers, long tail": long_tail,
    "eigenvalues 10/i": power_law,
    "eigenvectors on few coordinates": layers,
    "network on digits": network,
}


@dataclass
class Count:
    """How often, of ``tries``, the trace lay in the interval, within ±2 standard errors, and within Student's t of them.

    ``half``, ``errors``: the sums of the halves of the interval, and of 2 standard errors.
    """

    tries: int = 0
    interval: int = 0
    two_errors: int = 0
    student: int = 0
    half: float = 0.0
    errors: float = 0.0


def coverage(kind: Problem, wanted: int, problems: int, again: int = AGAIN) -> dict[int, Count]:
    """The counts for each number of probes, after an eigensolver that was asked for ``wanted`` eigenvalues."""
    counts = {probes: Count() for probes in PROBES}
    for problem in range(problems):
        draws = torch.Generator().manual_seed(problem)
        h = kind(draws)
        exact = float(h.trace())
        start = torch.randn(min(wanted, 2), len(h), generator=draws, dtype=torch.float64)
        pairs = largest_eigenpairs(h.mv, start, wanted, TOLERANCE, MAX_MATVECS, draws)
        for probes, count in counts.items():
            for _ in range(again):
                trace = hutchinson(h.mv, pairs.basis, pairs.projected, probes, draws)
                off = abs(trace.estimate - exact)
                count.tries += 1
                count.interval += trace.low <= exact <= trace.high
                count.two_errors += off <= 2 * trace.error
                count.student += off <= t.ppf(0.975, probes - 1) * trace.error
                count.half += (trace.high - trace.low) / 2
                count.errors += 2 * trace.error
    return counts


def report(problems: int) -> str:
    """A table in Markdown: what the interval of Tr(H) covers, with ±2 standard errors and Student's t beside it."""
    heads = ["matrices", "eigenvalues known", "probes", "interval", "±2 errors", "Student's t", "width / ±2 errors"]
    lines = [
        f"Coverage of Tr(H), nominal 95 %: {problems} matrices of each kind, {AGAIN} estimates of each.",
        "",
        f"| {' | '.join(heads)} |",
        "| --- " * len(heads) + "|",
    ]
    for name, kind in KINDS.items():
        for wanted in (1, 5):
            for probes, count in coverage(kind, wanted, problems).items():
                shares = (f"{found / count.tries:.1%}" for found in (count.interval, count.two_errors, count.student))
                cells = (name, wanted, probes, *shares, f"{count.half / count.errors:.2f}")
                lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
