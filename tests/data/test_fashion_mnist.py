"""The loader on small files in the official idx format, with their own checksums in place of the official ones."""

import gzip
import hashlib
import shutil
import struct
from urllib.error import URLError

import numpy as np
import pytest

from breakeven.data import download, fashion_mnist
from breakeven.specs.torchvision_import import torchvision_module
from breakeven.store.errors import UserError

COUNTS = {"train": 12, "t10k": 5}
NAMES = [f"{split}-{kind}-ubyte" for split in COUNTS for kind in ("images-idx3", "labels-idx1")]


def load(path=None, root="nowhere"):
    options = {"seed": 0, "train_examples": None, "test_examples": None}
    return fashion_mnist.load(path=path and str(path), root=str(root), **options)


def value(split, number, y, x):
    return (len(split) + 41 * number + 7 * y + x) % 256


def idx(array):
    """Two zeros, 8 for unsigned bytes, the number of dimensions, each of them big-endian, then the bytes."""
    array = np.asarray(array, np.uint8)
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def contents(split):
    number, y, x = np.meshgrid(np.arange(COUNTS[split]), np.arange(28), np.arange(28), indexing="ij")
    return {
        f"{split}-images-idx3-ubyte": idx(value(split, number, y, x)),
        f"{split}-labels-idx1-ubyte": idx(np.arange(COUNTS[split]) % 10),
    }


@pytest.fixture
def folder(tmp_path):
    """A folder of the user's, not compressed."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in (contents("train") | contents("t10k")).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def official(tmp_path, monkeypatch):
    """A root with the compressed files where torchvision keeps them, and their checksums as if they were official."""
    root = tmp_path / "root"
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    digests = {}
    for name, content in (contents("train") | contents("t10k")).items():
        compressed = gzip.compress(content, mtime=0)
        (raw / f"{name}.gz").write_bytes(compressed)
        digests[f"{name}.gz"] = hashlib.sha256(compressed).hexdigest()
    assert digests.keys() == fashion_mnist.SHA256.keys()
    monkeypatch.setattr(fashion_mnist, "SHA256", digests)
    monkeypatch.setattr(download, "_download", lambda *arguments: pytest.fail("a download was tried"))
    return root


def check(splits):
    assert splits.classes[:2] == ("T-shirt/top", "Trouser")
    assert (len(splits.classes), splits.words) == (10, None)
    for split, images, labels in (
        ("train", splits.train_inputs, splits.train_labels),
        ("t10k", splits.test_inputs, splits.test_labels),
    ):
        assert (images.dtype, images.shape) == (np.uint8, (COUNTS[split], 1, 28, 28))
        assert (labels.dtype, labels.tolist()) == (np.int64, [number % 10 for number in range(COUNTS[split])])
        for number, image in enumerate(images[:, 0]):
            assert image[0, 0] == value(split, number, 0, 0)
            assert image[3, 20] == value(split, number, 3, 20)  # rows first
            assert image[27, 27] == value(split, number, 27, 27)


def test_a_folder_of_the_users(folder):
    check(load(folder))


def test_compressed_files(folder):
    for name in NAMES[:3]:
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    check(load(folder))


def test_the_official_files(official):
    check(load(root=official))


def test_the_names_are_those_of_torchvision():
    theirs = torchvision_module("torchvision.datasets").FashionMNIST
    assert tuple(theirs.classes) == fashion_mnist.CLASSES
    assert [name for name, _ in theirs.resources] == list(fashion_mnist.SHA256) == [f"{name}.gz" for name in NAMES]
    assert all(len(digest) == 64 for digest in fashion_mnist.SHA256.values())


def test_downloaded_where_they_are_missing(tmp_path, official, monkeypatch):
    calls = []

    def copy(url, path, digest):
        calls.append((url, digest))
        if url.startswith(fashion_mnist.URLS[0]):
            raise URLError("no such bucket")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(official / "FashionMNIST" / "raw" / path.name, path)

    monkeypatch.setattr(download, "_download", copy)
    root = tmp_path / "new" / "data"
    check(load(root=root))
    check(load(root=root))
    digests = fashion_mnist.SHA256.items()  # each from the first address, then from the second
    assert calls == [(url + name, digest) for name, digest in digests for url in fashion_mnist.URLS]
    assert sorted(path.name for path in (root / "FashionMNIST" / "raw").iterdir()) == sorted(fashion_mnist.SHA256)


def test_without_internet(tmp_path, official, monkeypatch):
    def fail(url, path, digest):
        raise URLError("no internet")

    monkeypatch.setattr(download, "_download", fail)
    with pytest.raises(UserError, match="no internet") as error:
        load(root=tmp_path / "new")
    folder = tmp_path / "new" / "FashionMNIST" / "raw"
    assert str(error.value).startswith(f"fashion_mnist: '{folder}/train-images-idx3-ubyte.gz' is not there, and the")
    assert f"put the four official files into '{folder}', or set the data set's 'path'" in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_official_file(official, name):
    path = official / "FashionMNIST" / "raw" / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(UserError, match="damaged or half downloaded") as error:
        load(root=official)
    assert f"'{path}'" in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"has neither '{name}' nor '{name}.gz': it must hold"):
        load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x00",
        b"no idx file at all",
        struct.pack(">BBBB", 0, 0, 8, 0),  # no dimensions
        struct.pack(">BBBB", 0, 0, 99, 1),  # a type that there is not
        struct.pack(">BBBBI", 0, 0, 8, 1, 12) + bytes(7),  # truncated
        struct.pack(">BBBBI", 0, 0, 8, 1, 12) + bytes(13),
        struct.pack(">BBBBI", 0, 0, 13, 1, 3) + bytes(12),  # floating point
        idx(np.zeros((12, 28, 28))),
        idx(np.zeros((12, 1))),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_labels_that_are_no_labels(folder, content, compressed):
    path = folder / "train-labels-idx1-ubyte"
    if compressed:
        path.unlink()
        path = folder / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(UserError, match="is damaged or no idx file") as error:
        load(folder)
    assert f"'{path}'" in str(error.value)


@pytest.mark.parametrize("damage", ["truncate", "flip a bit", "foreign", "empty"])
def test_a_damaged_compressed_file(folder, damage):
    path = folder / "t10k-images-idx3-ubyte.gz"
    raw = bytearray(gzip.compress((folder / "t10k-images-idx3-ubyte").read_bytes()))
    (folder / "t10k-images-idx3-ubyte").unlink()
    raw[-6] ^= 1  # in the checksum that gzip has
    path.write_bytes({"truncate": raw[:200], "flip a bit": raw, "foreign": b"<html>", "empty": b""}[damage])
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte\.gz' is damaged or no idx file"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((12, 8, 9)), "the pictures of '.*' are 9x8, not 28x28"),
        ("train-images-idx3-ubyte", np.zeros((11, 28, 28)), "has 11 pictures, '.*' 12 labels"),
        ("t10k-labels-idx1-ubyte", [1, 2, 3, 4, 10], "t10k-labels.*' has a label 10; allowed: 0 to 9"),
    ],
)
def test_files_of_another_data_set(folder, name, array, message):
    (folder / name).write_bytes(idx(array))
    with pytest.raises(UserError, match=message):
        load(folder)


def test_no_pictures(folder):
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((0, 28, 28))))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.zeros(0)))
    with pytest.raises(UserError, match="t10k-images"):
        load(folder)
