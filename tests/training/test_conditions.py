"""The conditions of Adam, AdamW and RMSprop against PyTorch's own optimizers: where do second moments stop shrinking?

Loss i is h_i (a·θ)²/2, so that with a frozen preconditioner P the step stays on the line x P^(-1/2) u, u ∝ P^(-1/2) a,
with a memory y along P^(1/2) u or P^(-1/2) u. PyTorch's optimizer takes one step from x = 1 and one from y = 1 on each mini-batch
there is: the exact map of (x², xy, y²), in the mean. P is frozen by a memory of 10¹² steps, and by weights of 10⁻⁶.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from breakeven.spectra.equation_1 import full_batch_threshold, left_hand_side
from breakeven.training.registry import build_optimizer, condition, preconditioner
from tests.tiny import tiny_spec

TINY, LONG = 1e-6, 1.0 - 1e-12
H = torch.tensor([0.2, 1.0, 3.0, 0.5, 1.4, 5.0], dtype=torch.float64)
A = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
SQUARES = torch.tensor([0.04, 0.0009, 1.0], dtype=torch.float64)  # that v is frozen at
EQUAL = torch.full((3,), 0.01, dtype=torch.float64)  # where weight decay stays on the line
ADAM = {"optimizer": "adam", "optimizer_options": {"beta2": LONG}}
RMSPROP = {"optimizer": "rmsprop", "optimizer_options": {"alpha": LONG}}
WORLDS = {
    "adam": (ADAM, SQUARES),
    "adam with another β₁": ({"optimizer": "adam", "optimizer_options": {"beta1": 0.6, "beta2": LONG}}, SQUARES),
    "adam with an L2 penalty": (ADAM | {"weight_decay": 20.0}, EQUAL),
    "adamw": (ADAM | {"optimizer": "adamw", "weight_decay": 15.0}, SQUARES),
    "rmsprop": (RMSPROP, SQUARES),
    "rmsprop with momentum": (RMSPROP | {"momentum": 0.7}, SQUARES),
    "rmsprop with an L2 penalty": (RMSPROP | {"momentum": 0.7, "weight_decay": 20.0}, EQUAL),
}


def one_step(spec, rate, squares, theta, memory, curvature):
    """θ and the memory after a step of PyTorch's optimizer on the mean curvature of a mini-batch."""
    weight = theta.clone()
    optimizer = build_optimizer([("w", weight)], spec)
    remembered = "momentum_buffer" if spec.optimizer == "rmsprop" else "exp_avg"
    square = "square_avg" if spec.optimizer == "rmsprop" else "exp_avg_sq"
    state = {"w/step": torch.tensor(1e15), f"w/{square}": squares, f"w/{remembered}": memory}
    weight.grad = torch.zeros_like(weight)
    optimizer.load_state(state)
    p = preconditioner(spec)(optimizer.state())["w"]
    weight.grad = curvature * A * (A @ weight)
    optimizer.step(rate)
    torch.testing.assert_close(preconditioner(spec)(optimizer.state())["w"], p, rtol=1e-9, atol=0)  # it is frozen
    return weight, optimizer.state().get(f"w/{remembered}", torch.zeros_like(memory))


def growth(spec, rate, squares, size):
    """The spectral radius of the mean map of second moments, over all mini-batches of ``size``."""
    root = (squares.sqrt() + 1e-8).sqrt()
    u = A / root
    u /= u.norm()
    memory = u / root if spec.optimizer == "rmsprop" else u * root
    back = memory / memory.dot(memory)
    remembers = spec.optimizer != "rmsprop" or spec.momentum > 0
    basis = [(TINY, 0.0), (0.0, TINY)] if remembers else [(TINY, 0.0)]
    total = np.zeros([len(basis) ** 2] * 2)
    batches = list(itertools.combinations(range(len(H)), size))
    for batch in batches:
        curvature, columns = H[list(batch)].mean(), []
        for x, y in basis:
            theta, remembered = one_step(spec, rate, squares, x * u / root, y * memory, curvature)
            columns.append([float(u @ (root * theta)), float(back @ remembered)])
        step = np.array(columns).T[: len(basis)] / TINY
        total += np.kron(step, step) / len(batches)
    return max(abs(np.linalg.eigvals(total)))


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize("world", WORLDS)
def test_second_moments_turn_where_the_condition_says(world, size):
    changes, squares = WORLDS[world]
    spec = tiny_spec(precision="float64", **changes)
    p = squares.sqrt() + 1e-8
    direction = A / p
    direction /= (A * A / p).sum().sqrt()  # P^(-1/2) u, ‖u‖ = 1
    curvatures = H * (A @ direction).square()
    along = condition(spec).along(float(direction @ direction))
    assert along.preconditioned

    def side(rate):
        mean, variance = float(curvatures.mean()), float(curvatures.var(correction=0))
        return left_hand_side(rate, size, len(H), mean, variance, along)

    turn = brentq(lambda rate: growth(spec, rate, squares, size) - 1, 1e-4, 3.0, rtol=1e-5)
    assert side(turn * 0.999) < 1 < side(turn * 1.001)
    if size == len(H):  # the threshold, too
        assert full_batch_threshold(turn, along) == pytest.approx(float(curvatures.mean()), rel=1e-3)


def test_without_weight_decay_of_its_own_adam_is_unstable_beyond_38_over_the_learning_rate():
    assert full_batch_threshold(0.002, condition(tiny_spec(optimizer="adam"))) == pytest.approx(38 / 0.002)
    assert full_batch_threshold(0.002, condition(tiny_spec(optimizer="rmsprop"))) == pytest.approx(2 / 0.002)


@pytest.mark.parametrize(("optimizer", "times_rate"), [("adam", 38.0), ("adamw", 38.0), ("rmsprop", 2.0)])
def test_on_all_examples_it_hovers_at_its_threshold(optimizer, times_rate):
    """Nothing is frozen: as gradients shrink, so does P, until P⁻¹H is at the threshold and steps swing (Cohen et al., 2022)."""
    draws = torch.Generator().manual_seed(0)
    root = torch.randn(12, 12, generator=draws, dtype=torch.float64)
    curvature = root @ root.T / 12
    weight, rate = torch.randn(12, generator=draws, dtype=torch.float64), 0.002
    spec = tiny_spec(optimizer=optimizer, optimizer_options={"alpha" if optimizer == "rmsprop" else "beta2": 0.99})
    steps, found = build_optimizer([("w", weight)], spec), []
    for step in range(6000):
        weight.grad = curvature @ weight
        steps.step(rate)
        if step >= 4000 and step % 10 == 0:
            p = preconditioner(spec)(steps.state())["w"].rsqrt()
            found.append(float(torch.linalg.eigvalsh(p[:, None] * curvature * p)[-1]))
    assert np.median(found) * rate == pytest.approx(times_rate, rel=0.1)
