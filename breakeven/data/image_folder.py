"""Any tree of pictures ``train/CLASS/*`` and ``test/CLASS/*``."""

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from breakeven.data.pictures import decode
from breakeven.data.splits import Splits
from breakeven.data.subset import draw
from breakeven.specs.source import Folder
from breakeven.store.errors import UserError
from breakeven.store.progress import progress

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".tif", ".tiff"}


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    path: Annotated[Folder, "Folder of the data set. Part of a run's identity."],
    image_size: Annotated[
        Annotated[int, Ge(1)] | None,
        "Side in pixels; pictures are resized and cropped to a square of it. null means that all pictures have one size already.",
    ] = None,
) -> Splits:
    """Decode the pictures of ``path`` as RGB.

    With ``image_size`` each is resized so that its shorter side has that length and the middle square is cut out;
    without, all must have one size. Where a number of examples is given, only a random subset of the files is decoded,
    drawn with ``seed``, the same for the same files. Links are followed, also out of ``path``: large data sets are often
    shared as trees of links.
    """
    root = Path(path)
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise UserError(
                f"image_folder: '{root}' has no folder '{split}': it must hold train/CLASS/* and test/CLASS/*"
            )
    classes = tuple(sorted(folder.name for folder in (root / "train").iterdir() if folder.is_dir()))
    unknown = sorted({folder.name for folder in (root / "test").iterdir() if folder.is_dir()} - set(classes))
    if unknown:
        raise UserError(f"image_folder: '{root}/test' has classes that 'train' has not: {', '.join(unknown)}")
    train = _decode_split(root / "train", classes, image_size, train_examples, np.random.default_rng([seed, 0]))
    test = _decode_split(root / "test", classes, image_size, test_examples, np.random.default_rng([seed, 1]))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise UserError(
            f"image_folder: train pictures of '{root}' are {_size(train[0][0])} and test pictures {_size(test[0][0])}: "
            "set the data set's 'image_size'"
        )
    return Splits(*train, *test, classes)


def _decode_split(
    folder: Path, classes: tuple[str, ...], image_size: int | None, examples: int | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    found = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).glob("*"))
        if file.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise UserError(f"image_folder: no pictures in '{folder}' (looked for {', '.join(sorted(SUFFIXES))})")
    files = draw("image_folder", found, examples, generator, folder)
    images: list[np.ndarray] = []
    for file, _ in progress(files, f"decode {folder.name}", unit="picture"):
        image = decode("image_folder", file, image_size=image_size)
        if images and image.shape != images[0].shape:
            raise UserError(
                f"image_folder: '{file}' is {_size(image)}, the pictures before it are {_size(images[0])}: "
                "set the data set's 'image_size'"
            )
        images.append(image)
    return np.stack(images), np.array([label for _, label in files], dtype=np.int64)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"
