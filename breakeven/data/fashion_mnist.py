"""Fashion-MNIST: 70,000 pictures of clothes, 28×28 in one channel, ten classes.

The official files are found under ``root`` where torchvision's own class keeps them, else downloaded there, and
checksummed; or read from the user's own folder with files of the same names, compressed or not.
"""

import gzip
import tempfile
import zlib
from pathlib import Path

import numpy as np

from breakeven.data.download import download, verify_sha256
from breakeven.data.splits import Splits
from breakeven.data.torchvision_import import torchvision_module
from breakeven.errors import UserError

BUCKET = "https://fashion-mnist.s3.eu-central-1.amazonaws.com/"  # torchvision names the same one, by http alone
FOLDER = Path("FashionMNIST") / "raw"
SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
SIDE = 28


def load(
    *, path: str | None, seed: int, train_examples: int | None, test_examples: int | None, root: str = "data"
) -> Splits:
    """Read all pictures, in the order of the files, whatever ``seed`` and the numbers of examples."""
    classes = tuple(torchvision_module("torchvision.datasets").FashionMNIST.classes)
    files = _official(Path(root) / FOLDER) if path is None else _of_user(Path(path))
    return Splits(*_read_split(files, "train", len(classes)), *_read_split(files, "t10k", len(classes)), classes)


def _official(folder: Path) -> dict[str, Path]:
    official = torchvision_module("torchvision.datasets").FashionMNIST
    for name, md5 in official.resources:
        if not (folder / name).exists():
            download(
                [BUCKET + name, *(mirror + name for mirror in official.mirrors)],
                folder / name,
                md5,
                f"fashion_mnist: '{folder / name}' is not there",
                f"put the four official files into '{folder}', or set the data set's 'path' to the folder that has them",
            )
        verify_sha256("fashion_mnist", folder / name, SHA256[name])
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


def _read_split(files: dict[str, Path], split: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures (examples, 1, 28, 28), and the labels."""
    image_file, label_file = files[f"{split}-images-idx3-ubyte"], files[f"{split}-labels-idx1-ubyte"]
    images, labels = _read(image_file, "read_image_file"), _read(label_file, "read_label_file")
    if images.shape[1:] != (SIDE, SIDE):
        height, width = images.shape[1:]
        raise UserError(f"fashion_mnist: the pictures of '{image_file}' are {width}x{height}, not {SIDE}x{SIDE}")
    if len(images) != len(labels):
        raise UserError(
            f"fashion_mnist: '{image_file}' has {len(images)} pictures, '{label_file}' {len(labels)} labels"
        )
    if not len(labels):
        raise UserError(f"fashion_mnist: '{image_file}' has no pictures")
    if labels.max() >= classes:
        raise UserError(f"fashion_mnist: '{label_file}' has a label {labels.max()}; allowed: 0 to {classes - 1}")
    return images[:, None], labels


def _read(file: Path, parser: str) -> np.ndarray:
    """What torchvision's ``parser`` makes of a file; it reads none that is compressed, nor refuses a damaged one kindly."""
    parse = getattr(torchvision_module("torchvision.datasets.mnist"), parser)
    try:
        if file.suffix != ".gz":
            return parse(file).numpy()
        with tempfile.NamedTemporaryFile(prefix="breakeven-") as unpacked:
            unpacked.write(gzip.decompress(file.read_bytes()))
            unpacked.flush()
            return parse(unpacked.name).numpy()
    except (OSError, EOFError, zlib.error, AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"fashion_mnist: '{file}' is damaged or no idx file ({error}): delete or replace it") from error
