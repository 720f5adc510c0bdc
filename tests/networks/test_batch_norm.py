import pytest
import torch
from torch import nn

from breakeven.networks.batch_norm import BatchNorm2d, set_measuring


@pytest.fixture
def pair():
    """Ours and PyTorch's, in float64, with the same random γ and β; and a generator for inputs."""
    draws = torch.Generator().manual_seed(0)
    ours, theirs = BatchNorm2d(3).double(), nn.BatchNorm2d(3).double()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.copy_(torch.randn(3, generator=draws))
            ours.get_parameter(name).copy_(parameter)
    return ours, theirs, draws


def batch(draws, *shape):
    return 3 + 2 * torch.randn(*shape, generator=draws, dtype=torch.float64)


def test_the_same_numbers_as_torch(pair):
    """Outputs and running averages over several batches, the last one short, then in evaluation mode."""
    ours, theirs, draws = pair
    for shape in ((8, 3, 5, 4), (8, 3, 5, 4), (2, 3, 5, 4), (1, 3, 2, 2)):
        x = batch(draws, *shape)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(ours.running_mean, theirs.running_mean, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(ours.running_var, theirs.running_var, rtol=1e-12, atol=1e-12)
    ours.eval()
    theirs.eval()
    x = batch(draws, 4, 3, 5, 4)
    before = ours.running_mean.clone()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    assert torch.equal(ours.running_mean, before)


@pytest.mark.parametrize("training", [True, False])
def test_the_same_gradient_as_torch(pair, training):
    """With respect to input, γ and β; in training mode through the statistics as well."""
    ours, theirs, draws = pair
    x, weights = batch(draws, 6, 3, 4, 5), batch(draws, 6, 3, 4, 5)
    gradients = []
    for layer in (ours, theirs):
        layer.train(training)
        inputs = x.clone().requires_grad_()
        loss = (layer(inputs).tanh() * weights).sum()
        gradients.append(torch.autograd.grad(loss, [inputs, layer.weight, layer.bias]))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_the_derivatives_of_its_derivatives(pair):
    """By finite differences: what PyTorch's own gets wrong in forward mode."""
    ours, _, draws = pair
    ours.update_running = False
    x = batch(draws, 3, 3, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(ours, (x,), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(ours, (x,), check_fwd_over_rev=True)


def test_measuring_uses_the_batch_and_leaves_everything_as_it_was(pair):
    ours, theirs, draws = pair
    model = nn.Sequential(nn.Dropout(0.9), ours)
    ours(batch(draws, 8, 3, 4, 4))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    set_measuring(model)
    x = batch(draws, 5, 3, 4, 4) * 2 - 7  # other statistics than the running ones
    measured = model(x)
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name
    torch.testing.assert_close(measured, theirs(x), rtol=1e-12, atol=1e-12)  # batch statistics, and no dropout
    torch.testing.assert_close(measured, model(x), rtol=0, atol=0)


def test_the_state_has_no_counter():
    assert set(dict(BatchNorm2d(2).named_buffers())) == {"running_mean", "running_var"}


def test_under_autocast_statistics_are_in_the_precision_of_the_parameters():
    layer, x = BatchNorm2d(3), torch.randn(8, 3, 5, 4, generator=torch.Generator().manual_seed(0)) + 100
    half = x.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(half)
    assert y.dtype == layer.running_mean.dtype == torch.float32
    assert torch.equal(y, BatchNorm2d(3)(half.float()))
