"""Eq. 1 against SGD itself on quadratic problems with known curvatures, and α* against a fine scan."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from breakeven.spectra.equation_1 import alpha_star, break_even_curvature, left_hand_side, noise

EXAMPLES = [2, 3, 6]
BATCH_SIZES = [1, 2, 3, 5, 6]
GRID = [(n, s) for n in EXAMPLES for s in BATCH_SIZES if s <= n]


def curvatures_of(count, seed=0):
    return 3 + 2 * np.random.default_rng(seed).standard_normal(count)


def mean_square_growth(curvatures, batch_size, learning_rate):
    """E[x²] after one step of SGD over x² before it, over all mini-batches of loss_i = H_i x² / 2; torch takes the step."""
    squares = []
    for batch in itertools.combinations(curvatures, batch_size):
        x = torch.ones(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([x], lr=learning_rate)
        (torch.tensor(batch, dtype=torch.float64) * x.square() / 2).mean().backward()
        optimizer.step()
        squares.append(x.item() ** 2)
    return float(np.mean(squares))


@pytest.mark.parametrize(("examples", "batch_size"), GRID)
def test_the_left_hand_side_is_the_growth_of_the_mean_square(examples, batch_size):
    h = curvatures_of(examples)
    for eta in (0.01, 0.2, 0.5, 1.3):
        ours = left_hand_side(eta, batch_size, examples, h.mean(), h.var())
        assert ours == pytest.approx(mean_square_growth(h, batch_size, eta), rel=1e-12)


@pytest.mark.parametrize(("examples", "batch_size"), GRID)
def test_stability_switches_where_equation_1_says(examples, batch_size):
    """The learning rate at which SGD measurably turns unstable, against the root of Eq. 1 and its solution for λ."""
    h = curvatures_of(examples, seed=1)
    measured = brentq(lambda eta: mean_square_growth(h, batch_size, eta) - 1, 1e-3, 10, xtol=1e-12)
    predicted = brentq(
        lambda eta: left_hand_side(eta, batch_size, examples, h.mean(), h.var()) - 1, 1e-3, 10, xtol=1e-12
    )
    assert measured == pytest.approx(predicted, rel=1e-9)
    assert break_even_curvature(measured, batch_size, examples, h.mean(), h.var()) == pytest.approx(h.mean(), rel=1e-9)
    assert mean_square_growth(h, batch_size, 0.99 * measured) < 1 < mean_square_growth(h, batch_size, 1.01 * measured)


@pytest.mark.parametrize(("examples", "batch_size"), [(20, 1), (20, 5), (200, 10), (50, 50)])
@pytest.mark.parametrize("side", [0.9, 1.1])
def test_many_walkers_agree(examples, batch_size, side):
    """Simulated for 30 steps with random mini-batches: E[x²] decays below the predicted learning rate, grows above."""
    draws = np.random.default_rng(2)
    h = 2 + 0.7 * draws.standard_normal(examples)
    eta = side * 2 * h.mean() / (h.mean() ** 2 + h.var() * noise(batch_size, examples))
    x = np.ones(20_000)
    for _ in range(30):
        order = np.argpartition(draws.random((len(x), examples)), batch_size - 1, axis=1)[:, :batch_size]
        x *= 1 - eta * h[order].mean(axis=1)
    growth = np.mean(x**2)
    assert growth < 0.7 if side < 1 else growth > 1.5


def test_without_noise_it_is_gradient_descent():
    assert break_even_curvature(0.1, 50, 50, 7.0, 1e6) == pytest.approx(20)
    assert break_even_curvature(0.1, 5, 50, 7.0, 0.0) == pytest.approx(20)
    assert left_hand_side(0.1, 50, 50, 20.0, 1e6) == pytest.approx(1)
    assert left_hand_side(0.1, 1, 1, 20.0, 0.0) == pytest.approx(1)


def test_noise_and_a_larger_learning_rate_bring_it_forward():
    def at(eta, batch_size):
        return break_even_curvature(eta, batch_size, 1000, 10.0, 25.0)

    assert at(0.1, 8) < at(0.1, 32) < at(0.1, 1000) == pytest.approx(20)
    assert at(0.3, 32) < at(0.1, 32) < at(0.03, 32)


def test_no_curvature_has_no_break_even_point():
    assert math.isnan(break_even_curvature(0.1, 8, 100, -1.0, 1.0))
    assert math.isnan(break_even_curvature(0.1, 8, 100, math.nan, 1.0))


# ------------------------------------------------------------------------- α*


@pytest.mark.parametrize("curvature", [0.01, 0.3, 1.0, 7.0, 300.0])
def test_alpha_star_of_a_parabola(curvature):
    """L(α) = 1 − bα + cα²/2 reaches 1.2 at (b + sqrt(b² + 0.4 c)) / c."""
    for slope in (0.0, 0.02, 0.2):
        exact = (slope + math.sqrt(slope**2 + 0.4 * curvature)) / curvature
        found = alpha_star(lambda a, b=slope, c=curvature: 1 - b * a + c * a * a / 2, 1.0)
        assert found == pytest.approx(exact, rel=4e-3)


def test_alpha_star_takes_few_losses():
    """Of a smooth curve: doubled to where the loss is, and at most five losses to find the crossing between the last two."""
    for root in np.geomspace(0.3, 900, 50):
        tried = []

        def loss(alpha, root=root, tried=tried):
            tried.append(alpha)
            return math.cosh(alpha / root * math.acosh(1.2))

        assert alpha_star(loss, 1.0) == pytest.approx(root, rel=2e-3)
        assert len(tried) <= math.ceil(math.log2(root * 4)) + 1 + 5
        assert len(set(tried)) == len(tried)


def test_alpha_star_where_a_middle_is_on_the_chord_by_chance():
    """An inflection between 2 and 4: straight at 3, where the first middle falls, and bent to both sides."""

    def loss(alpha):
        return 1.21 + 0.05 * (4 * (alpha - 3) ** 3 - 3 * (alpha - 3))

    found = alpha_star(loss, 1.0)
    assert abs(loss(found) - 1.2) < 1e-3


@pytest.mark.parametrize("root", [0.26, 0.0693405, 0.0044215446, 0.00110538523, 1e-6])
def test_a_small_alpha_star_is_as_precise(root):
    """Of a slow and of a sudden growth."""
    slow = alpha_star(lambda a: 1 + 0.2 * (a / root) ** 0.0637 - 0.1 * math.sin(math.pi * min(a / root, 1)), 1.0)
    assert slow == pytest.approx(root, rel=4e-3)
    assert alpha_star(lambda a: 1.0 if a < root else 50.0, 1.0) == pytest.approx(root, rel=4e-3)


@pytest.mark.parametrize("seed", range(10))
def test_alpha_star_agrees_with_a_fine_scan(seed):
    """Along random directions of a small network: the smallest α, to the precision of the scan."""
    draws = torch.Generator().manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).double()
    inputs = torch.randn(30, 4, generator=draws, dtype=torch.float64)
    targets = torch.randint(0, 3, (30,), generator=draws)
    theta = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    gradient = torch.autograd.grad(torch.nn.functional.cross_entropy(model(inputs), targets), list(model.parameters()))
    noise_ = torch.randn(len(theta), generator=draws, dtype=torch.float64)
    direction = -0.3 * torch.cat([g.flatten() for g in gradient]) + 0.05 * noise_

    def loss(alpha):
        torch.nn.utils.vector_to_parameters(theta + alpha * direction, model.parameters())
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(inputs), targets))

    scan = np.arange(0, 60, 0.01)
    above = np.array([loss(a) for a in scan]) >= 1.2 * loss(0.0)
    assert above.any()
    assert alpha_star(loss, loss(0.0)) == pytest.approx(scan[above.argmax()], rel=4e-3, abs=0.011)


SCALES = [2.0**-150, 1.001 * 2.0**-150, *np.geomspace(1e-45, 4095.9, 300), *np.linspace(2890, 4096, 20)]


def test_alpha_star_at_every_scale():
    """L(α) = 1 + 0.2 (α/r)² reaches 1.2 at r: from the smallest α to the largest, with both ends, and nothing beyond them."""

    def found(root):
        return alpha_star(lambda alpha: 1 + 0.2 * (alpha / root) ** 2, 1.0)

    for root in SCALES[1:]:
        assert found(root) == pytest.approx(root, rel=4e-3), root
    assert math.isnan(found(SCALES[0])) and math.isnan(found(4096.1))


def test_alpha_star_where_there_is_none():
    assert math.isnan(alpha_star(lambda a: 1.0, 1.0))
    assert math.isnan(alpha_star(lambda a: math.exp(-a), 1.0))
    assert math.isnan(alpha_star(lambda a: a, 0.0))
    assert math.isnan(alpha_star(lambda a: a, math.nan))


def test_a_loss_that_overflows_is_above():
    assert alpha_star(lambda a: 1.0 if a < 3 else math.inf, 1.0) == pytest.approx(3, rel=4e-3)
    assert alpha_star(lambda a: 1.0 if a < 3 else math.nan, 1.0) == pytest.approx(3, rel=4e-3)
