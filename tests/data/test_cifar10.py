"""The loader on small files in the official binary layout, with their own checksums in place of the official ones."""

import hashlib
import io
import shutil
import tarfile
from http.client import BadStatusLine
from urllib.error import URLError

import numpy as np
import pytest

from breakeven.data import cifar10, download
from breakeven.store.errors import UserError

PER_FILE = 3
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = ["test_batch.bin"]
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load(root):
    return cifar10.load(root=str(root), seed=0, train_examples=None, test_examples=None)


def value(number, channel, y, x):
    return (41 * number + 83 * channel + 7 * y + x) % 256


@pytest.fixture
def contents():
    """Picture ``number`` has label ``number % 10``; one byte of label, then the red, green and blue rows."""
    files = {}
    for position, name in enumerate(TRAIN + TEST):
        file = io.BytesIO()
        for number in range(position * PER_FILE, (position + 1) * PER_FILE):
            file.write(bytes([number % 10]))
            file.write(bytes(value(number, c, y, x) for c in range(3) for y in range(32) for x in range(32)))
        files[name] = file.getvalue()
    return files


@pytest.fixture
def source(tmp_path, contents, monkeypatch):
    """A folder ``source`` with the archive, and the checksums of this content as if they were the official ones."""
    archive = tmp_path / "source" / cifar10.ARCHIVE
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(cifar10, "TRAIN_FILES", {name: digests[name] for name in TRAIN})
    monkeypatch.setattr(cifar10, "TEST_FILES", {name: digests[name] for name in TEST})
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(download, "_download", lambda *arguments: pytest.fail("a download was tried"))
    return archive


@pytest.fixture
def folder(tmp_path, source, contents):
    """A folder with the unpacked files."""
    for name, content in contents.items():
        path = tmp_path / "unpacked" / "cifar-10-batches-bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "unpacked"


def check(splits):
    assert splits.classes == CLASSES
    numbers = np.arange(18)
    for images, labels, expected in (
        (splits.train_inputs, splits.train_labels, numbers[:15]),
        (splits.test_inputs, splits.test_labels, numbers[15:]),
    ):
        assert (images.dtype, images.shape) == (np.uint8, (len(expected), 3, 32, 32))
        assert (labels.dtype, labels.tolist()) == (np.int64, [number % 10 for number in expected])
        c, y, x = np.meshgrid(np.arange(3), np.arange(32), np.arange(32), indexing="ij")
        for image, number in zip(images, expected, strict=True):
            np.testing.assert_array_equal(image, value(number, c, y, x))


def test_from_a_folder(folder):
    check(load(folder))


def test_from_the_archive(source):
    check(load(source.parent))
    assert [path.name for path in source.parent.iterdir()] == [source.name]  # nothing is unpacked


def test_downloaded_where_there_is_none(tmp_path, source, monkeypatch):
    calls = []

    def copy(url, path, digest):
        calls.append((url, path.name, digest))
        path.parent.mkdir(parents=True)
        shutil.copy(source, path)

    monkeypatch.setattr(download, "_download", copy)
    root = tmp_path / "new" / "data"
    check(load(root))
    check(load(root))
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    assert calls == [(url, "cifar-10-binary.tar.gz", cifar10.ARCHIVE_SHA256)]
    assert [path.name for path in root.iterdir()] == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize("failure", [URLError("no internet"), BadStatusLine("<html>"), ValueError("another SHA-256")])
def test_without_internet(tmp_path, source, monkeypatch, failure):
    def fail(url, path, digest):
        raise failure

    monkeypatch.setattr(download, "_download", fail)
    root = tmp_path / "new"
    with pytest.raises(UserError) as error:
        load(root)
    message = str(error.value)
    assert str(failure) in message
    assert f"put one of them into '{root}'" in message
    assert "cifar-10-binary.tar.gz" in message
    assert "cifar-10-batches-bin" in message


def test_a_damaged_archive_is_refused_by_name(source):
    raw = bytearray(source.read_bytes())
    raw[100] ^= 1
    source.write_bytes(raw)
    with pytest.raises(UserError, match="damaged or half downloaded") as error:
        load(source.parent)
    assert f"'{source}'" in str(error.value)


@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
@pytest.mark.parametrize("damage", ["flip a bit", "truncate", "remove"])
def test_a_damaged_file_is_refused_by_name(folder, name, damage):
    path = folder / "cifar-10-batches-bin" / name
    raw = bytearray(path.read_bytes())
    raw[2000] ^= 1
    match damage:
        case "flip a bit":
            path.write_bytes(raw)
        case "truncate":
            path.write_bytes(raw[:3073])
        case "remove":
            path.unlink()
    with pytest.raises(UserError) as error:
        load(folder)
    assert name in str(error.value)
    assert str(folder) in str(error.value)
