"""scikit-learn's digits: 1,797 pictures of 8×8 in one channel, ten classes. Ships with scikit-learn, needs no download."""

from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from breakeven.data.splits import Splits


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    # the bounds leave an example of each of the ten classes in both sets
    test_fraction: Annotated[
        float, Ge(0.00501), Le(0.9944), "Share of the images that is held out as the test set."
    ] = 0.2,
) -> Splits:
    """Split the digits into train and test with ``seed``, stratified by class; all of them. Pixel values are 0 to 16."""
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    train_inputs, test_inputs, train_labels, test_labels = train_test_split(
        images, labels, test_size=test_fraction, random_state=seed, stratify=labels
    )
    return Splits(
        train_inputs, train_labels, test_inputs, test_labels, tuple(str(name) for name in digits.target_names)
    )
