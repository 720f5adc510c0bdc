"""What a loader returns: the inputs and labels of a data set, before any subset is drawn."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Splits:
    """A data set in memory, or mapped into it from a file.

    ``train_inputs``, ``test_inputs``: pictures as uint8, (examples, channels, height, width); or texts as int32 numbers of
    words, (examples, …, length), below ``words``, the size of their vocabulary, which is None for pictures.
    ``train_labels``, ``test_labels``: int64, (examples,), from 0 to len(classes) − 1; ``classes``: their names.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    words: int | None = None
