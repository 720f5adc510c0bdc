"""The conditions of stability against PyTorch's own optimizers: the exact map of the second moments, and no code of ours in it.

On quadratic losses H_i x² / 2, `torch.optim.SGD` takes one step from each basis state of (x, velocity), on every mini-batch.
That gives the linear map A_B of each mini-batch; the mean of A_B ⊗ A_B is the map of E x², E xv, E v². They grow where its
spectral radius is above 1. Nothing is drawn at random: averages over long runs would miss the rare paths that carry the mean.
"""

import itertools
import math
from itertools import product

import calibrate_conditions
import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from breakeven.specs.condition import PLAIN, Condition
from breakeven.spectra.equation_1 import break_even_curvature, full_batch_threshold, left_hand_side

EXAMPLES = 5


def curvatures_of(spread, seed):
    h = np.random.default_rng(seed).standard_normal(EXAMPLES)
    return 3 * (1 + spread * (h - h.mean()) / h.std())


def steps_of(h, batch_size, eta, condition):
    """A_B for every mini-batch B: what one step of PyTorch's makes of the states (1, 0) and (0, 1)."""
    batches = torch.tensor(list(itertools.combinations(h, batch_size)), dtype=torch.float64)
    columns = []
    for x_before, velocity in ((1.0, 0.0), (0.0, 1.0)):
        x = torch.full(
            (len(batches),), x_before, dtype=torch.float64, requires_grad=True
        )  # one coordinate a mini-batch
        optimizer = torch.optim.SGD(
            [x],
            lr=eta,
            momentum=condition.momentum,
            nesterov=condition.nesterov,
            weight_decay=condition.weight_decay,
        )
        optimizer.state[x]["momentum_buffer"] = torch.full_like(x, velocity)
        (batches * x.square()[:, None] / 2).mean(dim=1).sum().backward()
        with torch.no_grad():
            x.mul_(1 - eta * condition.decoupled_decay)  # as AdamW does, of weights whose gradient is taken already
        optimizer.step()
        after = optimizer.state[x]["momentum_buffer"] if condition.momentum else torch.zeros_like(x)
        columns.append(torch.stack([x.detach(), after]))
    return torch.stack(columns, dim=-1).movedim(1, 0).numpy()


def growth(h, batch_size, eta, condition):
    """The spectral radius of the map of second moments."""
    steps = steps_of(h, batch_size, eta, condition)
    return max(abs(np.linalg.eigvals(np.mean([np.kron(step, step) for step in steps], axis=0))))


def side(h, batch_size, eta, condition):
    return left_hand_side(eta, batch_size, len(h), h.mean(), h.var(), condition)


def first_above_one(function):
    """The smallest η at which a function of it that starts below 1 reaches 1."""
    below = 1e-5
    while function(2 * below) < 1:
        below *= 2
    return brentq(lambda eta: function(eta) - 1, below, 2 * below, xtol=1e-14, rtol=1e-13)


