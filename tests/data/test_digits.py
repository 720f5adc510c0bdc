import numpy as np
import pytest
from sklearn.datasets import load_digits

from breakeven.data.digits import load


def digits(test_fraction=0.2, seed=0):
    return load(test_fraction=test_fraction, seed=seed, train_examples=None, test_examples=None)


def pictures(images, labels):
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def test_every_digit_is_there_once():
    splits = digits()
    assert splits.train_inputs.shape == (1437, 1, 8, 8)
    assert splits.test_inputs.shape == (360, 1, 8, 8)
    assert splits.train_inputs.dtype == splits.test_inputs.dtype == np.uint8
    assert splits.train_labels.dtype == splits.test_labels.dtype == np.int64
    assert splits.classes == tuple("0123456789")
    source = load_digits()
    together = pictures(splits.train_inputs, splits.train_labels) + pictures(splits.test_inputs, splits.test_labels)
    assert sorted(together) == pictures(source.images.astype(np.uint8), source.target)


@pytest.mark.parametrize(("fraction", "test"), [(0.2, 360), (0.5, 899)])
def test_every_class_has_its_share(fraction, test):
    splits = digits(fraction)
    assert len(splits.test_labels) == test
    everywhere = np.bincount(load_digits().target)
    for labels in (splits.train_labels, splits.test_labels):
        share = everywhere * len(labels) / everywhere.sum()
        assert np.all(np.abs(np.bincount(labels) - share) <= 1)


def test_the_seed_draws_the_split():
    first, again, other = digits(seed=0), digits(seed=0), digits(seed=1)
    assert np.array_equal(first.test_inputs, again.test_inputs)
    assert not np.array_equal(first.test_inputs, other.test_inputs)
