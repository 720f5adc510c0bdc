import math

import numpy as np
import pytest
import torch
from torch import nn

from breakeven.data.dataset import load
from breakeven.networks.batch_norm import BatchNorm2d
from breakeven.training import evaluation
from tests.tiny import tiny_dataset, tiny_splits


@pytest.fixture
def dataset(tmp_path):
    return load(tiny_dataset(tmp_path), torch.device("cpu"))


def network(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2 * 8 * 6, 3)).double()


def by_hand(model, images, labels):
    """Softmax regression on normalised pixels, in NumPy."""
    pixels = tiny_splits().train_inputs.astype(np.float64)
    mean, std = pixels.mean(axis=(0, 2, 3), keepdims=True), pixels.std(axis=(0, 2, 3), keepdims=True)
    weight, bias = (parameter.detach().numpy() for parameter in model[-1].parameters())
    outputs = ((images - mean) / std).reshape(len(images), -1) @ weight.T + bias
    losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(labels)), labels]
    return losses.mean(), (outputs.argmax(axis=1) == labels).mean()


@pytest.mark.parametrize("chunk", [1000, 43, 7])
def test_loss_and_accuracy(dataset, monkeypatch, chunk):
    """Every example counts the same, also in a short last chunk."""
    monkeypatch.setattr(evaluation, "EXAMPLES", chunk)
    model, splits = network(), tiny_splits()
    train, test = evaluation.evaluate(model, "mlp", dataset, 15, 3.0)
    for row, split, images, labels in (
        (train, "train", splits.train_inputs, splits.train_labels),
        (test, "test", splits.test_inputs, splits.test_labels),
    ):
        loss, accuracy = by_hand(model, images, labels)
        assert (row.step, row.epoch, row.split) == (15, 3.0, split)
        assert math.isclose(row.loss, loss, rel_tol=1e-12)
        assert row.accuracy == accuracy


def test_the_evaluated_examples_stand_for_the_training_set(dataset):
    chosen = torch.tensor([3, 5, 8])
    object.__setattr__(dataset, "evaluated", chosen)
    model, splits = network(), tiny_splits()
    loss, accuracy = by_hand(model, splits.train_inputs[chosen], splits.train_labels[chosen])
    row = evaluation.evaluate(model, "mlp", dataset, 0, 0.0)[0]
    assert math.isclose(row.loss, loss, rel_tol=1e-12)
    assert row.accuracy == accuracy


def test_evaluation_mode(dataset):
    """No dropout; running averages, which at first change nothing but eps, and stay as they are."""
    plain, regularised = network(), network(nn.Dropout(0.9), BatchNorm2d(2, eps=0.0))
    regularised[-1].load_state_dict(plain[-1].state_dict())
    regularised.train()
    expected, found = (evaluation.evaluate(model, "mlp", dataset, 0, 0.0) for model in (plain, regularised))
    for first, second in zip(expected, found, strict=True):
        assert math.isclose(first.loss, second.loss, rel_tol=1e-12)
        assert first.accuracy == second.accuracy
    assert regularised[1].running_mean.tolist() == [0, 0]
    assert all(parameter.grad is None for parameter in regularised.parameters())
