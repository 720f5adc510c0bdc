"""Any tree of pictures ``train/CLASS/*`` and ``test/CLASS/*``."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from breakeven.data.picture_folders import check_classes, folders_in, labelled
from breakeven.data.pictures import decode
from breakeven.data.splits import Splits
from breakeven.data.subset import draw
from breakeven.specs.source import Folder
from breakeven.store.errors import UserError
from breakeven.store.progress import progress


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    path: Annotated[
        Folder,
        "Folder with train/CLASS and test/CLASS; a class's pictures are in its folder or in folders in it. Known by their "
        "suffixes: bmp, gif, jfif, jpe, jpeg, jpg, pbm, pgm, png, ppm, tif, tiff, webp; names that begin with a dot, and what "
        "operating systems leave behind, are passed over. Each class of train must have pictures; test may lack the folder of a "
        "class. Pictures become RGB of 8 bits, or grey (see colours), upright by EXIF's orientation, what is transparent on "
        "white; 16 bits are divided by 257 and rounded. Refused: pictures of several frames, of floating-point numbers, of "
        "signed or 32-bit integers. Part of a run's identity.",
    ],
    image_size: Annotated[
        Annotated[int, Ge(1)] | None,
        "Side in pixels; pictures are resized and cropped to a square of it. null means that all pictures have one size already.",
    ] = None,
    colours: Annotated[
        Literal["rgb", "grey"],
        "rgb: three channels, also of grey pictures. grey: one channel, of grey pictures as they are, of others their luma "
        "(0.299 red + 0.587 green + 0.114 blue).",
    ] = "rgb",
) -> Splits:
    """Decode the pictures of ``path`` as RGB, or in grey.

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
    classes = tuple(folders_in(root / "train"))
    check_classes("image_folder", root / "train", root / "test", classes, folders_in(root / "test"))
    train = _decode_split(
        root / "train", classes, image_size, colours, train_examples, np.random.default_rng([seed, 0])
    )
    test = _decode_split(root / "test", classes, image_size, colours, test_examples, np.random.default_rng([seed, 1]))
    if train[0].shape[1:] != test[0].shape[1:]:
        raise UserError(
            f"image_folder: train pictures of '{root}' are {_size(train[0][0])} and test pictures {_size(test[0][0])}: "
            "set the data set's 'image_size'"
        )
    return Splits(*train, *test, classes)


def _decode_split(
    folder: Path,
    classes: tuple[str, ...],
    image_size: int | None,
    colours: str,
    examples: int | None,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    found = labelled("image_folder", folder, classes)
    files = draw("image_folder", found, examples, generator, folder)
    images: list[np.ndarray] = []
    for file, _ in progress(files, f"decode {folder.name}", unit="picture"):
        image = decode("image_folder", file, image_size=image_size, colours=colours)
        if images and image.shape != images[0].shape:
            raise UserError(
                f"image_folder: '{file}' is {_size(image)}, the pictures before it are {_size(images[0])}: "
                "set the data set's 'image_size'"
            )
        images.append(image)
    return np.stack(images), np.array([label for _, label in files], dtype=np.int64)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"
