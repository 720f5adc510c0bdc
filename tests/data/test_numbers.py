"""Inputs that are numbers, and labels that are: what a loader may return, and what is prepared of it."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from breakeven.data import prepare as module
from breakeven.data.dataset import load
from breakeven.data.prepare import prepare, statistics
from breakeven.data.splits import Splits
from breakeven.store.errors import UserError
from tests.config.example import edited, mistakes, plan_of

CPU = torch.device("cpu")
DRAWS = np.random.default_rng(0)
INPUTS = (DRAWS.normal(size=(30, 2, 5)) * 7 + 3).astype(np.float32)
LABELS = np.arange(30) % 3
NUMBERS = DRAWS.normal(size=(30, 2)).astype(np.float32)
OF_CLASSES = Splits(INPUTS[:20], LABELS[:20], INPUTS[20:], LABELS[20:], tuple("abc"))
TO_PREDICT = Splits(INPUTS[:20], NUMBERS[:20], INPUTS[20:], NUMBERS[20:], ())


def returning(monkeypatch, splits):
    monkeypatch.setattr(module, "loader", lambda name: lambda: splits)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (1, 3, 4), (2, 2, 2, 2)])
def test_numbers_of_any_shape_are_kept_as_they_are(tmp_path, monkeypatch, shape):
    inputs = DRAWS.normal(size=(30, *shape)).astype(np.float32)
    returning(monkeypatch, replace(OF_CLASSES, train_inputs=inputs[:20], test_inputs=inputs[20:]))
    prepare({"loader": "own.py:load"}, tmp_path)
    arrays = load_file(tmp_path / "data.safetensors")
    np.testing.assert_array_equal(arrays["train_inputs"], inputs[:20], strict=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["inputs"], manifest["input_shape"]) == ("numbers", list(shape))
    assert (manifest["mean"], manifest["std"], manifest["train_class_counts"]) == ([], [], [7, 7, 6])
    dataset = load(tmp_path, CPU)
    for dtype in (torch.float32, torch.float64):
        assert torch.equal(dataset.inputs(dataset.test_inputs, dtype), torch.from_numpy(inputs[20:]).to(dtype))
    assert (dataset.input_shape, dataset.classes, dataset.predicts_numbers) == (shape, 3, False)


def test_standardised(tmp_path, monkeypatch):
    """By the examples that are trained on; a number that is constant becomes 0."""
    constant = INPUTS.copy()
    constant[:, 1, 2] = 4
    splits = replace(OF_CLASSES, train_inputs=constant[:20], test_inputs=constant[20:], standardise=True)
    returning(monkeypatch, splits)
    prepare({"loader": "own.py:load", "validation_fraction": 0.25}, tmp_path)
    dataset = load(tmp_path, CPU)
    assert dataset.train_inputs.dtype == torch.float32 and set(dataset.train_inputs[:, 1, 2].tolist()) == {4.0}
    mean, std = dataset.train_inputs.double().mean(dim=0), dataset.train_inputs.double().std(dim=0, correction=0)
    std[1, 2] = 1
    for raw in (dataset.train_inputs, dataset.validation_inputs, dataset.test_inputs):
        torch.testing.assert_close(dataset.inputs(raw, torch.float64), (raw - mean) / std, rtol=1e-10, atol=1e-10)
    assert len(dataset.validation_inputs) == 5


def test_statistics_of_more_than_fits_at_once(monkeypatch):
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 30)
    mean, std = statistics(INPUTS)
    np.testing.assert_allclose(mean, INPUTS.mean(axis=0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(std, INPUTS.std(axis=0, dtype=np.float64), rtol=1e-12)


@pytest.mark.parametrize("columns", [None, 1, 2])
def test_numbers_to_predict(tmp_path, monkeypatch, columns):
    labels = NUMBERS[:, 0] if columns is None else NUMBERS[:, :columns]
    returning(monkeypatch, replace(TO_PREDICT, train_labels=labels[:20], test_labels=labels[20:]))
    prepare({"loader": "own.py:load"}, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["classes"], manifest["outputs"]) == ([], columns or 1)
    assert "train_class_counts" not in manifest
    dataset = load(tmp_path, CPU)
    assert (dataset.classes, dataset.predicts_numbers) == (columns or 1, True)
    np.testing.assert_array_equal(dataset.test_labels, labels[20:].reshape(10, -1))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            replace(OF_CLASSES, train_inputs=INPUTS[:20].astype(np.float64)),
            "training pictures that are float64 of shape (20, 2, 5); allowed: uint8 of shape (examples, channels, height, "
            "width), or float32 of shape (examples, …)",
        ),
        (
            replace(OF_CLASSES, test_inputs=INPUTS[20:].astype(np.float64)),
            "test numbers that are float64 of shape (10, 2, 5); allowed: float32 of shape (examples, …), at least two axes",
        ),
        (
            replace(OF_CLASSES, train_inputs=INPUTS[:20, 0, 0]),
            "training numbers that are float32 of shape (20,); allowed",
        ),
        (
            replace(OF_CLASSES, test_inputs=np.where(INPUTS[20:] > 9, np.nan, INPUTS[20:])),
            "test numbers that are float32 of shape (10, 2, 5), some of which are not finite; allowed: finite ones",
        ),
        (
            replace(OF_CLASSES, standardise=3),
            "standardise=3 with numbers; allowed: True or False for inputs of float32",
        ),
        (
            replace(OF_CLASSES, train_inputs=np.zeros((20, 5), np.int32), words=3, standardise=True),
            "standardise=True with texts; allowed: True or False for inputs of float32, else False",
        ),
        (replace(OF_CLASSES, classes=()), "the classes (); allowed: a tuple of at least two different names"),
        (
            replace(TO_PREDICT, classes=tuple("ab")),
            "training labels that are float32 of shape (20, 2); allowed: int64 of shape (20,)",
        ),
        (
            replace(TO_PREDICT, test_labels=LABELS[20:]),
            "test numbers to predict that are int64 of shape (10,); allowed: float32 of shape (10,) or (10, outputs)",
        ),
        (
            replace(TO_PREDICT, test_labels=NUMBERS[:3]),
            "test numbers to predict that are float32 of shape (3, 2); allowed",
        ),
        (
            replace(TO_PREDICT, test_labels=NUMBERS[20:].tolist()),
            "test numbers to predict of type list; allowed: an array",
        ),
        (
            replace(TO_PREDICT, train_labels=NUMBERS[:20] / 0),
            "are float32 of shape (20, 2), some of which are not finite",
        ),
        (
            replace(TO_PREDICT, test_labels=NUMBERS[20:, 0]),
            "different counts of numbers to predict: 2 of training, 1 of test; allowed: one count",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_mistakes(tmp_path, monkeypatch, returned, message):
    returning(monkeypatch, returned)
    with pytest.raises(UserError, match=f"^loader 'own.py:load' returned .*{re.escape(message)}"):
        prepare({"loader": "own.py:load"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


OWN = """import numpy as np
from breakeven.data.splits import Splits

def load(*, examples: int = 50):
    draws = np.random.default_rng(0)
    x = draws.normal(size=(examples, 4)).astype(np.float32)
    y = np.sin(x[:, 0]) + x[:, 1]
    return Splits(x[:40], y[:40], x[40:], y[40:], classes=(), standardise=True)
"""


def test_in_a_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_numbers.py").write_text(OWN, encoding="utf-8")
    own = "{loader: 'own_numbers.py:load', options: {examples: 60}, validation_fraction: 0.25}"
    text = edited(("{loader: digits}", own), ("network: simple_cnn", "network: mlp"))
    [use] = plan_of(tmp_path, text).datasets.values()
    prepare(dict(use.spec), tmp_path / "data", dict(use.location))
    dataset = load(tmp_path / "data", CPU, dict(use.spec))
    assert (dataset.input_shape, len(dataset.train_labels), len(dataset.validation_labels)) == ((4,), 30, 10)
    assert dataset.predicts_numbers and len(dataset.test_labels) == 20
    wrong = text.replace("validation_fraction: 0.25", "validation_fraction: yes")
    assert mistakes(tmp_path, wrong) == [
        "datasets.digits.validation_fraction: 'yes' is not a number or null; allowed: a number above 0 and below 1 or null"
    ]
