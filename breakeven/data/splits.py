"""What a loader returns: the inputs and labels of a data set, before any subset is drawn."""

import reprlib
from dataclasses import dataclass, replace

import numpy as np

from breakeven.store.errors import UserError, some
from breakeven.store.progress import say

CHANNELS = (1, 3, 4)  # of grey, RGB, and RGB with transparency
PLAIN = "an array of NumPy, without a mask"
PIECE = 1000  # examples


@dataclass(frozen=True)
class Splits:
    """A data set in memory, or mapped into it from a file.

    ``train_inputs``, ``test_inputs``: pictures as uint8, (examples, channels, height, width), which are normalised; texts as
    int32 numbers of words, (examples, …, length), below ``words``, the size of their vocabulary, which is None for others; or
    numbers as float32, (examples, …), which go to the network as they are, or, with ``standardise``, each minus its mean and
    divided by its standard deviation over the training examples.
    ``train_labels``, ``test_labels``: int64, (examples,), from 0 to len(classes) − 1; ``classes``: their names, at least two. Or
    numbers to predict, float32, (examples,) or (examples, outputs), by the squared loss: then ``classes`` is ().
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
    standardise: bool = False

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
    if len(splits.classes) == 0:
        return _with_columns(splits)
    classes = tuple(str(name) for name in splits.classes)
    counts = np.bincount(splits.train_labels, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        say(f"loader '{loader}' has no training example of {len(absent)} of {len(classes)} classes: {some(absent)}")
    return replace(splits, classes=classes, words=None if splits.words is None else int(splits.words))


def _with_columns(splits: Splits) -> Splits:
    """Numbers to predict as (examples, outputs)."""
    columns = {
        name: labels.reshape(len(labels), -1)
        for name in ("train_labels", "test_labels", "validation_labels")
        if (labels := getattr(splits, name)) is not None
    }
    return replace(splits, classes=(), words=None if splits.words is None else int(splits.words), **columns)


def _problem(splits: Splits) -> str | None:
    """What is wrong, if anything is."""
    classes, words = splits.classes, splits.words
    names = classes if isinstance(classes, tuple | list) else ()
    to_predict = isinstance(classes, tuple | list) and not names and _dtype(splits.train_labels) == np.float32
    if not to_predict and (
        len(names) < 2 or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names)
    ):
        return f"the classes {reprlib.repr(classes)}; allowed: a tuple of at least two different names"
    if words is not None and (not isinstance(words, int | np.integer) or isinstance(words, bool) or words < 1):
        return f"words={words!r}; allowed: None for pictures, for texts the size of their vocabulary, an integer from 1"
    if (splits.validation_inputs is None) != (splits.validation_labels is None):
        given, missing = ("inputs", "labels") if splits.validation_labels is None else ("labels", "inputs")
        return f"validation_{given} without validation_{missing}; allowed: both, or neither"
    kind = "texts" if words is not None else "numbers" if _dtype(splits.train_inputs) == np.float32 else "pictures"
    if not isinstance(splits.standardise, bool) or (splits.standardise and kind != "numbers"):
        return (
            f"standardise={splits.standardise!r} with {kind}; allowed: True or False for inputs of float32, else False"
        )
    parts = {"training": (splits.train_inputs, splits.train_labels), "test": (splits.test_inputs, splits.test_labels)}
    if splits.validation is not None:
        parts["validation"] = splits.validation
    for split, (inputs, labels) in parts.items():
        problem = _problem_of_inputs(inputs, kind, words)
        problem = problem or (
            _problem_of_numbers(labels, len(inputs))
            if to_predict
            else _problem_of_labels(labels, len(inputs), len(classes))
        )
        if problem:
            return f"{split} {problem}"
    if to_predict:
        outputs = {split: labels.reshape(len(labels), -1).shape[1] for split, (_, labels) in parts.items()}
        if len(set(outputs.values())) > 1:
            told = ", ".join(f"{count} of {split}" for split, count in outputs.items())
            return f"different counts of numbers to predict: {told}; allowed: one count"
    shape = splits.train_inputs.shape[1:]
    other = [(split, inputs.shape[1:]) for split, (inputs, _) in parts.items() if inputs.shape[1:] != shape]
    return f"training examples of shape {shape}, {other[0][0]} examples of {other[0][1]}" if other else None


def _problem_of_inputs(inputs: np.ndarray, kind: str, words: int | None) -> str | None:
    if not _is_plain(inputs):
        return f"{kind} of type {type(inputs).__name__}; allowed: {PLAIN}"
    found = f"{kind} that are {inputs.dtype} of shape {inputs.shape}"
    if kind == "pictures" and (inputs.dtype != np.uint8 or inputs.ndim != 4):
        return (
            f"{found}; allowed: uint8 of shape (examples, channels, height, width), or float32 of shape (examples, …)"
        )
    if kind == "texts" and (inputs.dtype != np.int32 or inputs.ndim < 2):
        return f"{found}; allowed: int32 of shape (examples, …, length)"
    if kind == "numbers" and (inputs.dtype != np.float32 or inputs.ndim < 2):
        return f"{found}; allowed: float32 of shape (examples, …), at least two axes"
    if 0 in inputs.shape:
        return f"{found}; allowed: at least one example, and none that is empty"
    if kind == "pictures" and _channels_are_last(inputs.shape):
        order = "(examples, height, width, channels)"
        return (
            f"{found}, which looks like {order}; allowed: (examples, channels, height, width): .transpose(0, 3, 1, 2)"
        )
    if kind == "numbers" and not _all_finite(inputs):
        return f"{found}, some of which are not finite; allowed: finite ones"
    return None if words is None else _problem_of_range(inputs, words, "numbers of words")


def _problem_of_numbers(labels: np.ndarray, examples: int) -> str | None:
    if not _is_plain(labels):
        return f"numbers to predict of type {type(labels).__name__}; allowed: {PLAIN}"
    found = f"numbers to predict that are {labels.dtype} of shape {labels.shape}"
    if labels.dtype != np.float32 or labels.ndim not in (1, 2) or len(labels) != examples or 0 in labels.shape:
        return f"{found}; allowed: float32 of shape ({examples},) or ({examples}, outputs)"
    return None if _all_finite(labels) else f"{found}, some of which are not finite; allowed: finite ones"


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


def _dtype(array: object) -> np.dtype | None:
    return array.dtype if isinstance(array, np.ndarray) else None


def _all_finite(numbers: np.ndarray) -> bool:
    """A piece at a time, as they may be larger than the memory."""
    return all(bool(np.isfinite(numbers[start : start + PIECE]).all()) for start in range(0, len(numbers), PIECE))


def _is_plain(array: object) -> bool:
    return isinstance(array, np.ndarray) and not isinstance(array, np.ma.MaskedArray)


def _channels_are_last(shape: tuple[int, ...]) -> bool:
    """Whether these are rather pictures of 1, 3 or 4 channels, than pictures that are so narrow and have as many channels."""
    _, first, second, last = shape
    return last in CHANNELS and first not in CHANNELS and min(first, second) > last
