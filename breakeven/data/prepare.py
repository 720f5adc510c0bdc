"""Stage ``prepare``: load a data set once, and write it as arrays with a small manifest.

``data.safetensors`` holds ``train_inputs``, ``test_inputs`` (pictures, uint8, (examples, channels, height, width); texts,
int32 numbers of words, (examples, …, length); or numbers, float32, (examples, …)), ``train_labels``, ``test_labels`` (int64, or
float32 where numbers are predicted), the same of ``validation`` where
there is a validation set, and two fixed sets of indices into the training set: ``measured``, the examples on which K and H are
measured, the same for every run, and ``evaluated``, those on which the training loss and accuracy are computed.
``manifest.json`` names the classes, counts, normalisation statistics and checksums; it is what later stages depend on.
"""

import traceback
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from breakeven.data.arrays import rows, write_arrays
from breakeven.data.registry import loader
from breakeven.data.splits import Splits, checked
from breakeven.specs.dataset import Subsets, validation_examples
from breakeven.specs.own_code import is_own
from breakeven.store.errors import UserError
from breakeven.store.files import whole_file, write_json
from breakeven.store.progress import say, within

EVALUATED_EXAMPLES = 10_000  # more would change the training loss by less than 1 % and cost as much as training does
CHUNK = 10_000
NUMBERS_AT_ONCE = 2**22
MOST_LETTERS = 500  # of what an error in the user's own code says


def prepare(spec: dict[str, Any], out: Path, location: dict[str, Any] | None = None) -> None:
    """Write the data set of ``spec`` (its canonical specification) into the folder ``out``.

    ``location`` holds the options that say where the data lies but don't change it.
    """
    location = location or {}
    if "loader" not in spec:
        raise UserError(f"spec: a data set needs a 'loader', and this has none: {spec!r}")
    say(f"prepare {spec['loader']} in {out}")
    options = dict(spec)
    name = options.pop("loader")
    subsets = Subsets(**{field.name: options.pop(field.name) for field in fields(Subsets) if field.name in options})
    drawn = asdict(subsets)
    measured_fraction = drawn.pop("measured_fraction")
    validation_fraction = drawn.pop("validation_fraction")
    given = options.get("options", {}) if is_own(name) else options | drawn
    splits = checked(_loaded(name, given | location), name)
    if validation_fraction is not None and splits.validation is not None:
        raise UserError(
            f"loader '{name}' returned a validation set, and the data set's 'validation_fraction' is {validation_fraction}: "
            "give one of the two"
        )
    write(splits, spec, out, measured_fraction, **drawn, validation_fraction=validation_fraction)


def _loaded(name: str, given: dict[str, Any]) -> Splits:
    """What loader ``name`` returns; an error in the code of a user's own is told with the line of their file that led to it."""
    try:
        splits: Splits = loader(name)(**given)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if not is_own(name):
            raise
        why = " ".join(f"{type(error).__name__}: {error}".split())[:MOST_LETTERS]
        raise UserError(f"loader '{name}' raised {why}{_line(error, Path(name.rpartition(':')[0]))}") from error
    return splits


