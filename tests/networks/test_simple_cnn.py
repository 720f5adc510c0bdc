import math
from itertools import pairwise

import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, cross_entropy, max_pool2d

from breakeven.networks.simple_cnn import simple_cnn, simple_cnn_bn


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def count_by_hand(shape, classes, channels, dense, batch_norm):
    """Kernels of 3×3 and a bias, two convolutions per stage; γ and β for each; the two dense layers."""
    depth, height, width = shape
    total = 0
    for new in channels:
        total += 9 * depth * new + new + 9 * new * new + new + (4 * new if batch_norm else 0)
        depth, height, width = new, height // 2, width // 2
    return total + depth * height * width * dense + dense + dense * classes + classes


def test_parameters_on_cifar10():
    assert count(simple_cnn((3, 32, 32), 10)) == 591_274
    assert (
        count(simple_cnn((3, 32, 32), 10, dense=512)) == 2_168_362
    )  # the Keras example's width, 'same' padding throughout
    assert count(simple_cnn_bn((3, 32, 32), 10)) == 591_274 + 2 * (32 + 32 + 64 + 64)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14)])
@pytest.mark.parametrize(("channels", "dense"), [((4,), 3), ((2, 5, 3), 7)])
def test_parameters(shape, channels, dense):
    for builder, normalised in ((simple_cnn, False), (simple_cnn_bn, True)):
        model = builder(shape, 6, channels=channels, dense=dense)
        assert count(model) == count_by_hand(shape, 6, channels, dense, normalised)


def forward(model, x, normalised):
    """The network written out in functions, from the tensors in their order: two stages, two dense layers."""
    tensors = iter(model.parameters())
    for _ in range(2):
        for _ in range(2):
            x = conv2d(x, next(tensors), next(tensors), padding=1)
            if normalised:
                x = batch_norm(x, None, None, next(tensors), next(tensors), training=True)
            x = x.clamp(min=0)
        x = max_pool2d(x, 2)
    x = (x.reshape(len(x), -1) @ next(tensors).T + next(tensors)).clamp(min=0)
    x = x @ next(tensors).T + next(tensors)
    assert next(tensors, None) is None
    return x


@pytest.mark.parametrize("normalised", [False, True])
def test_forward_and_gradient(normalised):
    torch.manual_seed(0)
    model = (simple_cnn_bn if normalised else simple_cnn)((2, 9, 7), 5, channels=(3, 4), dense=6).double()
    x, targets = torch.randn(8, 2, 9, 7, dtype=torch.float64), torch.randint(0, 5, (8,))
    parameters = list(model.parameters())
    for parameter in parameters:
        torch.nn.init.normal_(parameter)  # biases, γ and β as well
    outputs = [model(x), forward(model, x, normalised)]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    assert outputs[0].shape == (8, 5)
    gradients = [torch.autograd.grad(cross_entropy(output, targets), parameters) for output in outputs]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("builder", [simple_cnn, simple_cnn_bn])
def test_weights_start_as_those_of_keras(builder):
    """Glorot uniform: within ±sqrt(6 / (inputs + outputs)), a kernel counting nine times; biases are zero."""
    torch.manual_seed(0)
    model = builder((3, 16, 16), 10, channels=(16, 32), dense=64)
    for layer in model:
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            outputs, inputs, *kernel = layer.weight.shape
            bound = math.sqrt(6 / ((inputs + outputs) * math.prod(kernel)))
            assert 0.95 * bound < layer.weight.abs().max() <= bound
            assert math.isclose(layer.weight.std().item(), bound / math.sqrt(3), rel_tol=0.1)
            assert not layer.bias.any()


def test_a_convolution_by_hand():
    """One pixel of the first layer, as a sum in plain Python: the kernel isn't flipped, the border is zeros."""
    torch.manual_seed(0)
    model = simple_cnn((1, 4, 4), 2, channels=(1,), dense=2).double()
    torch.nn.init.constant_(model[0].bias, 0.3)
    kernel, bias = (tensor.tolist() for tensor in list(model.parameters())[:2])
    x = torch.rand(1, 1, 4, 4, dtype=torch.float64)
    for row, column in ((0, 0), (1, 2), (3, 3)):
        total = bias[0]
        for i in range(3):
            for j in range(3):
                y, z = row + i - 1, column + j - 1
                if 0 <= y < 4 and 0 <= z < 4:
                    total += kernel[0][0][i][j] * x[0, 0, y, z].item()
        assert math.isclose(model[0](x)[0, 0, row, column].item(), total, rel_tol=1e-12)


@pytest.mark.parametrize("builder", [simple_cnn, simple_cnn_bn])
def test_dropout_after_each_pooling_and_before_the_output(builder):
    kinds = [type(layer).__name__ for layer in builder((3, 16, 16), 10, dropout=0.3)]
    after = [before for before, kind in pairwise(kinds) if kind == "Dropout"]
    assert after == ["MaxPool2d", "MaxPool2d", "ReLU"] and kinds[-2:] == ["Dropout", "Linear"]
    assert [kind for kind in kinds if kind != "Dropout"] == [type(layer).__name__ for layer in builder((3, 16, 16), 10)]
