"""Is an optimizer unstable where Eq. 1 says? Against PyTorch's own on quadratic losses H_i x² / 2, and Eq. 1 under reshuffling.

Exactly: `torch.optim.SGD` takes a step from each basis state of (x, velocity), on every mini-batch; the mean of A_B ⊗ A_B is the
map of the second moments, which grow where its spectral radius is above 1. By simulation: many walkers take hundreds of its
steps, on mini-batches drawn at random; after each, walkers are drawn again in proportion to their square, since else rare paths
carry the mean, and nobody meets them. With reshuffling: the same, along orders of all examples, of which Eq. 1 knows nothing.
`python benchmarks/calibrate_conditions.py [REPEATS]`; one core, half an hour at 3.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this folder

from breakeven.specs.condition import PLAIN, Condition
from breakeven.spectra.equation_1 import left_hand_side

Floats = NDArray[np.float64]

OPTIMIZERS = {
    "plain": PLAIN,
    "weight decay": Condition(weight_decay=0.5),
    "β = 0.5": Condition(momentum=0.5),
    "β = 0.9": Condition(momentum=0.9),
    "β = 0.9, weight decay": Condition(momentum=0.9, weight_decay=0.5),
    "β = 0.99": Condition(momentum=0.99),
    "Nesterov, β = 0.5": Condition(momentum=0.5, nesterov=True),
    "Nesterov, β = 0.9": Condition(momentum=0.9, nesterov=True),
    "Nesterov, β = 0.9, weight decay": Condition(momentum=0.9, nesterov=True, weight_decay=0.5),
}
SPREADS = (0.5, 1.0, 2.0, 4.0)  # s/λ
MEAN = 3.0  # λ
TRAINING_SET = 1437  # that of digits


def curvatures(kind: str, spread: float, count: int, seed: int) -> Floats:
    """``count`` curvatures H_i with exactly this s/λ: normal or lognormal."""
    draws = np.random.default_rng(seed).standard_normal(count)
    h = draws if kind == "normal" else np.exp(np.sqrt(np.log1p(spread**2)) * draws)
    return MEAN * (1 + spread * (h - h.mean()) / h.std())


def predicted(h: Floats, batch_size: int, condition: Condition) -> float:
    """The learning rate at which the left-hand side of Eq. 1 is 1."""
    return first_above_one(lambda eta: left_hand_side(eta, batch_size, len(h), h.mean(), h.var(), condition))


def first_above_one(function: Callable[[float], float]) -> float:
    """The smallest η at which a function of it that starts below 1 reaches 1."""
    below = 1e-6
    while function(2 * below) < 1:
        below *= 2
    return float(brentq(lambda eta: function(eta) - 1, below, 2 * below, xtol=1e-15, rtol=1e-13))


# ------------------------------------------------------------------ PyTorch takes the steps


def stepped(curvature: Tensor, x: Tensor, velocity: Tensor, eta: float, condition: Condition) -> tuple[Tensor, Tensor]:
    """State after one step of `torch.optim.SGD` with these curvatures, one for each coordinate."""
    x = x.clone().requires_grad_()
    optimizer = torch.optim.SGD(
        [x], lr=eta, momentum=condition.momentum, nesterov=condition.nesterov, weight_decay=condition.weight_decay
    )
    optimizer.state[x]["momentum_buffer"] = velocity.clone()
    (curvature * x.square() / 2).sum().backward()
    optimizer.step()
    return x.detach(), optimizer.state[x]["momentum_buffer"] if condition.momentum else torch.zeros_like(velocity)


def batch_curvatures(h: Floats, batch_size: int) -> Tensor:
    """That of every mini-batch."""
    return torch.tensor([np.mean(batch) for batch in itertools.combinations(h, batch_size)], dtype=torch.float64)


def exact(h: Floats, batch_size: int, condition: Condition) -> float:
    """The learning rate at which the second moments turn."""
    curvature = batch_curvatures(h, batch_size)
    zeros, ones = torch.zeros_like(curvature), torch.ones_like(curvature)

    def growth(eta: float) -> float:
        columns = [torch.stack(stepped(curvature, *state, eta, condition)) for state in ((ones, zeros), (zeros, ones))]
        steps = torch.stack(columns, dim=1).permute(2, 0, 1).numpy()
        moments = np.einsum("bij,bkl->ikjl", steps, steps).reshape(4, 4) / len(steps)
        return float(max(abs(np.linalg.eigvals(moments))))

    return first_above_one(growth)


def simulated(h: Floats, size: int, condition: Condition, seed: int, walkers: int, steps: int) -> float:
    """The learning rate at which the mean square turns, as a multiple of Eq. 1's: between two on both sides of it."""
    curvature, at = batch_curvatures(h, size), predicted(h, size, condition)
    factors = (0.995, 1.005)

    def growth(factor: float) -> float:
        draws = torch.Generator().manual_seed(seed + int(1e6 * factor))
        x, velocity = torch.ones(walkers, dtype=torch.float64), torch.zeros(walkers, dtype=torch.float64)
        logs = []
        for _ in range(steps):
            picked = curvature[torch.randint(len(curvature), (walkers,), generator=draws)]
            x, velocity = stepped(picked, x, velocity, factor * at, condition)
            # in the coordinates of a step: the velocity is what x moves by, over η
            squares = x.square() + (factor * at * velocity).square()
            logs.append(float(squares.mean().log()))
            chosen = _drawn_again(squares, draws)
            x, velocity = (part[chosen] / squares[chosen].sqrt() for part in (x, velocity))
        return float(np.mean(logs[steps // 4 :]))  # when the start is forgotten

    below, above = (growth(factor) for factor in factors)
    return factors[0] + (factors[1] - factors[0]) * below / (below - above)


def _drawn_again(weights: Tensor, draws: torch.Generator) -> Tensor:
    """As many, in proportion to their weights: systematically, which adds the least noise."""
    ends = weights.cumsum(0) / weights.sum()
    places = (torch.arange(len(weights)) + torch.rand(1, generator=draws, dtype=torch.float64)) / len(weights)
    return torch.searchsorted(ends, places).clamp(max=len(weights) - 1)


# ------------------------------------------------------------------ reshuffling


def reshuffled_growth(h: Floats, batch_size: int, eta: float, walkers: int, seed: int) -> float:
    """The log of E x² after an epoch of plain SGD over x² before, over orders of the examples; a last short batch is left out."""
    draws = torch.Generator().manual_seed(seed)
    curvature, log = torch.tensor(h), 0.0
    orders = torch.arange(len(h)).repeat(walkers, 1)
    weights, rows = torch.ones(walkers, dtype=torch.float64), torch.arange(walkers)
    for start in range(0, len(h) - batch_size + 1, batch_size):
        for place in range(start, start + batch_size):  # the next of the order is one of those that are left
            other = torch.randint(place, len(h), (walkers,), generator=draws)
            orders[rows, other], orders[:, place] = orders[:, place].clone(), orders[rows, other].clone()
        weights = weights * (1 - eta * curvature[orders[:, start : start + batch_size]].mean(dim=1)).square()
        if weights.sum() ** 2 < walkers / 2 * weights.square().sum():  # few carry the mean
            log += float(weights.mean().log())
            orders = orders[_drawn_again(weights, draws)]
            weights = torch.ones_like(weights)
    return log + float(weights.mean().log())


def reshuffled(h: Floats, batch_size: int) -> float:
    """The learning rate at which the mean square turns under reshuffling, as a multiple of Eq. 1's: by `saddle_point`."""
    at = predicted(h, batch_size, PLAIN)
    low, high = 0.95, 1.0
    while saddle_point(h, batch_size, high * at) < 0:
        low, high = high, high * 1.05
    return float(brentq(lambda factor: saddle_point(h, batch_size, factor * at), low, high, xtol=1e-9))


def saddle_point(h: Floats, batch_size: int, eta: float) -> float:
    """The log of the growth in a step of a long epoch: of the mean of ∏ (1 − η h_B)² over all ways to put examples into batches.

    It is the coefficient of u₁ … u_N in (Σ_B (1 − η h_B)² ∏_{i ∈ B} u_i)^n. At the saddle point each example is as likely as the
    others: u_i ∝ 1 / E (1 − η h_B)² over the batches that hold i, others drawn with probabilities u.
    """
    others = batch_size - 1
    u = np.ones(len(h))
    for _ in range(10_000):
        mean = np.average(h, weights=u)
        variance = np.average((h - mean) ** 2, weights=u)
        held = (1 - eta * (h + others * mean) / batch_size) ** 2 + others * (eta / batch_size) ** 2 * variance
        new = np.sqrt(u / held)  # half of the way, in logarithms
        new *= len(h) / new.sum()
        if np.abs(new / u - 1).max() < 1e-12:
            break
        u = new
    batch = (1 - eta * mean) ** 2 + eta**2 * variance / batch_size
    return float(np.log(batch) - batch_size * np.log(u).mean())


# ------------------------------------------------------------------ the tables


def exactly(seeds: int = 2, sizes: Sequence[int] = (1, 2, 3, 6, 8), examples: int = 8) -> list[list[object]]:
    """For each optimizer: problems, largest relative difference of η, how many disagree at ±0.1 % of it."""
    rows: list[list[object]] = []
    for name, condition in OPTIMIZERS.items():
        off = []
        for kind, spread, size, seed in itertools.product(("normal", "lognormal"), SPREADS, sizes, range(seeds)):
            h = curvatures(kind, spread, examples, seed)
            off.append(abs(exact(h, size, condition) / predicted(h, size, condition) - 1))
        rows.append([name, len(off), f"{max(off):.0e}", sum(each > 1e-3 for each in off)])
    return rows


def by_simulation(repeats: int, walkers: int = 10_000, steps: int = 160, examples: int = 8) -> list[list[object]]:
    """For each optimizer, spread and batch size: the simulated η over Eq. 1's, with its standard error.

    At least ``steps``, and ten times as many as momentum remembers.
    """
    rows: list[list[object]] = []
    for name, condition in OPTIMIZERS.items():
        for spread, size in ((0.5, 4), (2.0, 2)):
            h = curvatures("normal", spread, examples, seed=1)
            long = max(steps, round(10 / (1 - condition.momentum)))
            found = [simulated(h, size, condition, 1000 * seed, walkers, long) for seed in range(repeats)]
            rows.append([name, spread, size, with_error(found)])
    return rows


def with_reshuffling(repeats: int, walkers: int = 1000) -> list[list[object]]:
    """For each batch size and kind of curvatures: the true η over Eq. 1's, and Eq. 1's left-hand side there.

    Beside it the same by simulation, where that is not too long: its growth at the η of the saddle point, over the slope there.
    """
    rows: list[list[object]] = []
    for size, kind, spread in itertools.product((8, 32, 128), ("normal", "lognormal"), SPREADS):
        found, sides, walked = [], [], []
        for seed in range(repeats):
            h = curvatures(kind, spread, TRAINING_SET, seed)
            factor, at = reshuffled(h, size), predicted(h, size, PLAIN)
            found.append(factor)
            sides.append(left_hand_side(factor * at, size, len(h), h.mean(), h.var()))
            if size > 8:
                slope = (
                    saddle_point(h, size, 1.001 * factor * at) - saddle_point(h, size, 0.999 * factor * at)
                ) / 0.002
                growth = reshuffled_growth(h, size, factor * at, walkers, seed) / (len(h) // size)
                walked.append(factor * (1 - growth / slope))
        rows.append([size, kind, spread, with_error(found), with_error(walked) if walked else "", with_error(sides)])
    return rows


def with_error(values: Sequence[float]) -> str:
    """The mean, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.4f} ± {error:.4f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """In Markdown."""
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def report(repeats: int) -> str:
    """The three tables."""
    return "\n\n".join(
        [
            "η at which the second moments turn, exactly, over Eq. 1's:",
            table(["optimizer", "problems", "largest difference", "more than 0.1 % off"], exactly()),
            f"By simulation ({repeats} repetitions, standard errors of their mean):",
            table(["optimizer", "s/λ", "S of 8", "η over Eq. 1's"], by_simulation(repeats)),
            f"Plain SGD under reshuffling, N = {TRAINING_SET} ({repeats} sets of curvatures, standard errors of their mean):",
            table(
                ["S", "curvatures", "s/λ", "η over Eq. 1's", "by simulation", "left-hand side there"],
                with_reshuffling(repeats),
            ),
        ]
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
