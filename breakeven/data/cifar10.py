"""CIFAR-10: found under ``root`` where the user keeps it, else downloaded there, and checksummed.

It is the official *binary* version. The more common Python version (what `torchvision.datasets.CIFAR10` reads) is made
of pickles, and this project never reads a pickle; the pictures are the same.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated

import numpy as np

from breakeven.data.archives import tar_members
from breakeven.data.download import official
from breakeven.data.splits import Splits
from breakeven.specs.source import Location
from breakeven.store.errors import UserError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
MOST_BYTES = 10_000 * (1 + 3 * 32 * 32)  # of a file: each has 10,000 pictures
TRAIN_FILES = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
}
TEST_FILES = {"test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    root: Annotated[
        Location,
        "Folder in which the archive cifar-10-binary.tar.gz or its unpacked folder is looked for, and to which it is downloaded. "
        "Not part of a run's identity.",
    ] = "data",
) -> Splits:
    """Load the official 50,000 training and 10,000 test pictures (32×32 RGB) from ``root``; download where not there.

    All of them, in the official order, whatever the other arguments.
    """
    folder, archive = Path(root) / FOLDER, Path(root) / ARCHIVE
    names = TRAIN_FILES | TEST_FILES
    if folder.is_dir():
        contents = {name: _read(folder / name) for name in names}
        where = str(folder)
    else:
        official(
            "cifar10",
            archive,
            ARCHIVE_SHA256,
            [URL],
            f"neither '{archive}' nor the folder '{FOLDER}' beside it is there",
            f"put one of them into '{archive.parent}', or set the data set's 'root' to where it is (the binary version; "
            "the Python version is made of pickles)",
        )
        found = dict(tar_members("cifar10", archive, re.compile(rf"{FOLDER}/(\w+\.bin)"), MOST_BYTES))
        contents = {name: found.get(f"{FOLDER}/{name}", b"") for name in names}
        where = str(archive)
    for name, digest in names.items():
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            raise UserError(f"cifar10: '{name}' in '{where}' is damaged (its SHA-256 is wrong): delete it")
    return Splits(*_decode(contents, TRAIN_FILES), *_decode(contents, TEST_FILES), CLASSES)


def _decode(contents: dict[str, bytes], names: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Each record is one byte of label and 3×32×32 bytes of picture, channel by channel and row by row."""
    records = np.concatenate([np.frombuffer(contents[name], np.uint8).reshape(-1, 1 + 3 * 32 * 32) for name in names])
    return records[:, 1:].reshape(-1, 3, 32, 32).copy(), records[:, 0].astype(np.int64)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cifar10: '{path}' can't be read ({error.strerror}): delete the folder or complete it"
        ) from error