OPTIMIZERS = {
    "plain": PLAIN,
    "momentum 0.5": Condition(momentum=0.5),
    "momentum 0.9": Condition(momentum=0.9),
    "momentum 0.99": Condition(momentum=0.99),
    "nesterov 0.5": Condition(momentum=0.5, nesterov=True),
    "nesterov 0.9": Condition(momentum=0.9, nesterov=True),
    "nesterov 0.99": Condition(momentum=0.99, nesterov=True),
    "decay": Condition(weight_decay=0.7),
    "momentum 0.9, decay": Condition(momentum=0.9, weight_decay=0.7),
    "nesterov 0.9, decay": Condition(momentum=0.9, nesterov=True, weight_decay=0.7),
    "decoupled decay": Condition(decoupled_decay=0.7),
    "momentum 0.9, decoupled decay": Condition(momentum=0.9, decoupled_decay=0.7),
    "nesterov 0.9, decoupled decay": Condition(momentum=0.9, nesterov=True, decoupled_decay=0.7),
}
GRID = list(product((0.2, 1.0, 3.0), (1, 2, 4, 5)))  # s/λ, S


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_second_moments_turn_where_the_left_hand_side_is_one(name):
    """The learning rate at which they stop shrinking, to 1e-9, and on both sides of it."""
    condition = OPTIMIZERS[name]
    for seed, (spread, batch_size) in enumerate(GRID):
        h = curvatures_of(spread, seed)
        measured = first_above_one(lambda eta, h=h, size=batch_size: growth(h, size, eta, condition))
        predicted = first_above_one(lambda eta, h=h, size=batch_size: side(h, size, eta, condition))
        assert measured == pytest.approx(predicted, rel=1e-9), (spread, batch_size)
        assert side(h, batch_size, 0.999 * measured, condition) < 1 < side(h, batch_size, 1.001 * measured, condition)
        at = break_even_curvature(measured, batch_size, EXAMPLES, h.mean(), h.var(), condition)
        assert at == pytest.approx(h.mean(), rel=1e-8), (spread, batch_size)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_they_agree_far_from_the_threshold(name):
    """Also on negative curvature, where nothing is stable that has no decay, and far beyond the threshold."""
    condition = OPTIMIZERS[name]
    for seed, (spread, batch_size) in enumerate(GRID):
        for sign, eta in product((1, -1), (0.003, 0.05, 0.3, 1.0, 1.4, 4.0)):
            h = sign * curvatures_of(spread, seed)
            radius = growth(h, batch_size, eta, condition)
            if abs(radius - 1) > 1e-9:
                assert (side(h, batch_size, eta, condition) <= 1) == (radius <= 1), (spread, batch_size, sign, eta)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_full_batch_threshold(name):
    """Of the curvature, at a given learning rate: the spectral radius of one step on all examples."""
    condition, eta = OPTIMIZERS[name], 0.3

    def radius(curvature):
        [step] = steps_of(np.array([curvature]), 1, eta, condition)
        return max(abs(np.linalg.eigvals(step)))

    threshold = full_batch_threshold(eta, condition)
    assert radius(threshold * (1 - 1e-9)) < 1 < radius(threshold * (1 + 1e-9))
    beta = condition.momentum
    if not (condition.weight_decay or condition.decoupled_decay):
        assert threshold == pytest.approx(
            2 * (1 + beta) / ((1 + 2 * beta if condition.nesterov else 1) * eta), rel=1e-14
        )
    for variance in (0.0, 50.0):  # without noise, the break-even point is there
        found = break_even_curvature(eta, 5 if variance else 2, 5, 3.0, variance, condition)
        assert found == pytest.approx(threshold, rel=1e-9)


def test_closed_forms():
    """As they stand in docs/explanation/measurements.md."""
    draws = np.random.default_rng(0)
    for _ in range(200):
        beta, eta, curvature, w = (
            draws.uniform(0, 0.99),
            draws.uniform(0.01, 0.3),
            draws.uniform(1, 60),
            draws.uniform(0, 1),
        )
        variance, size, count = curvature**2 * draws.uniform(0, 9), int(draws.integers(1, 100)), 100
        nu = (count - size) / (size * (count - 1))
        c, tau = eta * (curvature + w), eta**2 * variance * nu
        heavy = 1 - 2 * (1 + beta) * c + c**2 + tau * (1 + beta) / (1 - beta)
        found = left_hand_side(eta, size, count, curvature, variance, Condition(beta, weight_decay=w))
        assert found == pytest.approx(heavy, rel=1e-9, abs=1e-9)
        stable = tau * (1 + beta + beta * c + 2 * beta**2 * c) <= c * (
            2 - 2 * beta**2 - (1 - beta - 4 * beta**2) * c - beta * (1 + 2 * beta) * c**2
        )
        nesterov = Condition(beta, nesterov=True, weight_decay=w)
        assert (left_hand_side(eta, size, count, curvature, variance, nesterov) <= 1) == stable
        r = math.sqrt(variance) / curvature
        at = 2 * (1 + beta) / (eta * (1 + r**2 * nu * (1 + beta) / (1 - beta)))
        assert break_even_curvature(eta, size, count, curvature, variance, Condition(beta)) == pytest.approx(
            at, rel=1e-12
        )


