"""Fashion-MNIST: 70,000 pictures of clothes, 28×28 in one channel, ten classes.

The official files are found under ``root`` where torchvision's own class keeps them, else downloaded there, and
checksummed; or read from the user's own folder with files of the same names, compressed or not.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Annotated

import numpy as np

from breakeven.data.download import official
from breakeven.data.splits import Splits
from breakeven.specs.source import Folder, Location
from breakeven.store.errors import UserError

URLS = (  # torchvision knows addresses by http alone
    "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
FOLDER = Path("FashionMNIST") / "raw"
SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIDE = 28
MOST = 1_000_000  # pictures of a file: a small compressed one may say that it holds a thousand times as many


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    root: Annotated[
        Location,
        "Folder with FashionMNIST/raw, in which torchvision keeps the official files; they are looked for there, and downloaded "
        "to it. Not part of a run's identity.",
    ] = "data",
    path: Annotated[
        Folder | None,
        "Folder with four idx files of the official names, with or without .gz, read instead of the official ones. Part of a "
        "run's identity.",
    ] = None,
) -> Splits:
    """Read all pictures, in the order of the files, whatever ``seed`` and the numbers of examples."""
    files = _official(Path(root) / FOLDER) if path is None else _of_user(Path(path))
    return Splits(*_read_split(files, "train"), *_read_split(files, "t10k"), CLASSES)


def _official(folder: Path) -> dict[str, Path]:
    for name, digest in SHA256.items():
        official(
            "fashion_mnist",
            folder / name,
            digest,
            [url + name for url in URLS],
            f"'{folder / name}' is not there",
            f"put the four official files into '{folder}', or set the data set's 'path' to the folder that has them",
        )
    return {name.removesuffix(".gz"): folder / name for name in SHA256}


def _of_user(folder: Path) -> dict[str, Path]:
    files = {}
    for compressed in SHA256:
        name = compressed.removesuffix(".gz")
        found = [file for file in (folder / name, folder / compressed) if file.is_file()]
        if not found:
            raise UserError(
                f"fashion_mnist: '{folder}' has neither '{name}' nor '{compressed}': it must hold "
                "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, with or without .gz"
            )
        files[name] = found[0]
    return files


def _read_split(files: dict[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """The pictures (examples, 1, 28, 28), and the labels."""
    image_file, label_file = files[f"{split}-images-idx3-ubyte"], files[f"{split}-labels-idx1-ubyte"]
    images, labels = _read(image_file, (SIDE, SIDE)), _read(label_file, ()).astype(np.int64)
    if len(images) != len(labels):
        raise UserError(
            f"fashion_mnist: '{image_file}' has {len(images)} pictures, '{label_file}' {len(labels)} labels"
        )
    if not len(labels):
        raise UserError(f"fashion_mnist: '{image_file}' has no pictures")
    if labels.max() >= len(CLASSES):
        raise UserError(f"fashion_mnist: '{label_file}' has a label {labels.max()}; allowed: 0 to {len(CLASSES) - 1}")
    return images[:, None], labels


def _read(file: Path, of_one: tuple[int, ...]) -> np.ndarray:
    """The uint8 array, (examples, *``of_one``), of an idx file.

    The format: two zero bytes, the type (8 is uint8), the number of dimensions, each as four bytes, big-endian; the values.
    """
    dimensions = 1 + len(of_one)
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            if stream.read(4) != bytes([0, 0, 8, dimensions]):
                raise ValueError(f"its first bytes don't say that it holds bytes in {dimensions} dimensions")
            count, *found = struct.unpack(f">{dimensions}I", stream.read(4 * dimensions))
            if tuple(found) != of_one:
                raise UserError(f"fashion_mnist: the pictures of '{file}' are {found[1]}x{found[0]}, not {SIDE}x{SIDE}")
            if count > MOST:
                raise ValueError(f"it says that it holds {count} examples; allowed: up to {MOST}")
            size = count * math.prod(of_one)
            content = stream.read(size + 1)  # never more than it says
            if len(content) != size:
                raise ValueError(
                    f"it says that it holds {size} values, and has {'more' if len(content) > size else len(content)}"
                )
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
        raise UserError(f"fashion_mnist: '{file}' is damaged or no idx file ({error}): delete or replace it") from error
    return np.frombuffer(bytearray(content), np.uint8).reshape(count, *of_one)
