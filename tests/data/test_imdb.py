"""The loader on a few short reviews in the official layout, and on the real ones."""

import io
import os
import shutil
import tarfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from breakeven.data import download, imdb
from breakeven.data.dataset import read_manifest
from breakeven.data.prepare import prepare
from breakeven.store.errors import UserError
from breakeven.store.files import sha256

# in the training set: bad 3, film 3, it's 2, good 1, the 1, very 1
REVIEWS = {
    "train/neg/0_3.txt": "Bad film.<br /><br />BAD film!",
    "train/neg/10_1.txt": "bad",
    "train/pos/2_9.txt": "The film: it's very good; it's…",
    "test/neg/5_2.txt": "good bad ugly",
    "test/pos/1_10.txt": "",
    "test/pos/03_7.txt": "Très good",
}


def load(path=None, words=20_000, tokens=6, root="nowhere"):
    options = {"seed": 0, "train_examples": None, "test_examples": None}
    return imdb.load(path=path and str(path), words=words, tokens=tokens, root=str(root), **options)


@pytest.fixture
def folder(tmp_path):
    for name, text in REVIEWS.items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "unpacked"


def write_archive(path):
    """Members in an order that is not the alphabet's, beside others that the official archive has as well."""
    others = {
        "README": "",
        "train/unsup/0_0.txt": "film",
        "train/urls_neg.txt": "film",
        "train/labeledBow.feat": "film",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, text in reversed((others | REVIEWS).items()):
            member = tarfile.TarInfo(f"aclImdb/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
        folder = tarfile.TarInfo("aclImdb/test/neg/7_1.txt")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with these reviews, and its checksum as if it were the official one."""
    path = tmp_path / "source" / "aclImdb_v1.tar.gz"
    write_archive(path)
    monkeypatch.setattr(imdb, "ARCHIVE_SHA256", sha256(path))
    monkeypatch.setattr(download, "_download", lambda *arguments: pytest.fail("a download was tried"))
    return path


def check(splits, words):
    """By hand, with tokens=6: bad 4, film 5, it's 6, good 7, the 8, very 9."""
    assert (splits.classes, splits.words) == (("neg", "pos"), words)
    for inputs, labels, numbers, classes in (
        (
            splits.train_inputs,
            splits.train_labels,
            [[0, 1, 4, 5, 4, 5], [0, 0, 0, 0, 1, 4], [8, 5, 6, 9, 7, 6]],
            [0, 0, 1],
        ),
        (
            splits.test_inputs,
            splits.test_labels,
            # "è" is no letter of a word: tr, s; 03_7 comes before 1_10
            [[0, 0, 1, 7, 4, 2], [0, 0, 1, 2, 2, 7], [0, 0, 0, 0, 0, 1]],
            [0, 1, 1],
        ),
    ):
        assert (inputs.dtype, labels.dtype) == (np.int32, np.int64)
        numbers = np.array(numbers)
        np.testing.assert_array_equal(inputs, np.where(numbers < words, numbers, 2))
        assert labels.tolist() == classes


@pytest.mark.parametrize("words", [20_000, 10, 9, 8, 5])
def test_from_a_folder(folder, words):
    check(load(folder, words), words)


@pytest.mark.parametrize("words", [20_000, 7])
def test_from_the_archive(archive, words):
    check(load(root=archive.parent, words=words), words)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]  # nothing is unpacked


def test_the_numbers_are_those_of_keras(folder):
    """What ``keras.datasets.imdb.load_data`` and ``pad_sequences`` do to ranks, written out as in their sources."""
    words, tokens = 8, 4
    ranks = {"bad": 1, "film": 2, "it's": 3, "good": 4, "the": 5, "very": 6}
    review = [1, *(ranks[word] + 3 for word in ("the", "film", "it's", "very", "good", "it's"))]
    keras = [number if number < words else 2 for number in review][-tokens:]
    assert load(folder, words, tokens).train_inputs[2].tolist() == keras


def test_a_single_token(folder):
    splits = load(folder, tokens=1)
    assert splits.train_inputs.tolist() == [[5], [4], [6]]
    assert splits.test_inputs.tolist() == [[2], [7], [1]]


def test_other_files_are_left_out(folder, capsys):
    for name in ("train/neg/._0_3.txt", "train/neg/notes.md", "train/unsup/0_0.txt", "train/neg.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"bad \xff")
    check(load(folder), 20_000)
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert told == [f"imdb: left out of '{folder}/train/neg': 1 whose names are not ID_RATING.txt"]


def test_downloaded_where_there_is_none(tmp_path, archive, monkeypatch):
    calls = []

    def copy(url, path, digest):
        calls.append((url, path.name, digest))
        path.parent.mkdir(parents=True)
        shutil.copy(archive, path)

    monkeypatch.setattr(download, "_download", copy)
    root = tmp_path / "new" / "data"
    check(load(root=root), 20_000)
    check(load(root=root), 20_000)
    url = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
    assert calls == [(url, "aclImdb_v1.tar.gz", imdb.ARCHIVE_SHA256)]
    assert [path.name for path in root.iterdir()] == ["aclImdb_v1.tar.gz"]


def test_without_internet(tmp_path, archive, monkeypatch):
    def fail(url, path, digest):
        raise URLError("no internet")

    monkeypatch.setattr(download, "_download", fail)
    root = tmp_path / "new"
    with pytest.raises(UserError, match="no internet") as error:
        load(root=root)
    assert str(error.value).startswith(f"imdb: '{root}/aclImdb_v1.tar.gz' is not there, and the download from https://")
    assert f"put the archive into '{root}'" in str(error.value)


@pytest.mark.parametrize("damage", ["flip a bit", "truncate", "empty"])
def test_a_damaged_archive_is_refused_by_name(archive, damage):
    raw = bytearray(archive.read_bytes())
    raw[100] ^= 1
    archive.write_bytes({"flip a bit": raw, "truncate": archive.read_bytes()[:-20], "empty": b""}[damage])
    with pytest.raises(UserError, match="damaged or half downloaded") as error:
        load(root=archive.parent)
    assert f"'{archive}'" in str(error.value)


@pytest.mark.parametrize("missing", ["train", "test/pos"])
def test_a_missing_folder(folder, missing):
    shutil.rmtree(folder / missing)
    with pytest.raises(UserError, match=rf"'{folder}' has no folder '{missing}.*it must hold"):
        load(folder)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="nowhere' has no folder 'train/neg'"):
        load(tmp_path / "nowhere")


def test_no_reviews(folder):
    (folder / "test/neg/5_2.txt").rename(folder / "test/neg/five.txt")
    with pytest.raises(UserError, match=r"no reviews in '.*test/neg'"):
        load(folder)


def test_a_review_that_is_no_text(folder):
    path = folder / "train/pos/2_9.txt"
    path.write_bytes(b"good \xff\xfe film")
    with pytest.raises(UserError, match="damaged or no text in UTF-8") as error:
        load(folder)
    assert f"'{path}'" in str(error.value)


def test_a_folder_in_place_of_a_review(folder):
    (folder / "train/pos/3_9.txt").mkdir()
    with pytest.raises(UserError, match=r"3_9\.txt' is damaged"):
        load(folder)


def test_prepared(folder, tmp_path):
    spec = {"loader": "imdb", "path": str(folder), "words": 9, "tokens": 6, "train_examples": 2}
    prepare(spec, tmp_path / "prepared")
    manifest = read_manifest(tmp_path / "prepared")
    assert (manifest["input_shape"], manifest["classes"]) == ([6, 9], ["neg", "pos"])


@pytest.mark.data
def test_real_reviews(monkeypatch):
    """All 50,000, from an archive without the unlabelled ones. The ten most frequent words are those of Keras, less "br"."""
    if "BREAKEVEN_DATA" not in os.environ:
        pytest.skip("BREAKEVEN_DATA is not set: the folder with aclImdb.tar.xz")
    archive = Path(os.environ["BREAKEVEN_DATA"]) / "aclImdb.tar.xz"
    monkeypatch.setattr(imdb, "ARCHIVE", archive.name)
    monkeypatch.setattr(imdb, "ARCHIVE_SHA256", sha256(archive))
    frequent = []
    vocabulary = imdb._vocabulary
    monkeypatch.setattr(imdb, "_vocabulary", lambda *a: frequent.extend(v := vocabulary(*a)) or v)
    splits = imdb.load(0, None, None, root=str(archive.parent))
    assert frequent[:10] == ["the", "and", "a", "of", "to", "is", "in", "it", "i", "this"]
    for inputs, labels in ((splits.train_inputs, splits.train_labels), (splits.test_inputs, splits.test_labels)):
        assert inputs.shape == (25_000, 80)
        assert torch.bincount(torch.from_numpy(labels)).tolist() == [12_500, 12_500]
        assert (inputs.min(), inputs.max()) == (0, 19_999)
        assert not (inputs == 3).any()
        assert 0.02 < (inputs == 2).mean() < 0.04  # words beyond the 19,996 most frequent ones
    assert (splits.train_inputs[:, 0] != 0).mean() > 0.9  # few reviews have fewer than 80 words
