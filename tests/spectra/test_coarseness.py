"""How far float32 is off, by the gradient that weighs the most: beside K of the same network in float64."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from breakeven.networks.batch_norm import set_measuring
from breakeven.spectra.coarseness import relative_rounding
from breakeven.spectra.gram_spectrum import spectrum
from tests.measurements.deep_batch_norm import build
from tests.spectra.networks import CASES, case
from tests.spectra.oracles import examples


def largest(model, batches):
    """λ_K^1, by an ordinary gradient of each mini-batch, and the three mini-batches with the largest."""
    rows = []
    for inputs, targets in batches:
        model.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        rows.append(torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()]).double())
    rows = torch.stack(rows)
    top = rows.norm(dim=1).topk(3).indices.tolist()
    return float(spectrum(rows @ rows.T).eigenvalues[0]), [batches[index] for index in top]


def made(depth, size, seed):
    torch.manual_seed(seed)
    model = build((1, 4, 4), 3, depth=depth)
    set_measuring(model)
    inputs, targets = examples(60, shape=(1, 4, 4))
    return model, inputs, list(zip(inputs.split(size), targets.split(size), strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("depth", "size"), [(6, 2), (3, 2), (1, 2), (6, 6), (3, 20)])
def test_it_tells_how_far_the_spectral_norm_is_off(depth, size, seed):
    """Not more than ten times as much, mostly twice; as two numbers make it in deep networks, and six don't."""
    model, _, batches = made(depth, size, seed)
    exact, _ = largest(copy.deepcopy(model).double(), batches)
    found, top = largest(model, [(x.float(), y) for x, y in batches])
    off, told = abs(found / exact - 1), relative_rounding(model, top)
    assert off < max(10 * told, 1e-4)
    assert (told > 1e-3) <= (size == 2 and depth > 1)


@pytest.mark.parametrize("name", CASES)
def test_ordinary_networks_are_not(name):
    """Nor is any of them with batch normalization of more than 2 numbers."""
    one = case(name, 24)
    model = copy.deepcopy(one.model).float()
    for inputs, targets in zip(one.inputs.split(4), one.targets.split(4), strict=True):
        given = inputs.float() if inputs.is_floating_point() else inputs
        assert 1e-9 < relative_rounding(model, [(given, targets)]) < 1e-4
    assert relative_rounding(one.model, [(one.inputs, one.targets)]) == 0


def test_a_gradient_of_zero_has_no_relative_rounding():
    model = nn.Linear(2, 1)
    assert relative_rounding(model, [(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long))]) == 0
