import pytest
import torch
from torch import nn

from breakeven.networks.layer_norm import LayerNorm

SHAPES = [((5,), (4, 5)), ((5,), (4, 3, 5)), ((3, 5), (4, 3, 5)), ((3, 2, 2), (2, 3, 2, 2))]
OPTIONS = [{}, {"elementwise_affine": False}, {"bias": False}, {"eps": 0.1}]


def pair(shape, **options):
    """Ours and PyTorch's, in float64, with the same random γ and β; and a generator for inputs."""
    draws = torch.Generator().manual_seed(0)
    ours, theirs = LayerNorm(shape, **options).double(), nn.LayerNorm(shape, **options).double()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.randn(shape, generator=draws))
            ours.get_parameter(name).copy_(parameter)
    return ours, theirs, draws


def batch(draws, shape):
    return 3 + 2 * torch.randn(shape, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("shape", "of_inputs"), SHAPES)
def test_the_same_numbers_and_gradient_as_torch(shape, of_inputs, options):
    ours, theirs, draws = pair(shape, **options)
    assert dict(ours.named_parameters()).keys() == dict(theirs.named_parameters()).keys()
    x, weights = batch(draws, of_inputs), batch(draws, of_inputs)
    gradients = []
    for layer in (ours, theirs):
        inputs = x.clone().requires_grad_()
        y = layer(inputs)
        torch.testing.assert_close(y, theirs(x), rtol=1e-12, atol=1e-12)
        gradients.append(torch.autograd.grad((y.tanh() * weights).sum(), [inputs, *layer.parameters()]))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_the_derivatives_of_its_derivatives():
    """By finite differences: what PyTorch's own gets wrong in forward mode."""
    ours, _, draws = pair((4,))
    x = batch(draws, (3, 4)).requires_grad_()
    assert torch.autograd.gradcheck(ours, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(ours, (x,), check_fwd_over_rev=True)


def test_an_input_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(4, 6\).*\(5,\)"):
        LayerNorm(5)(torch.zeros(4, 6))
    with pytest.raises(ValueError, match=r"\(4, 1\)"):
        LayerNorm((5, 1))(torch.zeros(4, 1))


def test_under_autocast_statistics_are_in_the_precision_of_the_parameters():
    half = (torch.randn(8, 5, generator=torch.Generator().manual_seed(0)) + 100).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        y = LayerNorm(5)(half)
    assert y.dtype == torch.float32
    assert torch.equal(y, LayerNorm(5)(half.float()))