def test_the_plateaus_of_momentum():
    """s²ν/λ at 2(1 − β)/η where noise dominates, λ at 2(1 + β)/η without."""
    beta, eta, count = 0.9, 0.01, 10**9
    condition = Condition(beta)
    at = break_even_curvature(eta, 1, count, 1.0, 1e8, condition)
    assert at * 1e8 == pytest.approx(2 * (1 - beta) / eta, rel=1e-3)
    assert break_even_curvature(eta, 1, count, 1.0, 1e-8, condition) == pytest.approx(2 * (1 + beta) / eta, rel=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_at_the_ends_of_what_a_number_holds(name):
    """Numbers or infinity, never NaN; below 1 where λ is positive, and so small that 1 is the nearest number."""
    condition = OPTIMIZERS[name]
    sizes = (0.0, 1e-320, 1e-170, 1e-10, 1.0, 2.0, 1e10, 1e170, 1e308)
    for eta, curvature, variance in product(sizes, (*sizes, -1.0, -1e170), sizes):
        found = left_hand_side(eta, 8, 100, curvature, variance, condition)
        at = break_even_curvature(eta, 8, 100, curvature, variance, condition)
        assert not math.isnan(found), (eta, curvature, variance)
        assert math.isnan(at) or at >= 0, (eta, curvature, variance)
        if eta == 0 or curvature <= 0:
            assert math.isnan(at)
    assert left_hand_side(0.0, 8, 100, 3.0, 1.0, condition) == math.nextafter(1, 0)
    assert left_hand_side(1e-300, 8, 100, 3.0, 1.0, condition) == math.nextafter(1, 0)
    if not (condition.weight_decay or condition.decoupled_decay):
        assert left_hand_side(1e-300, 8, 100, -3.0, 1.0, condition) == 1  # unstable, by less than numbers can tell
    assert math.isnan(full_batch_threshold(0.0, condition))


# ------------------------------------------------------------------ benchmarks/calibrate_conditions.py, smaller


def test_the_simulation_turns_where_the_condition_says():
    """To 1 % with few walkers; and it would notice the condition of another optimizer."""
    h = calibrate_conditions.curvatures("normal", 1.0, 6, seed=0)
    for name in ("plain", "β = 0.9", "Nesterov, β = 0.9, weight decay"):
        condition = calibrate_conditions.OPTIMIZERS[name]
        found = calibrate_conditions.simulated(h, 2, condition, seed=0, walkers=2000, steps=80)
        assert found == pytest.approx(1, abs=0.01), name
    off = calibrate_conditions.predicted(h, 2, Condition(0.9)) / calibrate_conditions.predicted(h, 2, PLAIN)
    assert abs(off - 1) > 0.1
    assert all(row[-1] == 0 for row in calibrate_conditions.exactly(seeds=1, sizes=(2,), examples=4))


@pytest.mark.parametrize("eta", [0.3, 0.6, 0.9])
def test_the_growth_under_reshuffling_is_that_of_all_orders(eta):
    """Of 12 examples in all 10,395 ways to pair them. Walkers find it, and the saddle point but for the short epoch."""
    h = calibrate_conditions.curvatures("normal", 1.0, 12, seed=0)

    def pairings(left):
        if not left:
            yield []
        for place in range(1, len(left)):
            for rest in pairings(left[1:place] + left[place + 1 :]):
                yield [(left[0], left[place]), *rest]

    products = [math.prod((1 - eta * (a + b) / 2) ** 2 for a, b in pairs) for pairs in pairings(list(h))]
    exact = math.log(np.mean(products)) / 6
    assert calibrate_conditions.reshuffled_growth(h, 2, eta, walkers=20_000, seed=0) / 6 == pytest.approx(
        exact, abs=0.01
    )
    assert calibrate_conditions.saddle_point(h, 2, eta) == pytest.approx(exact, abs=0.03)
