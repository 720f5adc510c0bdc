"""Archives and pictures that mean harm: nothing leaves their folder, nothing hangs, nothing fills the memory.

Of an official archive, a foreign one is refused by its digest before it is opened. Here it is opened nevertheless, since its
digest is put in the place of the official one: what is in it still does no harm.
"""

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breakeven.data import cifar10, fashion_mnist, image_folder, imdb, mnli, pictures
from breakeven.store.errors import UserError
from breakeven.store.files import sha256

ALL = {"seed": 0, "train_examples": None, "test_examples": None}
BATCH = "cifar-10-batches-bin/data_batch_1.bin"
REVIEW = "aclImdb/train/neg/0_3.txt"
OUTSIDE = "the user's own file"


def member(name, content=b"", **changes):
    """A member of a tar archive and its content."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def outside(tmp_path):
    """A folder with a file that nothing may touch or read, beside the folder ``data``."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text(OUTSIDE)
    (tmp_path / "data").mkdir()
    yield tmp_path / "outside" / "file"
    assert (tmp_path / "outside" / "file").read_text() == OUTSIDE
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "data"}
    assert len(list((tmp_path / "data").iterdir())) == 1  # nothing was unpacked


HARMFUL = {
    "a name that leads out": lambda name, out: [member("../evil", b"x"), member(f"../{name}", b"x")],
    "an absolute name": lambda name, out: [member(str(out), b"x"), member(f"/{name}", b"x")],
    "a link to a file outside": lambda name, out: [member(name, type=tarfile.SYMTYPE, linkname=str(out))],
    "a hard link to a file outside": lambda name, out: [member(name, type=tarfile.LNKTYPE, linkname=str(out))],
    "a link to itself": lambda name, out: [member(name, type=tarfile.SYMTYPE, linkname=name.split("/")[-1])],
    "a device": lambda name, out: [member(name, type=tarfile.CHRTYPE, devmajor=1, devminor=5)],
    "a pipe": lambda name, out: [member(name, type=tarfile.FIFOTYPE)],
    "a folder": lambda name, out: [member(name, type=tarfile.DIRTYPE)],
    "a name that is not ASCII": lambda name, out: [member("é/\u202egnp.evil", b"x"), member(f"{name}\u2028", b"x")],
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_a_harmful_cifar10_archive(harm, outside, tmp_path, monkeypatch):
    path = tar(tmp_path / "data" / cifar10.ARCHIVE, *HARMFUL[harm](BATCH, outside))
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", sha256(path))
    with pytest.raises(UserError, match=r"^cifar10: 'data_batch_1.bin' in '.*gz' is damaged \(its SHA-256 is wrong\)"):
        cifar10.load(root=str(tmp_path / "data"), **ALL)


@pytest.mark.parametrize("harm", HARMFUL)
def test_a_harmful_imdb_archive(harm, outside, tmp_path, monkeypatch):
    good = [
        member(f"aclImdb/{split}/{label}/1_1.txt", b"good") for split in ("train", "test") for label in ("neg", "pos")
    ]
    path = tar(tmp_path / "data" / imdb.ARCHIVE, *good, *HARMFUL[harm](REVIEW, outside))
    monkeypatch.setattr(imdb, "ARCHIVE_SHA256", sha256(path))
    splits = imdb.load(path=None, words=9, tokens=2, root=str(tmp_path / "data"), **ALL)
    assert splits.train_inputs.tolist() == [[1, 4], [1, 4]]  # the good reviews alone


@pytest.mark.parametrize("loader", [cifar10, imdb])
def test_a_member_that_says_it_is_huge_is_not_read(loader, outside, tmp_path, monkeypatch):
    """100 GB of zeros would be 100 MB in the archive; here they are not even there."""
    name = BATCH if loader is cifar10 else REVIEW
    info, _ = member(name)
    info.size = 10**11
    path = tmp_path / "data" / loader.ARCHIVE
    path.write_bytes(gzip.compress(info.tobuf()))
    monkeypatch.setattr(loader, "ARCHIVE_SHA256", sha256(path))
    options = {} if loader is cifar10 else {"path": None, "words": 9, "tokens": 2}
    with pytest.raises(UserError, match=rf"'{name}' in '.*gz' has 100000000000 bytes, more than the \d+ that it can"):
        loader.load(root=str(tmp_path / "data"), **options, **ALL)


def test_of_two_members_with_one_name_the_digest_decides(outside, tmp_path, monkeypatch):
    path = tar(tmp_path / "data" / cifar10.ARCHIVE, member(BATCH, b"good"), member(BATCH, b"evil"))
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", sha256(path))
    with pytest.raises(UserError, match=r"'data_batch_1.bin' in '.*' is damaged"):
        cifar10.load(root=str(tmp_path / "data"), **ALL)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"\x1f\x8b\x08", gzip.compress(b"no tar file" * 100)],
    ids=["empty", "text", "magic number only", "gzip of no tar file"],
)
@pytest.mark.parametrize("loader", [cifar10, imdb])
def test_what_is_no_archive(loader, content, outside, tmp_path, monkeypatch):
    path = tmp_path / "data" / loader.ARCHIVE
    path.write_bytes(content)
    monkeypatch.setattr(loader, "ARCHIVE_SHA256", sha256(path))
    options = {} if loader is cifar10 else {"path": None, "words": 9, "tokens": 2}
    with pytest.raises(UserError, match=rf"'{path}' is damaged \(.*\): delete it"):
        loader.load(root=str(tmp_path / "data"), **options, **ALL)


