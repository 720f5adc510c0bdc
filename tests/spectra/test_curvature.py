"""Per-example curvature both ways, against the Hessian of each example's loss through PyTorch's own layers."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven.networks.exact_kernels import exact_kernels
from breakeven.spectra import curvature
from breakeven.spectra.curvature import fastest_way, forward_mode, per_example_curvature, reverse_mode
from breakeven.spectra.curvature_check import MISMATCH, agree
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.parameters import in_float64
from tests.networks.zoo import Function
from tests.spectra.networks import CASES, SMOOTH, case

EXAMPLES = 7
WAYS = [forward_mode, reverse_mode]


@pytest.fixture(autouse=True)
def as_measured():
    with exact_kernels():
        yield


def direction_for(made, seed=3):
    """A unit vector in the model's order of parameters."""
    draws = torch.Generator().manual_seed(seed)
    vector = torch.randn(len(made.order()), generator=draws, dtype=torch.float64)
    return vector / vector.norm()


def reverse_over_reverse(made, direction):
    """eᵀ ∇²ℓ_i e of each example on the oracle, one example at a time: ∇(∇ℓ_i · e) · e."""
    e = torch.empty_like(direction)
    e[made.order()] = direction
    parameters = list(made.oracle.parameters())
    found = []
    for i in range(len(made.targets)):
        loss = cross_entropy(made.oracle(made.inputs), made.targets, reduction="none")[i]
        first = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        slope = torch.cat([part.reshape(-1) for part in first]) @ e
        second = torch.autograd.grad(slope, parameters, materialize_grads=True)
        found.append(torch.cat([part.reshape(-1) for part in second]) @ e)
    return torch.stack(found)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
def test_equals_one_hessian_at_a_time_through_torch_layers(name, way):
    made = case(name, EXAMPLES)
    direction = direction_for(made)
    expected = reverse_over_reverse(made, direction)
    ours = per_example_curvature(made.model, direction, made.inputs, made.targets, way)
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)
    assert fastest_way(made.model, made.inputs) is forward_mode


@pytest.mark.parametrize("name", SMOOTH)
def test_equals_finite_differences_where_there_are_no_kinks(name):
    """(ℓ_i(θ + he) − 2ℓ_i(θ) + ℓ_i(θ − he)) / h², through PyTorch's own layers."""
    made = case(name, EXAMPLES)
    direction = direction_for(made)
    e = torch.empty_like(direction)
    e[made.order()] = direction
    weights = dict(made.oracle.named_parameters())
    parts = e.split([weight.numel() for weight in weights.values()])
    steps = {name: part.view_as(weight) for (name, weight), part in zip(weights.items(), parts, strict=True)}

    def losses(h):
        moved = {name: (weight + h * steps[name]).detach() for name, weight in weights.items()}
        return cross_entropy(functional_call(made.oracle, moved, (made.inputs,)), made.targets, reduction="none")

    h = 1e-4
    expected = (losses(h) - 2 * losses(0.0) + losses(-h)) / h**2
    ours = per_example_curvature(made.model, direction, made.inputs, made.targets, forward_mode)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_its_mean_along_the_eigenvector_is_the_eigenvalue(name):
    made = case(name, EXAMPLES)
    h = Hessian(made.model, [(made.inputs, made.targets)])
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(2, len(h.gradient), generator=draws, dtype=torch.float64)
    pairs = largest_eigenpairs(h.matvec, start, 1, 1e-8, 500, draws)
    curvatures = per_example_curvature(made.model, pairs.vectors[0], made.inputs, made.targets, reverse_mode)
    assert curvatures.mean().item() == pytest.approx(pairs.values[0].item(), rel=1e-6)
    assert agree(curvatures, pairs.values[0].item(), MISMATCH[torch.float64])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["cnn-kinked", "lstm-smooth", "cnn_bn-smooth"])
def test_pieces_change_nothing(name, way, monkeypatch):
    """A network with batch normalization is not cut, since its statistics are of the whole mini-batch."""
    made = case(name, EXAMPLES)
    direction = direction_for(made)
    whole = per_example_curvature(made.model, direction, made.inputs, made.targets, way)
    monkeypatch.setattr(curvature, "NUMBERS_AT_ONCE", 2 * made.inputs[0].numel())
    torch.testing.assert_close(
        per_example_curvature(made.model, direction, made.inputs, made.targets, way), whole, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["cnn_bn-smooth", "attention-smooth"])
