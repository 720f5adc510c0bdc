"""The loader on small pictures in both layouts of ImageNet."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from breakeven.data import imagenet
from breakeven.data.dataset import load as load_prepared
from breakeven.data.prepare import prepare
from breakeven.store.errors import UserError

IDS = ("n01440764", "n02102040", "n10565667")
COLOURS = {"n01440764": (250, 10, 20), "n02102040": (10, 240, 30), "n10565667": (20, 30, 230)}


def load(path, image_size=16, train_examples=None, test_examples=None, seed=0, **more):
    options = {"train_examples": train_examples, "test_examples": test_examples, "seed": seed} | more
    return imagenet.load(path=str(path), image_size=image_size, **options)


def save(path, size=(30, 20), mode="RGB", colour=(100, 150, 200)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, "JPEG", quality=95)


@pytest.fixture
def tree(tmp_path):
    """Three training and two validation pictures of each class, each of its own size, in the colour of its class."""
    for split, count in (("train", 3), ("val", 2)):
        for wordnet_id in reversed(IDS):
            for number in range(count):
                name = f"{wordnet_id}_{number}.JPEG" if split == "train" else f"ILSVRC2012_val_{number:08d}.JPEG"
                path = tmp_path / "imagenet" / split / wordnet_id / name
                save(path, (30 + 7 * number, 20 + 11 * number), colour=COLOURS[wordnet_id])
    return tmp_path / "imagenet"


@pytest.fixture
def kaggle(tmp_path, tree):
    """The same pictures as Kaggle has them: validation pictures in one folder, their classes in a table, in any order."""
    root = tmp_path / "kaggle"
    data = root / "ILSVRC" / "Data" / "CLS-LOC"
    shutil.copytree(tree / "train", data / "train")
    (data / "val").mkdir()
    lines = []
    for number, path in enumerate(sorted((tree / "val").rglob("*.JPEG"))):
        name = f"ILSVRC2012_val_{number:08d}"
        shutil.copy(path, data / "val" / f"{name}.JPEG")
        lines.append(f"{name},{path.parent.name} 1 2 3 4 {path.parent.name} 5 6 7 8 \n")
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(reversed(lines)))
    return root


def check(splits, size=16):
    assert (splits.classes, splits.words) == (IDS, None)
    for images, labels, count in (
        (splits.train_inputs, splits.train_labels, 3),
        (splits.test_inputs, splits.test_labels, 2),
    ):
        assert (images.dtype, images.shape) == (np.uint8, (3 * count, 3, size, size))
        assert (labels.dtype, labels.tolist()) == (np.int64, [label for label in range(3) for _ in range(count)])
        for image, label in zip(images, labels, strict=True):
            difference = image.astype(int) - np.array(COLOURS[IDS[label]])[:, None, None]
            assert np.abs(difference).max() <= 4  # JPEG alters pixels a little


def test_folders(tree):
    check(load(tree))
    check(load(tree, 31), 31)


def test_kaggle(kaggle):
    check(load(kaggle))


def test_kaggle_from_its_inner_folder(kaggle):
    check(load(kaggle / "ILSVRC" / "Data" / "CLS-LOC"))


def test_other_files_are_left_out(tree, capsys):
    (tree / "train" / "__MACOSX").mkdir()
    (tree / "val" / IDS[0] / ".ipynb_checkpoints").mkdir()
    (tree / "train" / "notes.txt").write_text("no class")
    (tree / "train" / "n1").mkdir()
    (tree / "train" / IDS[0] / "notes.txt").write_text("no picture")
    (tree / "train" / IDS[0] / "._n01440764_0.JPEG").write_text("no picture")
    check(load(tree))
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert told == [
        f"imagenet: left out of '{tree}/train': 1 of the files, which are no pictures by their names: .txt (1); 2 of the "
        "files and folders beside the classes'"
    ]


def test_pictures_of_other_suffixes_and_in_folders_in_a_class(tree):
    """The first and the last of the first class."""
    for name in ("0.png", "z/0.webp"):
        path = tree / "train" / IDS[0] / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (30, 40), (1, 2, 3)).save(path, lossless=True)
    images = load(tree).train_inputs
    assert images.shape[0] == 11
    for image in images[[0, 4]]:
        np.testing.assert_array_equal(image[:, 4, 5], [1, 2, 3])


def test_what_is_left_out_of_kaggles_val(kaggle, capsys):
    val = kaggle / "ILSVRC/Data/CLS-LOC/val"
    for name in ("._ILSVRC2012_val_00000000.JPEG", "notes.txt"):
        (val / name).write_text("no picture")
    check(load(kaggle))
    assert f"imagenet: left out of '{val}': 1 of the files, which are no pictures" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_pictures_become_rgb(tree, mode):
    path = tree / "train" / IDS[0] / "a.JPEG"
    save(path, mode=mode, colour=(120, 120, 120))
    with Image.open(path) as picture:
        assert picture.mode == mode
    image = load(tree).train_inputs[0]
    assert np.abs(image.astype(int) - 120).max() <= 4


def test_a_png_by_the_name_of_a_jpeg(tree):
    """ImageNet has one."""
    Image.new("RGBA", (30, 40), (1, 2, 3, 255)).save(tree / "train" / IDS[0] / "a.JPEG", "PNG")
    np.testing.assert_array_equal(load(tree).train_inputs[0, :, 4, 5], [1, 2, 3])


@pytest.mark.parametrize("size", [(64, 32), (32, 64)])
def test_resized_to_256_for_224_and_the_middle_cut_out(tree, size):
    """32 pixels at 28 need no resizing, so that the crop is known exactly."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([x, y, x + y], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(tree / "train" / IDS[0] / "a.JPEG", "PNG")
    left, top = (width - 28) // 2, (height - 28) // 2
    expected = pixels[top : top + 28, left : left + 28].transpose(2, 0, 1)
    np.testing.assert_array_equal(load(tree, 28).train_inputs[0], expected)


