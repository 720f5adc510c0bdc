"""ResNet-32 against an implementation written here of PyTorch's own functions, and the published number of parameters."""

import pytest
import torch
from torch.nn import functional as F

from breakeven.networks import resnet32 as module
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.resnet32 import resnet32, resnet32_bn
from breakeven.spectra.curvature import forward_mode, per_example_curvature
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.spectra.per_example.gram import per_example_gram


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_number_of_parameters():
    assert count(resnet32_bn((3, 32, 32), 10)) == 464_154
    normalisation = 2 * (16 * 11 + 32 * 10 + 64 * 10)  # γ and β after each of 31 convolutions
    assert count(resnet32((3, 32, 32), 10)) == 464_154 - normalisation // 2  # a bias in place of γ and β


def by_hand(weights, x, batch_norm, stages=(16, 32, 64), blocks=5):
    """Convolution by convolution, from the flat list of weights."""
    weights = iter(weights)

    def convolve(x, stride):
        if not batch_norm:
            return F.conv2d(x, next(weights), next(weights), stride=stride, padding=1)
        x = F.conv2d(x, next(weights), stride=stride, padding=1)
        return F.batch_norm(x, None, None, next(weights), next(weights), training=True)

    x = F.relu(convolve(x, 1))
    for channels in stages:
        for block in range(blocks):
            stride = 2 if channels > stages[0] and block == 0 else 1
            y = convolve(F.relu(convolve(x, stride)), 1)
            if stride == 2:
                zeros = torch.zeros_like(y[:, : channels // 4])
                x = torch.cat([zeros, F.avg_pool2d(x, 1, stride=2), zeros], dim=1)
            x = F.relu(x + y)
    return F.linear(x.mean(dim=(2, 3)), next(weights), next(weights))


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 9, 12)])
def test_forward_equals_another_implementation(batch_norm, shape):
    torch.manual_seed(0)
    model = (resnet32_bn if batch_norm else resnet32)(shape, 7).double()
    with torch.no_grad():  # away from the zeros and ones of the start
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    set_measuring(model)
    x = torch.randn(4, *shape, dtype=torch.float64)
    torch.testing.assert_close(model(x), by_hand(list(model.parameters()), x, batch_norm), rtol=1e-9, atol=1e-9)


def test_without_batch_norm_it_starts_as_its_shortcuts():
    torch.manual_seed(0)
    model = resnet32((3, 32, 32), 10)
    x = torch.randn(2, 3, 32, 32)
    start = torch.relu(model[0](x))
    after = model[:7](x)  # the convolution, its ReLU and the five blocks of the first stage
    torch.testing.assert_close(after, start)


@pytest.mark.parametrize("builder", [resnet32, resnet32_bn])
def test_it_can_be_measured(builder):
    """The mean curvature of single examples by forward mode is v·Hv by reverse mode."""
    torch.manual_seed(0)
    model = builder((3, 8, 8), 3).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    set_measuring(model)
    inputs, targets = torch.randn(5, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    h = Hessian(model, [(inputs, targets)])
    v = torch.randn_like(h.gradient)
    v /= v.norm()
    curvatures = per_example_curvature(model, v, inputs, targets, forward_mode)
    assert curvatures.mean().item() == pytest.approx((v @ h.matvec(v)).item(), rel=1e-9)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_k_h_and_curvature_against_dense_matrices(batch_norm, monkeypatch):
    """Two stages of one block, with two and four channels, against dense derivatives of the implementation above."""
    monkeypatch.setattr(module, "CHANNELS", (2, 4))
    monkeypatch.setattr(module, "BLOCKS", 1)
    torch.manual_seed(0)
    model = (resnet32_bn if batch_norm else resnet32)((1, 6, 6), 3).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    set_measuring(model)
    inputs, targets = torch.randn(8, 1, 6, 6, dtype=torch.float64), torch.arange(8) % 3
    shapes = [parameter.shape for parameter in model.parameters()]
    theta = torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()])

    def losses(theta, part):
        pieces = theta.split([shape.numel() for shape in shapes])
        weights = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]
        return F.cross_entropy(by_hand(weights, inputs[part], batch_norm, (2, 4), 1), targets[part], reduction="none")

    halves = [slice(0, 4), slice(4, 8)]
    batches = [(inputs[half], targets[half]) for half in halves]
    dense = sum(torch.autograd.functional.hessian(lambda t, h=half: losses(t, h).mean(), theta) for half in halves) / 2
    h = Hessian(model, batches)
    v = torch.randn_like(theta)
    torch.testing.assert_close(h.matvec(v), dense @ v, rtol=0, atol=1e-11 * float(dense.norm()))
    v = torch.linalg.eigh(dense).eigenvectors[:, -1]
    curvatures = torch.cat([per_example_curvature(model, v, *batch, forward_mode) for batch in batches])
    expected = torch.stack(
        [
            v @ torch.autograd.functional.vhp(lambda t, h=half, i=i: losses(t, h)[i], theta, v)[1]
            for half in halves
            for i in range(4)
        ]
    )
    torch.testing.assert_close(curvatures, expected, rtol=0, atol=1e-10 * float(expected.norm()))
    gradients = torch.stack(
        [torch.autograd.functional.jacobian(lambda t, h=half: losses(t, h).mean(), theta) for half in halves]
    )
    gram = mini_batch_gram(model, batches, memory_mb=100)
    torch.testing.assert_close(gram, gradients @ gradients.T, rtol=1e-9, atol=1e-12)
    if not batch_norm:
        rows = torch.autograd.functional.jacobian(lambda t: losses(t, slice(0, 8)), theta)
        gram = per_example_gram(model, inputs, targets, memory_mb=100)
        torch.testing.assert_close(gram, rows @ rows.T, rtol=1e-9, atol=1e-12)