def test_the_check_refuses_the_derivatives_that_torch_gets_wrong(name, way):
    """PyTorch's own batch and layer normalization, pytorch#196699. If this fails, PyTorch is repaired."""
    made = case(name, EXAMPLES)
    made.oracle.train()
    h = Hessian(made.oracle, [(made.inputs, made.targets)])
    draws = torch.Generator().manual_seed(0)
    start = torch.randn(2, len(h.gradient), generator=draws, dtype=torch.float64)
    pairs = largest_eigenpairs(h.matvec, start, 1, 1e-8, 500, draws)
    wrong = per_example_curvature(made.oracle, pairs.vectors[0], made.inputs, made.targets, way)
    assert not agree(wrong, pairs.values[0].item(), MISMATCH[torch.float64])


def _constant(z):
    with torch.no_grad():
        return z.exp()


BENDS = {
    "right": torch.tanh,
    "that moves a constant": lambda z: z * _constant(z),
    "wrong": lambda z: torch.linalg.solve(3 * torch.eye(4).to(z) + z[:, :, None] * z.flip(1)[:, None, :], z),
    "not there": lambda z: torch.nn.functional.glu(torch.cat([z, z * z], dim=1)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", BENDS)
def test_forward_mode_is_used_where_it_is_right(name, dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), Function(BENDS[name]), nn.Linear(4, 3)).to(dtype)
    before = list(model.parameters())
    way = fastest_way(model, torch.randn(6, 3, dtype=dtype))
    assert way is (forward_mode if name == "right" else reverse_mode)
    assert all(mine is other and mine.dtype == dtype for mine, other in zip(model.parameters(), before, strict=True))


def test_what_has_forward_mode_in_float64_alone_is_measured_in_float32():
    made = case("lstm-smooth", EXAMPLES)
    direction = direction_for(made)
    expected = reverse_over_reverse(made, direction).float()
    model = made.model.float()
    found = per_example_curvature(model, direction.float(), made.inputs, made.targets, fastest_way(model, made.inputs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_in_float64_no_graph_loses_the_parameters():
    """A graph that was built before gives the same product after, and not zeros."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 3)  # used twice
    model = nn.Sequential(layer, nn.Tanh(), nn.BatchNorm1d(3), layer)
    inputs, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    hessian = Hessian(model.eval(), [(inputs, targets)])
    v = torch.ones_like(hessian.gradient)
    expected = hessian.matvec(v)
    with in_float64(model):
        assert {tensor.dtype for tensor in (*model.parameters(), model[2].running_var)} == {torch.float64}
        assert model[0].weight is model[3].weight
        torch.testing.assert_close(Hessian(model, [(inputs.double(), targets)]).matvec(v.double()).float(), expected)
    assert expected.any() and torch.equal(hessian.matvec(v), expected)


def test_a_network_without_curvature():
    model = nn.Sequential(Function(lambda x: x * 0 + 1), nn.Linear(2, 2, bias=False))
    for way in WAYS:
        z, first, second = way(model, torch.ones(4), torch.zeros(3, 2))
        assert torch.equal(first, torch.full((3, 2), 2.0)) and not second.any() and z.shape == (3, 2)


MANY_LAYERS = """
import resource, torch
from torch import nn
from breakeven.spectra.curvature import forward_mode
model = nn.Sequential(nn.Linear(1000, 2000), nn.Linear(2000, 1), *(nn.Sequential(nn.Tanh(), nn.Linear(1, 1)) for _ in range(100)))
size = sum(parameter.numel() for parameter in model.parameters())
inputs, direction = torch.randn(2, 1000), torch.ones(size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
forward_mode(model, direction, inputs)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / (4 * size))
"""


def test_forward_mode_does_not_take_the_whole_direction_once_for_each_parameter():
    said = subprocess.run([sys.executable, "-c", MANY_LAYERS], capture_output=True, text=True, check=True, timeout=300)
    assert float(said.stdout) < 30, "vectors of all parameters; 200 parameters"
