"""Validation sets: a share of the training set, or what a loader returns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from breakeven.data import prepare as module
from breakeven.data.arrays import rows
from breakeven.data.dataset import load
from breakeven.data.prepare import prepare
from breakeven.store.errors import UserError
from tests.tiny import TRAIN, tiny_splits


def prepared(folder, **options):
    prepare({"loader": "digits"} | options, folder)
    return load_file(folder / "data.safetensors"), json.loads((folder / "manifest.json").read_text())


def examples(arrays, *splits):
    pairs = [zip(arrays[f"{split}_inputs"], arrays[f"{split}_labels"], strict=True) for split in splits]
    return sorted((image.tobytes(), int(label)) for each in pairs for image, label in each)


def test_a_share_of_the_training_set(tmp_path):
    """Nothing is lost or in both; K and H are measured on the rest, of which pictures are normalised, too."""
    whole, before = prepared(tmp_path / "whole")
    held, manifest = prepared(tmp_path / "held", validation_fraction=0.25)
    assert len(held["validation_labels"]) == 359 and len(held["train_labels"]) == 1437 - 359  # 359.25
    assert examples(held, "train", "validation") == examples(whole, "train")
    assert examples(held, "test") == examples(whole, "test")
    assert held["measured"].max() < 1078 and len(held["measured"]) == 54 == manifest["measured_examples"]  # 5 %
    assert np.array_equal(held["evaluated"], np.arange(1078))
    counts = [manifest[f"{split}_class_counts"] for split in ("train", "validation")]
    assert np.array_equal(np.sum(counts, axis=0), before["train_class_counts"])
    assert counts[1] == np.bincount(held["validation_labels"]).tolist()
    np.testing.assert_allclose(manifest["mean"], [held["train_inputs"].mean()], rtol=1e-12)
    assert manifest["mean"] != before["mean"]
    assert not any("validation" in name for name in [*whole, *before])


def test_it_is_drawn_once_with_the_seed_of_the_data_set(tmp_path):
    first, again, other = (
        prepared(tmp_path / name, validation_fraction=0.1, **options)[0]
        for name, options in (("a", {}), ("b", {"measured_fraction": 0.5}), ("c", {"seed": 1}))
    )
    assert examples(first, "validation") == examples(again, "validation") != examples(other, "validation")


def test_of_a_subset(tmp_path):
    subset, _ = prepared(tmp_path / "a", train_examples=100)
    held, _ = prepared(tmp_path / "b", train_examples=100, validation_fraction=0.2)
    assert (len(held["train_labels"]), len(held["validation_labels"])) == (80, 20)
    assert examples(held, "train", "validation") == examples(subset, "train")


def test_a_share_that_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match=r"validation_fraction 0\.97 leaves none of 10 examples to train on"):
        prepared(tmp_path, train_examples=10, validation_fraction=0.97)
    assert list(tmp_path.iterdir()) == []


SPLITS = tiny_splits()
GIVEN = replace(SPLITS, validation_inputs=SPLITS.test_inputs[:5], validation_labels=SPLITS.test_labels[:5])


def test_that_of_a_loader(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "loader", lambda name: lambda: GIVEN)
    prepare({"loader": "own.py:load"}, tmp_path)
    dataset = load(tmp_path, torch.device("cpu"))
    assert list(dataset.evaluated_splits) == ["train", "test", "validation"]
    inputs, labels = dataset.evaluated_splits["validation"]
    np.testing.assert_array_equal(inputs, GIVEN.validation_inputs)
    np.testing.assert_array_equal(labels, GIVEN.validation_labels)
    assert len(dataset.train_labels) == TRAIN


def test_it_is_given_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "loader", lambda name: lambda: GIVEN)
    message = (
        "^loader 'own.py:load' returned a validation set, and the data set's 'validation_fraction' is 0.5: "
        "give one of the two$"
    )
    with pytest.raises(UserError, match=message):
        prepare({"loader": "own.py:load", "validation_fraction": 0.5}, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_inputs": None}, "validation_labels without validation_inputs; allowed: both, or neither"),
        ({"validation_labels": None}, "validation_inputs without validation_labels; allowed: both, or neither"),
        ({"validation_inputs": GIVEN.validation_inputs / 2}, "validation pictures that are float64 of shape"),
        ({"validation_labels": GIVEN.validation_labels[:4]}, "validation labels that are 4 for 5 examples"),
        ({"validation_labels": GIVEN.validation_labels + 3}, r"validation labels from \d to \d; allowed: 0 to 2"),
        (
            {"validation_inputs": GIVEN.validation_inputs[:, :, 1:]},
            r"training examples of shape \(2, 8, 6\), validation examples of \(2, 7, 6\)",
        ),
    ],
)
def test_what_is_none(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(module, "loader", lambda name: lambda: replace(GIVEN, **changes))
    with pytest.raises(UserError, match=f"^loader 'own.py:load' returned {message}"):
        prepare({"loader": "own.py:load"}, tmp_path)


def test_rows_of_a_mapped_array_are_mapped(tmp_path):
    mapped = np.memmap(tmp_path / "mapped", np.float32, "w+", shape=(30, 2, 3))
    mapped[:] = np.random.default_rng(0).normal(size=mapped.shape)
    chosen = np.array([3, 4, 29])
    taken = rows(mapped, chosen)
    assert isinstance(taken, np.memmap) and taken.filename != mapped.filename and taken.dtype == np.float32
    np.testing.assert_array_equal(taken, np.array(mapped)[chosen])
    assert not isinstance(rows(np.array(mapped), chosen), np.memmap)
