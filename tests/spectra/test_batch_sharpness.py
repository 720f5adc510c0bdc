"""Every mini-batch of a tiny network in float64, by a double loop with dense Hessians; the errors, by simulation."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.func import functional_call, hessian
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from breakeven.networks.loss import mean_loss
from breakeven.spectra.batch_sharpness import FIRST, ROUND, draw_until, is_precise, mean, squared_gradient
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.parameters import trainable
from tests.spectra.oracles import examples, tiny_cnn

N, SIZE = 7, 3


class BatchNorm(torch.nn.Module):
    """Batch normalization in primitive operations: PyTorch's own is wrong in `torch.func.hessian`, see `networks.batch_norm`."""

    def forward(self, x):
        centred = x - x.mean(dim=0)
        return centred * torch.rsqrt(centred.square().mean(dim=0) + 1e-5)


def network(batch_norm=False):
    """Fewer than 100 parameters for numbers, so that their Hessian is dense in no time."""
    torch.manual_seed(0)
    norm = [BatchNorm()] if batch_norm else []
    return torch.nn.Sequential(torch.nn.Linear(4, 5), *norm, torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()


def batches_of(inputs, targets, size=SIZE):
    return [(inputs[list(some)], targets[list(some)]) for some in itertools.combinations(range(len(targets)), size)]


def dense(model, inputs, targets):
    """Gradient and Hessian of the mean loss, by torch.func and a loss that is written out."""
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    theta = torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes.values()])
        weights = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return cross_entropy(functional_call(model, weights, (inputs,)), targets)

    return torch.func.grad(loss)(theta), hessian(loss)(theta)


def drawn(model, batches, draws=None, seed=0, eigenvalues=0, tolerance=0.0):
    """The batches in order, or ``draws`` of them at random."""
    random = np.random.default_rng(seed)
    order = list(range(len(batches))) if draws is None else random.integers(0, len(batches), draws).tolist()
    generators = torch.Generator().manual_seed
    return draw_until(model, lambda n: batches[order[n - 1]], tolerance, len(order), eigenvalues, math.inf, generators)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_against_a_double_loop(batch_norm):
    """All 35 mini-batches of 3 of 7 examples: along their gradients, and their largest eigenvalues."""
    model = network(batch_norm)
    batches = batches_of(*examples(N, shape=(4,)))
    found = drawn(model, batches, eigenvalues=len(batches))
    along, largest = [], []
    for batch in batches:
        g, h = dense(model, *batch)
        along.append(float(g @ h @ g / (g @ g)))
        largest.append(float(torch.linalg.eigvalsh(h)[-1]))
    assert found.along == pytest.approx(along, rel=1e-9)
    assert found.largest == pytest.approx(largest, rel=0.01) and not found.unconverged
    assert mean(found.along).value == pytest.approx(np.mean(along), rel=1e-9)
    assert mean(found.along).error == pytest.approx(np.std(along, ddof=1) / math.sqrt(35), rel=1e-9)
    assert found.count == 35 and found.finite and not found.zero


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_interaction_against_a_double_loop(batch_norm):
    """E[g_B·H g_B] with H of the whole loss; pairs of draws have it as their mean, and its error covers it."""
    model = network(batch_norm)
    inputs, targets = examples(N, shape=(4,))
    batches = batches_of(inputs, targets)
    gradients, hessians = zip(*(dense(model, *batch) for batch in batches), strict=True)
    g, h = torch.stack(gradients).mean(dim=0), torch.stack(hessians).mean(dim=0)
    if not batch_norm:  # the loss of all is the mean over mini-batches
        whole = dense(model, inputs, targets)
        assert torch.allclose(g, whole[0]) and torch.allclose(h, whole[1])
        assert squared_gradient(model, [(inputs[:5], targets[:5]), (inputs[5:], targets[5:])]) == pytest.approx(
            float(g @ g)
        )
    expected = float(torch.stack([each @ h @ each for each in gradients]).mean())
    pairs = [
        drawn(model, [batches[i], batches[j]]).between for i, j in itertools.product(range(0, 35, 7), range(0, 35, 5))
    ]
    products = [
        float(gradients[i] @ hessians[j] @ gradients[i]) for i, j in itertools.product(range(0, 35, 7), range(0, 35, 5))
    ]
    assert [value for [value] in pairs] == pytest.approx(products, rel=1e-9)
    covered = []
    for seed in range(25):
        found = mean(drawn(model, batches, draws=64, seed=seed).between)
        covered.append(abs(found.value - expected) <= 2 * found.error)
    assert np.mean(covered) > 0.75