def test_subsets(tree):
    """Drawn with the seed; what is not drawn is not decoded."""
    first, again, other = (load(tree, train_examples=4, test_examples=3, seed=seed) for seed in (0, 0, 1))
    assert (first.train_inputs.shape, first.test_inputs.shape) == ((4, 3, 16, 16), (3, 3, 16, 16))
    np.testing.assert_array_equal(first.train_inputs, again.train_inputs)
    np.testing.assert_array_equal(first.test_inputs, again.test_inputs)
    assert first.train_labels.tolist() == sorted(first.train_labels)
    assert any(
        not np.array_equal(getattr(first, name), getattr(other, name)) for name in ("train_labels", "test_labels")
    )
    chosen = np.random.default_rng([0, 0]).permutation(9)[:4]
    for number, path in enumerate(sorted((tree / "train").rglob("*.JPEG"))):
        if number not in chosen:
            path.write_bytes(b"no picture")
    np.testing.assert_array_equal(load(tree, train_examples=4, test_examples=3).train_inputs, first.train_inputs)


def test_a_subset_larger_than_the_folder(tree):
    with pytest.raises(UserError, match=r"10 examples asked for, '.*train' has 9"):
        load(tree, train_examples=10)


@pytest.mark.parametrize("missing", ["train", "val"])
def test_a_missing_split(tree, missing):
    shutil.rmtree(tree / missing)
    with pytest.raises(UserError, match=f"has no folder '{missing}'.*without an account"):
        load(tree)


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="nowhere' has no folder 'train'"):
        load(tmp_path / "nowhere")


def test_folders_that_are_no_wordnet_ids(tmp_path):
    for split in ("train", "val"):
        save(tmp_path / split / "cat" / "0.JPEG")
    with pytest.raises(UserError, match=r"train' has no folders nXXXXXXXX"):
        load(tmp_path)


