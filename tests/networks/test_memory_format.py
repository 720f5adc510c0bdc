"""Colours last in memory: the same outputs but for rounding, for the networks of the package on a CPU alone."""

import pytest
import torch

from breakeven.networks.memory_format import colours_last
from breakeven.networks.registry import builder

PICTURES = {
    "simple_cnn": ((1, 8, 8), {"channels": (4, 8)}),
    "simple_cnn_bn": ((3, 8, 8), {"channels": (4, 8), "dropout": 0.5}),
    "resnet32": ((3, 16, 16), {}),
    "resnet32_bn": ((3, 16, 16), {}),
    "mlp": ((1, 8, 8), {}),
    "densenet121": ((3, 64, 64), {}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_outputs_are_the_same(name):
    shape, options = PICTURES[name]
    torch.manual_seed(0)
    model = builder(name)(shape, 7, **options).double().eval()
    inputs = torch.randn(3, *shape, dtype=torch.float64)
    other = colours_last(inputs, name)
    assert torch.equal(other, inputs) and other.stride(1) == 1
    with torch.no_grad():
        torch.testing.assert_close(model(other), model(inputs), rtol=1e-10, atol=1e-10)


def test_convolutions_see_it_also_where_there_is_one_colour():
    convolution = torch.nn.Conv2d(1, 4, 3)
    assert convolution(colours_last(torch.randn(2, 1, 8, 8), "simple_cnn")).stride(1) == 1


def test_what_stays_as_it_is():
    pictures, words = torch.randn(2, 3, 4, 4), torch.ones(2, 5)
    assert colours_last(pictures, "my.py:network") is pictures  # whose code may flatten it by `view`
    assert colours_last(words, "mlp") is words
    assert colours_last(pictures.to("meta"), "simple_cnn").stride() == pictures.stride()
