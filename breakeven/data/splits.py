"""What a loader returns: the inputs and labels of a data set, before any subset is drawn."""

from dataclasses import dataclass

import numpy as np

from breakeven.store.errors import UserError


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


def checked(splits: Splits, loader: str) -> Splits:
    """What ``loader`` returned, which must be as above."""
    if not isinstance(splits, Splits):
        raise UserError(f"loader '{loader}' returned a {type(splits).__name__}; allowed: breakeven.data.splits.Splits")
    for problem in (
        _problem(splits.train_inputs, splits.train_labels, splits),
        _problem(splits.test_inputs, splits.test_labels, splits),
    ):
        if problem:
            raise UserError(f"loader '{loader}' returned {problem}")
    shapes = splits.train_inputs.shape[1:], splits.test_inputs.shape[1:]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"loader '{loader}' returned training examples of shape {shapes[0]}, test examples of {shapes[1]}"
        )
    return splits


def _problem(inputs: np.ndarray, labels: np.ndarray, splits: Splits) -> str | None:
    """What is wrong with a training or test set, if anything is."""
    for array in (inputs, labels):
        if not isinstance(array, np.ndarray):
            return f"a {type(array).__name__}; allowed: an array of NumPy"
    if splits.words is None and (inputs.dtype != np.uint8 or inputs.ndim != 4):
        allowed = "uint8 of shape (examples, channels, height, width)"
        return f"pictures that are {inputs.dtype} of shape {inputs.shape}; allowed: {allowed}"
    if splits.words is not None and (inputs.dtype != np.int32 or inputs.ndim < 2):
        return f"texts that are {inputs.dtype} of shape {inputs.shape}; allowed: int32 of shape (examples, …, length)"
    if len(inputs) == 0 or labels.dtype != np.int64 or labels.shape != inputs.shape[:1]:
        wanted = f"int64 of shape ({len(inputs)},), one for each of at least one example"
        return f"labels that are {labels.dtype} of shape {labels.shape}; allowed: {wanted}"
    for numbers, count, words in ((labels, len(splits.classes), "labels"), (inputs, splits.words, "numbers of words")):
        if count is not None and not 0 <= numbers.min() <= numbers.max() < count:
            return f"{words} from {numbers.min()} to {numbers.max()}; allowed: 0 to {count - 1}"
    return None
