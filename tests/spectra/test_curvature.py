"""Per-example curvature both ways, against the Hessian of each example's loss through PyTorch's own layers."""

import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven.networks.exact_kernels import exact_kernels
from breakeven.spectra import curvature
from breakeven.spectra.curvature import fastest_way, forward_mode, per_example_curvature, reverse_mode
from breakeven.spectra.curvature_check import MISMATCH, agree
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
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
