import torch
from torch.nn import functional as F

from breakeven.networks.mlp import mlp


def test_parameters_of_lenet_300_100():
    assert sum(parameter.numel() for parameter in mlp((1, 28, 28), 10).parameters()) == 266_610


def test_forward_by_hand():
    torch.manual_seed(0)
    model = mlp((2, 3, 4), 5, hidden=(7,)).double()
    x = torch.randn(6, 2, 3, 4, dtype=torch.float64)
    w1, b1, w2, b2 = model.parameters()
    assert not b1.any() and not b2.any()
    torch.testing.assert_close(model(x), F.relu(x.reshape(6, -1) @ w1.T + b1) @ w2.T + b2)


def test_without_hidden_layers_it_is_softmax_regression():
    assert [parameter.shape for parameter in mlp((1, 2, 2), 3, hidden=()).parameters()] == [(3, 4), (3,)]


def test_dropout_after_each_hidden_layer():
    kinds = [type(layer).__name__ for layer in mlp((1, 2, 2), 3, hidden=(5, 4), dropout=0.5)]
    assert kinds == ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]
