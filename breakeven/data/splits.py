"""What a loader returns: the pictures and labels of a data set, before any subset is drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Splits:
    """A data set in memory.

    ``train_images``, ``test_images``: uint8, (examples, channels, height, width); ``train_labels``, ``test_labels``:
    int64, (examples,), from 0 to len(classes) − 1; ``classes``: their names.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