@pytest.mark.parametrize("loader", [cifar10, imdb, mnli, fashion_mnist])
def test_a_foreign_archive_is_refused_before_it_is_opened(loader, outside, tmp_path, monkeypatch):
    for opener in ("tarfile.open", "zipfile.ZipFile", "gzip.open"):
        monkeypatch.setattr(opener, lambda *a, **k: pytest.fail("it was opened"))
    folder = tmp_path / "data" / ("FashionMNIST/raw" if loader is fashion_mnist else ".")
    folder.mkdir(parents=True, exist_ok=True)
    name = next(iter(fashion_mnist.SHA256)) if loader is fashion_mnist else loader.ARCHIVE
    (folder / name).write_bytes(b"evil")
    with pytest.raises(UserError, match=rf"{name}' is damaged or half downloaded \(its SHA-256 is wrong\): delete it$"):
        if loader is mnli:
            mnli._official(folder / name)
        elif loader is fashion_mnist:
            fashion_mnist._official(folder)
        else:
            options = {} if loader is cifar10 else {"path": None, "words": 9, "tokens": 2}
            loader.load(root=str(tmp_path / "data"), **options, **ALL)


HEADER = "index\tsentence1\tsentence2\tgold_label\n"
ROW = "0\ta\tb\tneutral\n"


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, target


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../evil", "x"), ("/tmp/evil", "x")], r"is damaged \(.*no item named 'MNLI/train.tsv'"),
        ([link("MNLI/train.tsv", "../../outside/file")], r"MNLI/train.tsv' is damaged .*: replace it"),
        ([("MNLI/train.tsv", HEADER + "x" * (2**20 + 1))], "a line of more than 1048576 characters"),
        ([("MNLI/train.tsv", HEADER.replace("\t", "\u2028"))], "no column sentence1, sentence2, gold_label"),
        ([("MNLI/é.tsv", ROW)], "is damaged"),
    ],
)
def test_a_harmful_mnli_archive(members, message, outside, tmp_path, monkeypatch):
    path = zipped(tmp_path / "data" / mnli.ARCHIVE, members)
    monkeypatch.setattr(mnli, "ARCHIVE_SHA256", sha256(path))
    with pytest.raises(UserError, match=message) as error:
        mnli._official(path)
    assert OUTSIDE not in str(error.value)


