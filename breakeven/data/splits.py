"""What a loader returns: the inputs and labels of a data set, before any subset is drawn."""

import reprlib
from dataclasses import dataclass, replace

import numpy as np

from breakeven.store.errors import UserError, some
from breakeven.store.progress import say

CHANNELS = (1, 3, 4)  # of grey, RGB, and RGB with transparency
PLAIN = "an array of NumPy, without a mask"


@dataclass(frozen=True)
class Splits:
    """A data set in memory, or mapped into it from a file.

    ``train_inputs``, ``test_inputs``: pictures as uint8, (examples, channels, height, width); or texts as int32 numbers of
    words, (examples, …, length), below ``words``, the size of their vocabulary, which is None for pictures.
    ``train_labels``, ``test_labels``: int64, (examples,), from 0 to len(classes) − 1; ``classes``: their names, at least two.
    ``validation_inputs``, ``validation_labels``: a validation set of the same form; both are None where there is none.
    """

    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    words: int | None = None
    validation_inputs: np.ndarray | None = None
    validation_labels: np.ndarray | None = None

    @property
    def validation(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The validation set, if there is one."""
        if self.validation_inputs is None or self.validation_labels is None:
            return None
        return self.validation_inputs, self.validation_labels


def checked(splits: Splits, loader: str) -> Splits:
    """What ``loader`` returned, which must be as above; ``classes`` may be a list. Tells which classes are never trained on."""
    if not isinstance(splits, Splits):
        raise UserError(f"loader '{loader}' returned a {type(splits).__name__}; allowed: breakeven.data.splits.Splits")
    problem = _problem(splits)
    if problem:
        raise UserError(f"loader '{loader}' returned {problem}")
    classes = tuple(str(name) for name in splits.classes)
    counts = np.bincount(splits.train_labels, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        say(f"loader '{loader}' has no training example of {len(absent)} of {len(classes)} classes: {some(absent)}")
    return replace(splits, classes=classes, words=None if splits.words is None else int(splits.words))


def _problem(splits: Splits) -> str | None:
    """What is wrong, if anything is."""
    classes, words = splits.classes, splits.words
    names = classes if isinstance(classes, tuple | list) else ()
    if len(names) < 2 or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return f"the classes {reprlib.repr(classes)}; allowed: a tuple of at least two different names"
    if words is not None and (not isinstance(words, int | np.integer) or isinstance(words, bool) or words < 1):
        return f"words={words!r}; allowed: None for pictures, for texts the size of their vocabulary, an integer from 1"
    if (splits.validation_inputs is None) != (splits.validation_labels is None):
        given, missing = ("inputs", "labels") if splits.validation_labels is None else ("labels", "inputs")
        return f"validation_{given} without validation_{missing}; allowed: both, or neither"
    parts = {"training": (splits.train_inputs, splits.train_labels), "test": (splits.test_inputs, splits.test_labels)}
    if splits.validation is not None:
        parts["validation"] = splits.validation
    for split, (inputs, labels) in parts.items():
        problem = _problem_of_inputs(inputs, words) or _problem_of_labels(labels, len(inputs), len(classes))
        if problem:
            return f"{split} {problem}"
    shape = splits.train_inputs.shape[1:]
    other = [(split, inputs.shape[1:]) for split, (inputs, _) in parts.items() if inputs.shape[1:] != shape]
    return f"training examples of shape {shape}, {other[0][0]} examples of {other[0][1]}" if other else None


def _problem_of_inputs(inputs: np.ndarray, words: int | None) -> str | None:
    what = "pictures" if words is None else "texts"
    if not _is_plain(inputs):
        return f"{what} of type {type(inputs).__name__}; allowed: {PLAIN}"
    found = f"{what} that are {inputs.dtype} of shape {inputs.shape}"
    if words is None and (inputs.dtype != np.uint8 or inputs.ndim != 4):
        return f"{found}; allowed: uint8 of shape (examples, channels, height, width)"
    if words is not None and (inputs.dtype != np.int32 or inputs.ndim < 2):
        return f"{found}; allowed: int32 of shape (examples, …, length)"
    if 0 in inputs.shape:
        return f"{found}; allowed: at least one example, and none that is empty"
    if words is None and _channels_are_last(inputs.shape):
        order = "(examples, height, width, channels)"
        return (
            f"{found}, which looks like {order}; allowed: (examples, channels, height, width): .transpose(0, 3, 1, 2)"
        )
    return None if words is None else _problem_of_range(inputs, words, "numbers of words")


def _problem_of_labels(labels: np.ndarray, examples: int, classes: int) -> str | None:
    if not _is_plain(labels):
        return f"labels of type {type(labels).__name__}; allowed: {PLAIN}"
    if labels.dtype != np.int64 or labels.ndim != 1:
        return f"labels that are {labels.dtype} of shape {labels.shape}; allowed: int64 of shape ({examples},)"
    if len(labels) != examples:
        return f"labels that are {len(labels)} for {examples} examples; allowed: one for each"
    return _problem_of_range(labels, classes, "labels")


def _problem_of_range(numbers: np.ndarray, count: int, what: str) -> str | None:
    least, largest = numbers.min(), numbers.max()
    return None if least >= 0 and largest < count else f"{what} from {least} to {largest}; allowed: 0 to {count - 1}"


def _is_plain(array: object) -> bool:
    return isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)


def _channels_are_last(shape: tuple[int, ...]) -> bool:
    """Whether these are rather pictures of 1, 3 or 4 channels, than pictures that are so narrow and have as many channels."""
    _, first, second, last = shape
    return last in CHANNELS and first not in CHANNELS and min(first, second) > last
