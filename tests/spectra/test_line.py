"""Derivatives along a line, against nested gradients of each loss through PyTorch's own layers."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from breakeven.networks.exact_kernels import exact_kernels
from breakeven.spectra.curvature import forward_mode, reverse_mode
from breakeven.spectra.line import Line, of_each, pieces
from tests.spectra.networks import CASES, case
from tests.spectra.test_curvature import direction_for

EXAMPLES = 5


@pytest.fixture(autouse=True)
def as_measured():
    with exact_kernels():
        yield


def nested(made, direction, order):
    """The derivatives along the direction, to ``order``, of each loss on the oracle: ∇(∇ℓ_i · e) · e, one example at a time."""
    e = torch.empty_like(direction)
    e[made.order()] = direction
    parameters, rows = list(made.oracle.parameters()), []
    for i in range(len(made.targets)):
        value = cross_entropy(made.oracle(made.inputs), made.targets, reduction="none")[i]
        row = [float(value.detach())]
        for _ in range(order):
            parts = torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True)
            value = torch.cat([part.reshape(-1) for part in parts]) @ e
            row.append(float(value.detach()))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).T


def moved(made, direction, a):
    """The oracle is moved by a along the direction."""
    e = torch.empty_like(direction)
    e[made.order()] = direction
    with torch.no_grad():
        parts = e.split([parameter.numel() for parameter in made.oracle.parameters()])
        for parameter, part in zip(made.oracle.parameters(), parts, strict=True):
            parameter += a * part.view_as(parameter)


def third_by_differences(made, direction, step=1e-4):
    """Σ_i of the change of the second derivative: that is right also through the normalizations of PyTorch, the next is not."""
    ends = []
    for there, back in ((step, -step), (-step, step)):
        moved(made, direction, there)
        ends.append(float(nested(made, direction, 2)[2].sum()))
        moved(made, direction, back)
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("name", CASES)
def test_equals_nested_gradients_of_each_loss(name):
    made = case(name, EXAMPLES)
    direction = direction_for(made)
    line, expected = Line(made.model, direction), nested(made, direction, 2)
    for way in (forward_mode, reverse_mode):
        for found, exact in zip(of_each(made.model, direction, made.inputs, made.targets, way), expected, strict=True):
            torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-11)
    for order in (1, 2):
        of_sum = line.derivative(made.inputs, made.targets, order)
        assert of_sum == pytest.approx(float(expected[order].sum()), rel=1e-9, abs=1e-10)
    third = line.derivative(made.inputs, made.targets, 3)
    assert third == pytest.approx(third_by_differences(made, direction), rel=1e-5, abs=1e-6)
    if not any(word in name for word in ("bn", "densenet", "bert", "attention")):  # whose oracles normalise by PyTorch
        assert third == pytest.approx(float(nested(made, direction, 3)[3].sum()), rel=1e-8, abs=1e-9)


def test_a_line_from_other_weights_moves_nothing():
    made = case(next(iter(CASES)), EXAMPLES)
    direction = direction_for(made)
    before = [parameter.detach().clone() for parameter in made.model.parameters()]
    start, place = {}, 0
    for name, parameter in made.model.named_parameters():
        start[name] = parameter.detach() + 0.3 * direction[place : place + parameter.numel()].view_as(parameter)
        place += parameter.numel()
    there = Line(made.model, direction, start)
    here = Line(made.model, direction)
    torch.testing.assert_close(
        there.losses(0.2, made.inputs, made.targets), here.losses(0.5, made.inputs, made.targets)
    )
    assert float((there.losses(0, made.inputs, made.targets) - here.losses(0, made.inputs, made.targets)).norm()) > 1e-3
    assert all(torch.equal(*pair) for pair in zip(before, made.model.parameters(), strict=True))


def test_a_loss_without_curvature_has_derivatives_of_0():
    model = nn.Linear(3, 2).double()
    inputs, targets = torch.zeros(4, 3, dtype=torch.float64), torch.tensor([0, 1, 0, 1])
    direction = torch.cat([torch.ones(6), torch.zeros(2)]).double() / 6**0.5  # inputs of 0: the weights do nothing
    for order in (1, 2, 3):
        assert Line(model, direction).derivative(inputs, targets, order) == 0


@pytest.mark.parametrize(("memory_mb", "count"), [(float("inf"), 2), (1e-9, 7), (1000.0, 2)])
def test_pieces_fit_and_are_whole_where_examples_are_mixed(memory_mb, count):
    made = case("cnn-kinked", 7)
    batches = list(zip(made.inputs.split(4), made.targets.split(4), strict=True))
    found = list(pieces(made.model, batches, memory_mb))
    assert len(found) == count and torch.equal(torch.cat([x for x, _ in found]), made.inputs)
    mixing = case("cnn_bn-kinked", 7)
    batches = list(zip(mixing.inputs.split(4), mixing.targets.split(4), strict=True))
    assert len(list(pieces(mixing.model, batches, memory_mb))) == 2
