import pytest
import torch
from torch import nn
from torch.nn import functional as F

from breakeven.spectra.convolution import fast_convolutions


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CASES = {
    "plain": {},
    "padded": {"padding": 1},
    "strided": {"stride": 2, "padding": (1, 0)},
    "dilated": {"dilation": (1, 2)},
    "grouped": {"groups": 2},
    "same": {"padding": "same"},
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("bias", [True, False])
def test_first_and_second_derivatives_by_finite_differences(name, bias):
    options = CASES[name]
    x, w = draw(2, 4, 5, 6), draw(4, 4 // options.get("groups", 1), 2, 3, seed=1)
    inputs = [x, w, *([draw(4, seed=2)] if bias else [])]
    for tensor in inputs:
        tensor.requires_grad_()

    def convolve(*tensors):
        with fast_convolutions():
            return F.conv2d(*tensors, **options)

    assert torch.equal(convolve(*inputs), F.conv2d(*inputs, **options))
    assert torch.autograd.gradcheck(convolve, inputs)
    assert torch.autograd.gradgradcheck(convolve, inputs)


@pytest.mark.parametrize("constant", [0, 1])
def test_where_only_one_of_the_two_moves(constant):
    inputs = [draw(2, 3, 4, 4), draw(2, 3, 3, 3, seed=1)]
    inputs[1 - constant].requires_grad_()

    def convolve(*tensors):
        with fast_convolutions():
            return F.conv2d(*tensors).square()

    assert torch.autograd.gradcheck(convolve, inputs) and torch.autograd.gradgradcheck(convolve, inputs)


def test_modules_use_them_inside_of_the_block_alone():
    layer = nn.Conv2d(2, 3, 3)
    picture = torch.zeros(1, 2, 5, 5)
    with fast_convolutions():
        inside = layer(picture)
    assert "_Convolution" in type(inside.grad_fn).__name__
    assert "_Convolution" not in type(layer(picture).grad_fn).__name__