def _line(error: Exception, file: Path) -> str:
    """The last line of ``file`` that an ``error`` came through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file.absolute()]
    return f" (line {frames[-1].lineno} of '{file}': {frames[-1].line})" if frames else ""


def write(
    splits: Splits,
    spec: dict[str, Any],
    out: Path,
    measured_fraction: float,
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    validation_fraction: float | None = None,
) -> None:
    """Draw the subsets with ``seed`` (one generator per purpose), then write the arrays and, last, the manifest."""
    train = _subset(splits.train_inputs, splits.train_labels, train_examples, np.random.default_rng([seed, 2]), "train")
    test = _subset(splits.test_inputs, splits.test_labels, test_examples, np.random.default_rng([seed, 3]), "test")
    validation = splits.validation
    if validation_fraction is not None:
        train, validation = _held_out(*train, validation_fraction, np.random.default_rng([seed, 6]))
    count = len(train[1])
    measured = np.random.default_rng([seed, 4]).permutation(count)[: max(1, round(measured_fraction * count))]
    evaluated = np.sort(np.random.default_rng([seed, 5]).permutation(count)[:EVALUATED_EXAMPLES])
    arrays = {
        "train_inputs": train[0],
        "train_labels": train[1],
        "test_inputs": test[0],
        "test_labels": test[1],
        "measured": measured.astype(np.int64),
        "evaluated": evaluated.astype(np.int64),
    }
    if validation is not None:
        arrays |= {"validation_inputs": validation[0], "validation_labels": validation[1]}
    path = out / "data.safetensors"
    with whole_file(path) as temporary:
        digest = write_arrays(temporary, arrays)
    # that of a text is the shape of its words in one-hot coding
    input_shape = [*train[0].shape[1:], *([] if splits.words is None else [splits.words])]
    kind = "texts" if splits.words is not None else "numbers" if train[0].dtype == np.float32 else "pictures"
    mean = std = np.zeros(0)
    if kind == "pictures" or splits.standardise:
        mean, std = channel_statistics(train[0]) if kind == "pictures" else statistics(train[0])
    manifest = {
        "spec": spec,
        "sha256": digest,
        "inputs": kind,
        "input_shape": input_shape,
        "classes": list(splits.classes),
        **_counts("train", train[1], splits.classes),
        **_counts("test", test[1], splits.classes),
        "mean": mean.tolist(),
        "std": std.tolist(),
        "measured_examples": len(measured),
    }
    counts = f"{count} training and {len(test[1])} test examples"
    if validation is not None:
        counts = f"{count} training, {len(validation[1])} validation and {len(test[1])} test examples"
        manifest |= _counts("validation", validation[1], splits.classes)
    if not splits.classes:
        manifest["outputs"] = train[1].shape[1]
    write_json(out / "manifest.json", manifest)
    say(f"prepared {counts}, {len(measured)} of the training set measured, in {out}")


def _counts(split: str, labels: np.ndarray, classes: tuple[str, ...]) -> dict[str, list[int]]:
    """How many examples of each class are in a split; nothing where numbers are predicted."""
    return {f"{split}_class_counts": np.bincount(labels, minlength=len(classes)).tolist()} if classes else {}


def statistics(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the examples of each number of an example, in float64; a constant has deviation 1."""
    starts = range(0, len(numbers), NUMBERS_AT_ONCE // numbers[0].size + 1)  # they may be larger than the memory
    pieces = [slice(start, start + starts.step) for start in starts]
    mean = sum(numbers[piece].sum(axis=0, dtype=np.float64) for piece in pieces) / len(numbers)
    variance = sum(np.square(numbers[piece] - mean).sum(axis=0) for piece in pieces) / len(numbers)
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over examples and pixels, in units of the stored uint8 values.

    Exact: taken from the histogram of the 256 possible values. A constant channel has standard deviation 1.
    """
    counts = np.zeros((images.shape[1], 256))
    starts = range(0, len(images), CHUNK)  # images may be larger than the memory
    for first in within(starts, "mean and standard deviation", unit=f"{CHUNK} pictures"):
        chunk = images[first : first + CHUNK]
        counts += np.stack([np.bincount(chunk[:, c].ravel(), minlength=256) for c in range(images.shape[1])])
    values = np.arange(256, dtype=np.float64)
    total = counts.sum(axis=1)
    mean = counts @ values / total
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)


def _subset(
    inputs: np.ndarray, labels: np.ndarray, examples: int | None, generator: np.random.Generator, split: str
) -> tuple[np.ndarray, np.ndarray]:
    if examples is None or examples == len(labels):
        return inputs, labels
    if examples > len(labels):
        raise UserError(f"data set: {split}_examples is {examples}, but the data set has only {len(labels)}")
    chosen = np.sort(generator.permutation(len(labels))[:examples])
    return inputs[chosen], labels[chosen]


def _held_out(
    inputs: np.ndarray, labels: np.ndarray, fraction: float, generator: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The rest of the training set and the ``fraction`` of it that is held out, each in its order."""
    held = validation_examples(fraction, len(labels))
    if held >= len(labels):
        raise UserError(f"data set: validation_fraction {fraction} leaves none of {len(labels)} examples to train on")
    order = generator.permutation(len(labels))
    chosen, rest = np.sort(order[:held]), np.sort(order[held:])
    return (rows(inputs, rest), labels[rest]), (rows(inputs, chosen), labels[chosen])