def test_the_cost_of_a_draw_is_less_than_three_gradients():
    """In floating-point operations, of matrix products and convolutions."""
    model = tiny_cnn().double()
    inputs, targets = examples(8)
    with FlopCounterMode(display=False) as gradient:
        torch.autograd.grad(mean_loss(model, model(inputs), targets), trainable(model))
    with FlopCounterMode(display=False) as draw:
        one = Hessian(model, [(inputs, targets)])
        one.matvec(one.gradient)
    assert 2 * gradient.get_total_flops() < draw.get_total_flops() <= 3 * gradient.get_total_flops()
    with FlopCounterMode(display=False) as whole:
        drawn(model, [(inputs, targets)] * 65, tolerance=0)
    most = (3 * 65 + 2 * 32) * gradient.get_total_flops()  # and a product for each of 32 pairs
    assert whole.get_total_flops() <= most


# ------------------------------------------------------------------ how many are drawn, and what that does to the error

NUMBERS = {
    "normal, narrow": (lambda random, n: 1 + 0.3 * random.normal(size=n), 1.0),
    "normal, wide": (lambda random, n: 1 + random.normal(size=n), 1.0),
    "lognormal": (lambda random, n: random.lognormal(0, 0.5, n), math.exp(0.125)),
    "lognormal, wide": (lambda random, n: random.lognormal(0, 1, n), math.exp(0.5)),
    "gamma": (lambda random, n: random.gamma(2, 1, n), 2.0),
    "two values": (lambda random, n: 0.1 + (random.random(n) < 0.2), 0.3),
}


def stops_at(numbers, tolerance):
    """How many of them are taken, by the same rule, from running sums."""
    counts = np.arange(1, len(numbers) + 1)
    means = numbers.cumsum() / counts
    variances = (np.square(numbers).cumsum() - counts * means**2) / np.maximum(counts - 1, 1)
    precise = np.sqrt(variances.clip(0) / counts) <= tolerance * np.abs(means)
    return int(counts[precise & (counts >= FIRST) & (counts % ROUND == 0)][0])


@pytest.mark.parametrize("name", NUMBERS)
def test_stopping_leaves_the_mean_and_its_error_right(name):
    """95 % intervals cover the truth in 92 to 97 %, although the draws end where the error looks small; off by 1 % at most."""
    draw, truth = NUMBERS[name]
    random = np.random.default_rng(0)
    samples = [draw(random, 4000) for _ in range(2000)]
    found = [mean(numbers[: stops_at(numbers, 0.05)].tolist()) for numbers in samples]
    covered = np.mean([abs(each.value - truth) <= 1.96 * each.error for each in found])
    assert 0.92 <= covered <= 0.97
    assert np.mean([each.value for each in found]) == pytest.approx(truth, rel=0.01)
    assert all(each.error <= 0.05 * each.value for each in found)


def test_draws_end_where_the_mean_is_precise_or_none_are_left():
    model, batches = network(), batches_of(*examples(N, shape=(4,)))
    values = drawn(model, batches * 20).along
    found = drawn(model, batches * 20, tolerance=0.04)
    assert found.along == values[: stops_at(np.array(values), 0.04)] and FIRST < found.count < 700
    assert is_precise(found.along, 0.04) and not is_precise(values[: found.count - ROUND], 0.04)
    assert drawn(model, batches, tolerance=10.0).count == FIRST
    assert drawn(model, batches[:3]).count == 3


# ------------------------------------------------------------------ what has no value


def test_a_gradient_of_zero_has_no_direction_and_is_told():
    """A dead network: no gradient at all; and one that is dead for some examples."""
    model = network()
    with torch.no_grad():
        model[2].weight.zero_()
        model[2].bias.copy_(torch.tensor([0.0, 0.0, 1e4]))
    inputs, targets = examples(N, shape=(4,))
    certain = drawn(model, batches_of(inputs, 0 * targets + 2), eigenvalues=2)
    assert certain.zero and certain.along == [] and certain.finite and certain.between == [0.0] * 17
    assert math.isnan(mean(certain.along).value) and certain.largest == [0.0, 0.0]
    some = drawn(model, [(inputs[:3], 0 * targets[:3] + 2), (inputs[:3], targets[:3])])
    assert some.zero and len(some.along) == 1 and some.count == 2


def test_what_is_not_finite_ends_the_draws():
    model = network()
    with torch.no_grad():
        model[0].weight.fill_(math.nan)
    found = drawn(model, batches_of(*examples(N, shape=(4,))), eigenvalues=2)
    assert found.count == 1 and not found.finite


def test_squares_that_are_too_small_for_float32():
    """‖g‖ of 1e-26, whose square is 0 in float32."""
    model = network().float()
    inputs, targets = examples(N, shape=(4,))
    with torch.no_grad():
        model[2].weight.zero_()
        model[2].bias.copy_(torch.tensor([60.0, 0.0, 0.0]))
    found = drawn(model, batches_of(inputs.float(), 0 * targets))
    assert found.finite and all(math.isfinite(value) for value in found.along)
    if not found.zero:
        assert all(value > 0 for value in found.between)
