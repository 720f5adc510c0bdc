"""ImageNet (ILSVRC 2012) from the user's own folder: it can't be downloaded without an account.

Two layouts are read: ``train/nXXXXXXXX/*.JPEG`` and ``val/nXXXXXXXX/*.JPEG``, as PyTorch's examples need it; and what
Kaggle gives, ``ILSVRC/Data/CLS-LOC/{train,val}``, where ``val`` has no folders and ``LOC_val_solution.csv`` beside
``ILSVRC`` names the class of each picture.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from breakeven.data.arrays import mapped
from breakeven.data.picture_folders import (
    LOOKED_FOR,
    check_classes,
    folders_in,
    labelled,
    pictures_in,
    tell_left_out,
)
from breakeven.data.pictures import decode
from breakeven.data.splits import Splits
from breakeven.data.subset import draw
from breakeven.specs.source import Folder
from breakeven.store.errors import UserError
from breakeven.store.progress import progress

KAGGLE_FOLDER = Path("ILSVRC") / "Data" / "CLS-LOC"
SOLUTION = "LOC_val_solution.csv"
CLASS = re.compile(r"n\d{8}")
LAYOUTS = "it must hold train/nXXXXXXXX/*.JPEG and val/nXXXXXXXX/*.JPEG, or Kaggle's ILSVRC/Data/CLS-LOC/{train,val}"
BLOCK = 1000  # pictures that are handed to the threads at a time

Files = Sequence[tuple[Path, int]]


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    path: Annotated[
        Folder,
        "Folder with train/nXXXXXXXX and val/nXXXXXXXX, or with ILSVRC and LOC_val_solution.csv as Kaggle gives them; it can't "
        "be downloaded without an account. Which files are pictures, and how they become RGB of 8 bits: as with image_folder. "
        "Part of a run's identity.",
    ],
    image_size: Annotated[
        int,
        Ge(1),
        "Side in pixels of the square that is cut out of a picture's middle, after its shorter side was resized to 256/224 of "
        "it.",
    ] = 224,
    colours: Annotated[
        Literal["rgb", "grey"],
        "rgb: three channels. grey: one, the luma of the colours (0.299 red + 0.587 green + 0.114 blue).",
    ] = "rgb",
) -> Splits:
    """Decode the pictures of ``path`` as RGB: the shorter side resized to 256/224 of ``image_size``, the middle cut out.

    The validation set is the test set; classes are ordered by their WordNet ids, which are their names. Where a number
    of examples is given, only a random subset of the files is decoded, drawn with ``seed``. All of it is 193 GB: the
    arrays are mapped from files in the folder for temporary files (``TMPDIR``), which nobody else sees, and which
    disappear with the arrays. Links are followed, also out of ``path``.
    """
    root = Path(path)
    data = root / KAGGLE_FOLDER if (root / KAGGLE_FOLDER).is_dir() else root
    for split in ("train", "val"):
        if not (data / split).is_dir():
            raise UserError(
                f"imagenet: '{data}' has no folder '{split}': {LAYOUTS}; ImageNet can't be downloaded without an account "
                "(image-net.org, or Kaggle's 'ImageNet Object Localization Challenge')"
            )
    classes = _classes(data / "train")
    if not classes:
        raise UserError(f"imagenet: '{data / 'train'}' has no folders nXXXXXXXX: {LAYOUTS}")
    of_val = _classes(data / "val")
    if of_val:
        check_classes("imagenet", data / "train", data / "val", classes, of_val)
    found: Files = labelled("imagenet", data / "train", classes)
    train = draw("imagenet", found, train_examples, np.random.default_rng([seed, 0]), data / "train")
    found = labelled("imagenet", data / "val", classes) if of_val else _with_solution(root, data, classes)
    test = draw("imagenet", found, test_examples, np.random.default_rng([seed, 1]), data / "val")
    return Splits(
        _decode(train, image_size, colours, "decode train"),
        _labels(train),
        _decode(test, image_size, colours, "decode val"),
        _labels(test),
        classes,
    )


def _classes(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in folders_in(folder) if CLASS.fullmatch(name))


def _with_solution(root: Path, data: Path, classes: tuple[str, ...]) -> Files:
    """The pictures of Kaggle's validation set, in the order of their names, each with its class by the table."""
    tables = [folder / SOLUTION for folder in (root, data / "../../..")]  # ``path`` may be the inner folder itself
    table = next((file for file in tables if file.is_file()), None)
    if table is None:
        raise UserError(f"imagenet: '{data / 'val'}' has no folders nXXXXXXXX, and there is no '{tables[0]}'")
    names = _solution(table)
    label_of = {name: label for label, name in enumerate(classes)}
    found, left_out = [], Counter[str]()
    for file in pictures_in(data / "val", left_out):
        if file.stem not in names:
            raise UserError(f"imagenet: '{table}' has no line for '{file}'")
        if names[file.stem] not in label_of:
            raise UserError(f"imagenet: '{table}' has class '{names[file.stem]}' for '{file}', which 'train' has not")
        found.append((file, label_of[names[file.stem]]))
    if not found:
        raise UserError(f"imagenet: no pictures in '{data / 'val'}' ({LOOKED_FOR})")
    tell_left_out("imagenet", data / "val", left_out)
    return found


def _solution(table: Path) -> dict[str, str]:
    """The class of each picture: the first word of its "nXXXXXXXX x1 y1 x2 y2 …", since all its boxes are of one class."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError, IndexError) as error:
        raise UserError(
            f"imagenet: '{table}' is damaged or no table with the columns ImageId and PredictionString: replace it"
        ) from error


def _labels(files: Files) -> np.ndarray:
    return np.array([label for _, label in files], dtype=np.int64)


def _decode(files: Files, image_size: int, colours: str, what: str) -> np.ndarray:
    """uint8 (examples, channels, image_size, image_size), mapped from a temporary file; decoded in as many threads as cores."""
    images = mapped("imagenet", (len(files), 3 if colours == "rgb" else 1, image_size, image_size), np.dtype(np.uint8))
    shorter_side = round(image_size * 256 / 224)

    def decode_one(index: int) -> None:
        images[index] = decode("imagenet", files[index][0], shorter_side, image_size, colours)

    def decode_all() -> Iterator[None]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for first in range(0, len(files), BLOCK):
                yield from pool.map(decode_one, range(first, min(first + BLOCK, len(files))))

    for _ in progress(decode_all(), what, unit="picture", total=len(files)):
        pass
    return images