def test_a_class_that_is_only_in_val(tree):
    save(tree / "val" / "n99999999" / "0.JPEG")
    with pytest.raises(UserError, match="has classes that 'train' has not: n99999999"):
        load(tree)


@pytest.mark.parametrize("split", ["train", "val"])
def test_no_pictures(tree, split):
    for path in (tree / split).rglob("*.JPEG"):
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(UserError, match=f"no pictures in '.*{split}/{IDS[0]}'"):
        load(tree)


def test_no_pictures_in_kaggles_val(kaggle):
    for path in (kaggle / "ILSVRC/Data/CLS-LOC/val").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"no pictures in '.*val'"):
        load(kaggle)


def test_kaggle_without_its_table(kaggle):
    (kaggle / "LOC_val_solution.csv").unlink()
    with pytest.raises(UserError, match=r"val' has no folders nXXXXXXXX, and there is no '.*LOC_val_solution\.csv'"):
        load(kaggle)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ImageId,PredictionString\n", "has no line for '.*val_00000000.JPEG'"),
        (b"ImageId,PredictionString\nILSVRC2012_val_00000000,n99999999 1 2 3 4\n", "has class 'n99999999' for"),
        (b"ImageId,PredictionString\nILSVRC2012_val_00000000\n", "is damaged or no table"),
        (b"ImageId,PredictionString\nILSVRC2012_val_00000000,\n", "is damaged or no table"),
        (b"ImageId,Class\nILSVRC2012_val_00000000,n01440764\n", "is damaged or no table"),
        (b"\xff\xfe", "is damaged or no table"),
    ],
)
def test_a_table_that_is_damaged_or_foreign(kaggle, content, message):
    (kaggle / "LOC_val_solution.csv").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load(kaggle)
    assert f"'{kaggle}/LOC_val_solution.csv'" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no picture at all", None])
def test_a_damaged_picture_is_named(tree, content):
    path = tree / "train" / IDS[1] / f"{IDS[1]}_1.JPEG"
    path.write_bytes(path.read_bytes()[:400] if content is None else content)
    with pytest.raises(UserError, match=r"imagenet: .* is damaged or no picture") as error:
        load(tree)
    assert f"'{path}'" in str(error.value)


def test_decoded_pictures_are_in_a_file_that_goes_with_them(tree, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def mapped_files():
        return Path("/proc/self/maps").read_text().count(str(scratch))

    splits = load(tree)
    assert isinstance(splits.train_inputs, np.memmap)
    assert list(scratch.iterdir()) == []  # no name: gone even if the process is killed
    assert mapped_files() == 2
    del splits
    gc.collect()
    assert mapped_files() == 0


def test_in_grey(tree):
    """One channel, the luma of the three."""
    rgb, grey = load(tree), load(tree, colours="grey")
    assert grey.train_inputs.shape == (len(rgb.train_inputs), 1, *rgb.train_inputs.shape[2:])
    luma = np.tensordot(rgb.train_inputs, [0.299, 0.587, 0.114], axes=(1, 0))
    assert np.abs(grey.train_inputs[:, 0] - luma).max() <= 0.51


def test_no_room_for_the_decoded_pictures(tree, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"no room for 0\.0 GB .* \(No space left on device\): set .* TMPDIR"):
        load(tree)


def test_prepared(tree, tmp_path):
    spec = {"loader": "imagenet", "path": str(tree), "image_size": 16, "train_examples": 7, "measured_fraction": 0.5}
    prepare(spec, tmp_path / "prepared")
    dataset = load_prepared(tmp_path / "prepared", torch.device("cpu"))
    splits = load(tree, train_examples=7)
    np.testing.assert_array_equal(dataset.train_inputs.numpy(), splits.train_inputs)
    np.testing.assert_array_equal(dataset.train_labels.numpy(), splits.train_labels)
