"""Archives and pictures that mean harm: nothing leaves their folder, nothing hangs, nothing fills the memory.

Of an official archive, a foreign one is refused by its digest before it is opened. Here it is opened nevertheless, since its
digest is put in the place of the official one: what is in it still does no harm.
"""

import gzip
import io
import itertools
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breakeven.data import cifar10, fashion_mnist, image_folder, imdb, mnli, pictures
from breakeven.store.errors import UserError
from breakeven.store.files import sha256
from tests.security.refusal import refusal

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
    """A folder with a file that nothing may touch or read, beside the folder ``data``, where nothing may be unpacked."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text(OUTSIDE)
    (tmp_path / "data").mkdir()
    yield tmp_path / "outside" / "file"
    assert (tmp_path / "outside" / "file").read_text() == OUTSIDE
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "data"}
    assert len(list((tmp_path / "data").iterdir())) == 1  # nothing was unpacked


@pytest.fixture
def trusted(monkeypatch):
    """Put the digest of an archive in the place of the official one."""
    return lambda loader, path: monkeypatch.setattr(loader, "ARCHIVE_SHA256", sha256(path))


def load(loader, root):
    options = {imdb: {"path": None, "words": 9, "tokens": 2}}.get(loader, {})
    return loader.load(seed=0, train_examples=None, test_examples=None, root=str(root), **options)


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


def test_harmful_members_of_a_cifar10_archive(outside, tmp_path, trusted):
    """Of two members with one name, too, the digest of a batch decides."""
    twice = {"two of one name": lambda name, out: [member(name, b"good"), member(name, b"evil")]}
    for harm, members in (HARMFUL | twice).items():
        path = tar(tmp_path / "data" / cifar10.ARCHIVE, *members(BATCH, outside))
        trusted(cifar10, path)
        told = refusal(lambda: load(cifar10, tmp_path / "data"))
        assert told.startswith("cifar10: 'data_batch_1.bin' in '"), (harm, told)
        assert "gz' is damaged (its SHA-256 is wrong)" in told, (harm, told)


def test_harmful_members_of_an_imdb_archive(outside, tmp_path, trusted):
    folders = [f"aclImdb/{split}/{label}" for split in ("train", "test") for label in ("neg", "pos")]
    good = [member(f"{folder}/1_1.txt", b"good") for folder in folders]
    for harm, members in HARMFUL.items():
        path = tar(tmp_path / "data" / imdb.ARCHIVE, *good, *members(REVIEW, outside))
        trusted(imdb, path)
        splits = load(imdb, tmp_path / "data")
        assert splits.train_inputs.tolist() == [[1, 4], [1, 4]], harm  # the good reviews alone


@pytest.mark.parametrize("loader", [cifar10, imdb])
def test_a_member_that_says_it_is_huge_is_not_read(loader, outside, tmp_path, trusted):
    """100 GB of zeros would be 100 MB in the archive; here they are not even there."""
    name = BATCH if loader is cifar10 else REVIEW
    info, _ = member(name)
    info.size = 10**11
    path = tmp_path / "data" / loader.ARCHIVE
    path.write_bytes(gzip.compress(info.tobuf()))
    trusted(loader, path)
    with pytest.raises(UserError, match=rf"'{name}' in '.*gz' has 100000000000 bytes, more than the \d+ that it can"):
        load(loader, tmp_path / "data")


@pytest.mark.parametrize("loader", [cifar10, imdb])
def test_what_is_no_archive(loader, outside, tmp_path, trusted):
    """Nothing, a text, the magic number alone, and gzip of no tar file."""
    path = tmp_path / "data" / loader.ARCHIVE
    for content in (b"", b"no archive", b"\x1f\x8b\x08", gzip.compress(b"no tar file" * 100)):
        path.write_bytes(content)
        trusted(loader, path)
        told = refusal(lambda: load(loader, tmp_path / "data"))
        assert re.search(rf"'{path}' is damaged \(.*\): delete it", told), (content[:10], told)


def test_a_foreign_archive_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    for opener in ("tarfile.open", "zipfile.ZipFile", "gzip.open"):
        monkeypatch.setattr(opener, lambda *_, **__: pytest.fail("it was opened"))
    raw = tmp_path / "FashionMNIST" / "raw"
    idx_file = raw / next(iter(fashion_mnist.SHA256))
    archives = {loader: tmp_path / loader.ARCHIVE for loader in (cifar10, imdb, mnli)}
    readers = {
        archives[cifar10]: lambda: load(cifar10, tmp_path),
        archives[imdb]: lambda: load(imdb, tmp_path),
        archives[mnli]: lambda: mnli._official(archives[mnli]),
        idx_file: lambda: fashion_mnist._official(raw),
    }
    raw.mkdir(parents=True)
    for path, read in readers.items():
        path.write_bytes(b"evil")
        told = refusal(read)
        assert told.endswith(f"{path.name}' is damaged or half downloaded (its SHA-256 is wrong): delete it"), told


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


ZIPS = {
    "names that lead out": ([("../evil", "x"), ("/tmp/evil", "x")], r"is damaged \(.*no item named 'MNLI/train.tsv'"),
    "a link": ([link("MNLI/train.tsv", "../../outside/file")], r"MNLI/train.tsv' is damaged .*: replace it"),
    "an endless line": ([("MNLI/train.tsv", HEADER + "x" * (2**20 + 1))], "a line of more than 1048576 characters"),
    "odd tabs": ([("MNLI/train.tsv", HEADER.replace("\t", "\u2028"))], "no column sentence1, sentence2, gold_label"),
    "an odd name": ([("MNLI/é.tsv", ROW)], "is damaged"),
}


def test_harmful_members_of_an_mnli_archive(outside, tmp_path, trusted):
    for harm, (members, message) in ZIPS.items():
        path = zipped(tmp_path / "data" / mnli.ARCHIVE, members)
        trusted(mnli, path)
        told = refusal(lambda: mnli._official(tmp_path / "data" / mnli.ARCHIVE))
        assert re.search(message, told) and OUTSIDE not in told, (harm, told)

    path = zipped(tmp_path / "data" / mnli.ARCHIVE, [("MNLI/train.tsv", HEADER + ROW * 1000)])
    raw = bytearray(path.read_bytes())
    raw[60] ^= 255
    path.write_bytes(raw)
    trusted(mnli, path)
    assert "MNLI/train.tsv' is damaged" in refusal(lambda: mnli._official(path))


def idx(*dimensions):
    return struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions)


IDX = (
    (idx(2**32 - 1, 28, 28), "it says that it holds 4294967295 examples; allowed: up to 1000000"),
    (idx(1_000_000, 28, 28) + bytes(100), "it says that it holds 784000000 values, and has 100"),
    (idx(1, 28, 28) + bytes(10**7), "it says that it holds 784 values, and has more"),
    (idx(1, 2**16, 2**16), "are 65536x65536, not 28x28"),
)


def test_an_idx_file_is_never_larger_than_it_says(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte"
    for (content, message), suffix in itertools.product(IDX, ("", ".gz")):
        file = path.with_suffix(suffix)
        file.write_bytes(gzip.compress(content) if suffix else content)
        assert message in refusal(lambda file=file: fashion_mnist._read(file, (28, 28))), suffix


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
    return image_folder.load(path=str(tree), image_size=None, seed=0, train_examples=None, test_examples=None)


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


PICTURES = {
    "bomb.png": (png(10_000, 9_000), "it has 10000x9000 pixels, more than 89478485"),
    "larger_bomb.png": (png(60_000, 60_000), "exceeds limit of 178956970 pixels, could be decompression bomb"),
    "truncated.jpg": (None, "truncated"),
    "program.png": (EPS, "cannot identify image file"),
    "text.webp": (b"<script>alert(1)</script>", "cannot identify image file"),
    "empty.tif": (b"", "cannot identify image file"),
    "loop.png": ("loop.png", "Too many levels of symbolic links"),
    "nowhere.png": ("nothing", "No such file"),
}


def test_a_harmful_picture_is_named(tree):
    for name, (content, reason) in PICTURES.items():
        path = tree / "train" / "a" / name
        if content is None:
            path.write_bytes(picture(path).read_bytes()[:-20])
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.symlink_to(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's of a bomb
            told = refusal(lambda: decode(tree))
        assert told.startswith(f"image_folder: '{path}' is damaged or no picture ("), told
        assert reason in told, (name, told)
        if path.is_symlink():
            path.unlink()
        else:
            path.rename(path.with_suffix(".seen"))


def test_the_formats_are_those_of_the_suffixes(tmp_path):
    for suffix in pictures.SUFFIXES:
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