def test_a_zip_whose_member_is_damaged(outside, tmp_path, monkeypatch):
    path = zipped(tmp_path / "data" / mnli.ARCHIVE, [("MNLI/train.tsv", HEADER + ROW * 1000)])
    raw = bytearray(path.read_bytes())
    raw[60] ^= 255
    path.write_bytes(raw)
    monkeypatch.setattr(mnli, "ARCHIVE_SHA256", sha256(path))
    with pytest.raises(UserError, match=r"MNLI/train.tsv' is damaged"):
        mnli._official(path)


def idx(*dimensions):
    return struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(2**32 - 1, 28, 28), "it says that it holds 4294967295 examples; allowed: up to 1000000"),
        (idx(1_000_000, 28, 28) + bytes(100), "it says that it holds 784000000 values, and has 100"),
        (idx(1, 28, 28) + bytes(10**7), "it says that it holds 784 values, and has more"),
        (idx(1, 2**16, 2**16), "the pictures of '.*' are 65536x65536, not 28x28"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_idx_file_is_never_larger_than_it_says(content, message, suffix, tmp_path):
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(UserError, match=message):
        fashion_mnist._read(path, (28, 28))


def picture(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(path, **options)
    return path


@pytest.fixture
def tree(tmp_path):
    for name in ("train/a/0.png", "train/b/1.png", "test/a/2.png"):
        picture(tmp_path / "tree" / name)
    return tmp_path / "tree"


def decode(tree):
    return image_folder.load(path=str(tree), image_size=None, **ALL)


def test_links_in_a_users_own_folder_are_followed(tree, tmp_path):
    """Trees of links are how large data sets are shared."""
    picture(tmp_path / "elsewhere" / "3.png")
    (tree / "train" / "c").symlink_to(tmp_path / "elsewhere")
    (tree / "train" / "b" / "4.png").symlink_to(tmp_path / "elsewhere" / "3.png")
    splits = decode(tree)
    assert (splits.classes, splits.train_labels.tolist()) == (("a", "b", "c"), [0, 1, 1, 2])


def png(width, height):
    """A PNG file of one chunk that says it is so large, and is a few bytes."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 6\n%%EndComments\n(evil) (w) file closefile\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bomb.png", png(10_000, 9_000), "it has 10000x9000 pixels, more than 89478485"),
        ("bomb.png", png(60_000, 60_000), "exceeds limit of 178956970 pixels, could be decompression bomb"),
        ("truncated.jpg", None, "truncated"),
        ("program.png", EPS, "cannot identify image file"),
        ("text.webp", b"<script>alert(1)</script>", "cannot identify image file"),
        ("empty.tif", b"", "cannot identify image file"),
        ("loop.png", "loop.png", "Too many levels of symbolic links"),
        ("nowhere.png", "nothing", "No such file"),
        ("folder.png", os.mkdir, "Is a directory"),
    ],
)
def test_a_harmful_picture_is_named(tree, name, content, reason, recwarn):
    path = tree / "train" / "a" / name
    if content is None:
        path.write_bytes(picture(path).read_bytes()[:-20])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.symlink_to(content)
    else:
        content(path)
    with pytest.raises(UserError) as error:
        decode(tree)
    assert str(error.value).startswith(f"image_folder: '{path}' is damaged or no picture (")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_the_formats_are_those_of_the_suffixes(tmp_path):
    for suffix in image_folder.SUFFIXES:
        assert pictures.decode("image_folder", picture(tmp_path / f"a{suffix}")).shape == (3, 6, 5)
    file = picture(tmp_path / "really_png.JPEG", format="PNG")  # ImageNet has one
    assert pictures.decode("imagenet", file).shape == (3, 6, 5)


def test_nothing_is_ever_unpacked():
    """No source unpacks: neither tarfile's nor zipfile's extract, nor shutil.unpack_archive."""
    sources = Path(cifar10.__file__).parents[1].rglob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert "tarfile" in text and "zipfile" in text
    for name in (".extract(", ".extractall(", "unpack_archive"):
        assert name not in text
