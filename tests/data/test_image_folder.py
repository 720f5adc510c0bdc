import itertools
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from breakeven.data import image_folder
from breakeven.data.dataset import load as load_prepared
from breakeven.data.pictures import SUFFIXES
from breakeven.data.prepare import prepare
from breakeven.store.errors import UserError
from tests.config.example import edited, mistakes, plan_of
from tests.tiny import tiny_spec
from tests.tiny_pipeline import RATES, Pipeline


def load(path, image_size=None, train_examples=None, test_examples=None, seed=0, **more):
    options = {"train_examples": train_examples, "test_examples": test_examples, "seed": seed} | more
    return image_folder.load(path=str(path), image_size=image_size, **options)


def save(path, pixels, mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path, **options)


@pytest.fixture
def draws():
    return np.random.default_rng(0)


@pytest.fixture
def tree(tmp_path, draws):
    """PNG files of 6×4 pixels (width × height); returns the folder and the pixels by split, class and name."""
    pixels = {}
    for split, count in (("train", 5), ("test", 2)):
        for label, number in itertools.product(("cat", "dog", "ant"), range(count)):
            picture = draws.integers(0, 256, (4, 6, 3), dtype=np.uint8)
            pixels[split, label, f"{number}.png"] = picture
            save(tmp_path / split / label / f"{number}.png", picture)
    return tmp_path, pixels


def expected(pixels, split):
    """In the order of classes and names."""
    keys = sorted(key for key in pixels if key[0] == split)
    classes = ["ant", "cat", "dog"]
    return np.stack([pixels[key].transpose(2, 0, 1) for key in keys]), [classes.index(key[1]) for key in keys]


def test_png(tree):
    folder, pixels = tree
    splits = load(folder)
    assert splits.classes == ("ant", "cat", "dog")
    for split, images, labels in (
        ("train", splits.train_inputs, splits.train_labels),
        ("test", splits.test_inputs, splits.test_labels),
    ):
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.shape[1:] == (3, 4, 6)
        of_files, of_folders = expected(pixels, split)
        np.testing.assert_array_equal(images, of_files)
        assert labels.tolist() == of_folders


def test_jpeg(tmp_path):
    """JPEG alters pixels a little; plain colours stay within two of 255."""
    colours = {"red": (250, 10, 20), "blue": (10, 20, 250)}
    for split, (name, colour) in itertools.product(("train", "test"), colours.items()):
        save(tmp_path / split / name / "a.JPG", np.full((8, 8, 3), colour, np.uint8), format="JPEG", quality=95)
    splits = load(tmp_path)
    assert splits.classes == ("blue", "red")
    for image, name in zip(splits.train_inputs, splits.classes, strict=True):
        difference = image.astype(int) - np.array(colours[name])[:, None, None]
        assert np.abs(difference).max() <= 2


def test_grey_pictures_become_rgb_and_other_files_are_left_out(tmp_path, draws):
    grey = draws.integers(0, 256, (4, 4), dtype=np.uint8)
    for split in ("train", "test"):
        save(tmp_path / split / "a" / "1.png", grey, mode="L")
        (tmp_path / split / "a" / "notes.txt").write_text("no picture")
        (tmp_path / split / "read.me").write_text("no class")
    splits = load(tmp_path)
    np.testing.assert_array_equal(splits.train_inputs, np.broadcast_to(grey, (1, 3, 4, 4)))


@pytest.mark.parametrize("image_size", [None, 3])
def test_grey_pictures_may_stay_of_one_channel(tree, tmp_path, draws, image_size):
    """Each as one of the channels that it would have; of colours, the luma."""
    grey, folder = draws.integers(0, 256, (4, 6), dtype=np.uint8), tmp_path / "grey"
    for split in ("train", "test"):
        save(folder / split / "a" / "1.png", grey, mode="L")
        save(folder / split / "a" / "2.png", np.repeat(grey[..., None], 3, axis=2))
        Image.fromarray(grey.astype(np.uint16) * 257).save(folder / split / "a" / "3.png")
    rgb, one = load(folder, image_size), load(folder, image_size, colours="grey")
    assert one.train_inputs.shape[1] == 1 and one.test_inputs.dtype == np.uint8
    np.testing.assert_array_equal(one.train_inputs, rgb.train_inputs[:, :1])
    rgb, one = load(tree[0], image_size), load(tree[0], image_size, colours="grey")
    luma = np.tensordot(rgb.train_inputs, [0.299, 0.587, 0.114], axes=(1, 0))
    assert np.abs(one.train_inputs[:, 0] - luma).max() <= 0.51


def test_what_systems_leave_behind_is_neither_a_class_nor_a_picture(tree, capsys):
    folder, _ = tree
    before = load(folder)
    capsys.readouterr()
    for split in ("train", "test"):
        for name in (".ipynb_checkpoints", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", ".git"):
            for place in (folder / split, folder / split / "cat"):
                save(place / name / "0.png", np.zeros((9, 9, 3), np.uint8))
        for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
            (folder / split / "dog" / name).write_bytes(b"no picture")
            (folder / split / name).write_bytes(b"no picture")
    after = load(folder)
    assert after.classes == ("ant", "cat", "dog")
    for name in ("train_inputs", "train_labels", "test_inputs", "test_labels"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert "left out" not in capsys.readouterr().err


def test_what_is_left_out_is_told_in_a_line(tree, capsys):
    folder, _ = tree
    load(folder)
    assert "left out" not in capsys.readouterr().err
    for name in ("dog/a.txt", "dog/b.TXT", "cat/c.xcf", "cat/deeper/d.svg", "ant/README", "read.me", "0.png"):
        (folder / "train" / name).parent.mkdir(exist_ok=True)
        (folder / "train" / name).write_bytes(b"no picture")
    for number in range(6):
        (folder / "test" / "dog" / f"x.{number}").write_bytes(b"no picture")
    assert len(load(folder).train_inputs) == 15
    told = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert told == [
        f"image_folder: left out of '{folder}/train': 5 of the files, which are no pictures by their names: .txt (2), "
        "no suffix (1), .xcf (1), .svg (1); 2 of the files and folders beside the classes'",
        f"image_folder: left out of '{folder}/test': 6 of the files, which are no pictures by their names: .0 (1), .1 (1), "
        ".2 (1), .3 (1), .4 (1) and 1 more",
    ]


def test_a_picture_of_each_suffix(tmp_path):
    """Also in capital letters; in folders in a class's; by links; in the order of names and folders."""
    names = [f"{number:02d}{suffix}" for number, suffix in enumerate(SUFFIXES)]
    assert {".gif", ".jfif", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".png", ".ppm", ".pgm", ".pbm"} < set(SUFFIXES)
    for number, name in enumerate(names):
        pixels = np.full((4, 6, 3), 10 * number, np.uint8)
        save(tmp_path / "train" / "a" / name, pixels)
        save(tmp_path / "train" / "a" / "05a" / "deeper" / name.upper(), pixels + 100)
        save(tmp_path / "train" / "b" / name, pixels)
    (tmp_path / "train" / "a" / "05a" / "above").symlink_to(tmp_path / "train" / "a")
    (tmp_path / "test").symlink_to(tmp_path / "train")
    splits = load(tmp_path)
    means = splits.train_inputs[splits.train_labels == 0].mean(axis=(1, 2, 3))
    levels = 10 * np.arange(len(SUFFIXES))
    np.testing.assert_allclose(means, [*levels[:6], *(levels + 100), *levels[6:]], atol=1)
    assert np.bincount(splits.test_labels).tolist() == [26, 13]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_without_pictures(tree, split):
    """In either: an empty folder is a mistake. Only test may lack the folder."""
    folder, _ = tree
    (folder / "train" / "cow").mkdir()
    save(folder / "train" / "cow" / "0.png", np.zeros((4, 6, 3), np.uint8))
    (folder / split / "cow").mkdir(exist_ok=True)
    for path in (folder / split / "cow").iterdir():
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(UserError, match=rf"no pictures in '{folder}/{split}/cow' \(looked for .*: put some there or"):
        load(folder)


def test_classes_that_look_the_same(tree):
    """î as one character, or as two: Unicode's forms NFC and NFD."""
    folder, pixels = tree
    one, two = "ma\u00ees", "mai\u0302s"
    save(folder / "train" / one / "0.png", pixels["train", "cat", "0.png"])
    save(folder / "test" / two / "0.png", pixels["train", "cat", "0.png"])
    both = re.escape(r"'ma\xees' and 'mai\u0302s'")
    with pytest.raises(
        UserError, match=f"a class of '{folder}/train' is written in another Unicode form in .*: {both}"
    ):
        load(folder)
    save(folder / "train" / two / "0.png", pixels["train", "cat", "0.png"])
    with pytest.raises(UserError, match=r"has two classes that only Unicode tells apart: .*rename one"):
        load(folder)


def test_many_classes_that_train_has_not(tree, draws):
    folder, pixels = tree
    for number in range(9):
        save(folder / "test" / f"{number}" / "1.png", pixels["test", "cat", "0.png"])
    with pytest.raises(UserError, match="has classes that 'train' has not: 0, 1, 2, 3, 4 and 4 more"):
        load(folder)


def test_image_size_cuts_the_middle_square_out(tmp_path):
    """Of pictures that are twice as wide, or twice as high, the middle half remains; the shrunk colours stay apart."""
    for split in ("train", "test"):
        wide = np.zeros((8, 16, 3), np.uint8)
        wide[:, 4:12] = (200, 100, 50)
        save(tmp_path / split / "a" / "1wide.png", wide)
        save(tmp_path / split / "a" / "2high.png", wide.transpose(1, 0, 2).copy())
        save(tmp_path / split / "a" / "3large.png", np.full((40, 40, 3), (200, 100, 50), np.uint8))
        save(tmp_path / split / "a" / "4small.png", np.full((2, 2, 3), (200, 100, 50), np.uint8))
        save(tmp_path / split / "a" / "5odd.png", np.full((5, 7, 3), (200, 100, 50), np.uint8))
    images = load(tmp_path, image_size=8).train_inputs
    assert images.shape == (5, 3, 8, 8)
    np.testing.assert_array_equal(
        images, np.broadcast_to(np.array([200, 100, 50], np.uint8)[:, None, None], images.shape)
    )
    images = load(tmp_path, image_size=4).train_inputs
    inside = images[:2, :, 1:3, 1:3]  # away from the edges, which the resampling blurs
    np.testing.assert_array_equal(inside, np.broadcast_to(np.array([200, 100, 50])[:, None, None], inside.shape))


def test_image_size_leaves_pictures_of_that_size_alone(tmp_path, draws):
    picture = draws.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    for split in ("train", "test"):
        save(tmp_path / split / "a" / "1.png", picture)
    np.testing.assert_array_equal(load(tmp_path, image_size=5).train_inputs[0], picture.transpose(2, 0, 1))


def test_different_sizes_are_refused_by_name(tree, draws):
    folder, _ = tree
    odd = folder / "train" / "dog" / "3.png"
    save(odd, draws.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    with pytest.raises(
        UserError, match=r"is 9x7, the pictures before it are 6x4: set the data set's 'image_size'"
    ) as error:
        load(folder)
    assert f"'{odd}'" in str(error.value)
    assert load(folder, image_size=4).train_inputs.shape == (15, 3, 4, 4)


def test_different_sizes_of_train_and_test(tmp_path):
    save(tmp_path / "train" / "a" / "1.png", np.zeros((4, 6, 3), np.uint8))
    save(tmp_path / "test" / "a" / "1.png", np.zeros((6, 4, 3), np.uint8))
    with pytest.raises(UserError, match="are 6x4 and test pictures 4x6: set the data set's 'image_size'"):
        load(tmp_path)


def test_a_class_that_only_the_test_set_has(tree):
    folder, pixels = tree
    save(folder / "test" / "cow" / "1.png", pixels["test", "cat", "0.png"])
    with pytest.raises(UserError, match="has classes that 'train' has not: cow"):
        load(folder)


def test_a_class_that_only_the_training_set_has(tree, capsys):
    folder, _ = tree
    for path in (folder / "test" / "cat").iterdir():
        path.unlink()
    (folder / "test" / "cat").rmdir()
    splits = load(folder)
    assert splits.classes == ("ant", "cat", "dog")
    assert splits.test_labels.tolist() == [0, 0, 2, 2]  # a label means the same in both
    assert f"image_folder: '{folder}/test' has no folder for 1 of the classes: cat\n" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_split(tree, missing):
    folder, _ = tree
    (folder / missing).rename(folder / "elsewhere")
    with pytest.raises(UserError, match=f"has no folder '{missing}'"):
        load(folder)


def test_no_pictures(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
    with pytest.raises(UserError, match=r"no pictures in '.*train/a' .*\.webp"):
        load(tmp_path)


def damaged(raw):
    yield b""
    yield b"no picture at all"
    yield raw[: len(raw) // 2]
    with_zeros = bytearray(raw)
    with_zeros[-40:-20] = bytes(20)
    yield bytes(with_zeros)


# zeros in the middle of a JPEG are wrong pixels: it has no checksum that would tell
@pytest.mark.parametrize(
    ("suffix", "kind"), [("png", 0), ("png", 1), ("png", 2), ("png", 3), ("jpg", 0), ("jpg", 1), ("jpg", 2)]
)
def test_an_unreadable_picture_is_named(tree, draws, suffix, kind):
    folder, _ = tree
    path = folder / "train" / "cat" / f"9.{suffix}"
    save(path, draws.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    path.write_bytes(list(damaged(path.read_bytes()))[kind])
    with pytest.raises(UserError, match="is damaged or no picture") as error:
        load(folder)
    assert f"'{path}'" in str(error.value)


def test_a_picture_whose_numbers_make_no_sense(tree):
    """Pillow raises a ValueError for this one."""
    folder, _ = tree
    (folder / "train" / "cat" / "9.ppm").write_bytes(b"P6\nx 4\n255\n" + bytes(72))
    with pytest.raises(UserError, match=r"9\.ppm' is damaged or no picture"):
        load(folder)


def test_a_subset_is_the_same_for_the_same_seed(tree):
    folder, pixels = tree
    first, again, other = (load(folder, train_examples=7, test_examples=4, seed=seed) for seed in (0, 0, 1))
    assert (first.train_inputs.shape, first.test_inputs.shape) == ((7, 3, 4, 6), (4, 3, 4, 6))
    np.testing.assert_array_equal(first.train_inputs, again.train_inputs)
    np.testing.assert_array_equal(first.test_inputs, again.test_inputs)
    assert not np.array_equal(first.train_inputs, other.train_inputs)
    label_of = {picture.transpose(2, 0, 1).tobytes(): key[1] for key, picture in pixels.items() if key[0] == "train"}
    drawn = [image.tobytes() for image in first.train_inputs]
    assert len(set(drawn)) == 7
    assert [label_of[image] for image in drawn] == [first.classes[label] for label in first.train_labels]


def test_only_the_subset_is_decoded(tree):
    folder, _ = tree
    for path in sorted((folder / "train").rglob("*.png"))[5:]:
        path.write_bytes(b"no picture")
    for seed in range(2000):
        chosen = np.random.default_rng([seed, 0]).permutation(15)[:2]
        if chosen.max() < 5:
            assert len(load(folder, train_examples=2, seed=seed).train_inputs) == 2
            return
    pytest.fail("no seed draws two of the five good pictures")


def test_a_subset_larger_than_the_folder(tree):
    with pytest.raises(UserError, match=r"16 examples asked for, '.*train' has 15"):
        load(tree[0], train_examples=16)


def test_prepared(tree):
    """From the folder to what a training reads, with subsets drawn once and not twice."""
    folder, _ = tree
    spec = {"loader": "image_folder", "path": str(folder), "train_examples": 7, "test_examples": 4, "seed": 3}
    prepare(spec, folder / "prepared")
    dataset = load_prepared(folder / "prepared", torch.device("cpu"))
    splits = load(folder, train_examples=7, test_examples=4, seed=3)
    np.testing.assert_array_equal(dataset.train_inputs.numpy(), splits.train_inputs)
    np.testing.assert_array_equal(dataset.test_labels.numpy(), splits.test_labels)


def test_in_grey_through_all_stages(tree):
    """The first λ_K^1 and λ_H^1 of a run, and its data set, which the config names with the one setting."""
    folder, _ = tree
    text = edited(
        ("digits: {loader: digits}", f"grey: {{loader: image_folder, path: '{folder}', colours: grey}}"),
        ("dataset: digits", "dataset: grey"),
    )
    [use] = plan_of(folder, text).datasets.values()
    assert dict(use.spec) == {"loader": "image_folder", "path": str(folder), "colours": "grey"}
    assert mistakes(folder, text.replace("colours: grey", "colours: gray")) == [
        "datasets.grey.colours: 'gray' is not known; allowed: grey, rgb; did you mean 'grey'?"
    ]
    spec = dict(use.spec) | {"measured_fraction": 1.0}

    class Grey(Pipeline):
        def spec(self, number=0):
            return tiny_spec(dataset=spec, learning_rate=RATES[number], steps=self.steps)

        def prepare(self):
            prepare(spec, self.data)

    made = Grey(folder / "results")
    made.everything()
    assert load_prepared(made.data, torch.device("cpu")).input_shape == (1, 4, 6)
    for name in ("covariance", "hessian"):
        assert (pd.read_csv(made.run() / f"{name}.csv")["lambda_1"] > 0).all()
    assert (made.results / "report.html").is_file()


@pytest.mark.data
def test_real_cifar10(tmp_path):
    """The first pictures of two classes of the real archive: 32×32, in colour, and plausible in their statistics."""
    if "BREAKEVEN_DATA" not in os.environ:
        pytest.skip("BREAKEVEN_DATA is not set: the folder with cifar10.tar.xz")
    wanted = {f"cifar10/test/{label}/{number:04d}.jpg" for label in ("airplane", "automobile") for number in range(20)}
    with tarfile.open(Path(os.environ["BREAKEVEN_DATA"]) / "cifar10.tar.xz", "r|xz") as tar:
        for member in tar:
            if member.name in wanted:
                _, _, label, name = member.name.split("/")
                path = tmp_path / ("train" if name < "0015.jpg" else "test") / label / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tar.extractfile(member).read())
                wanted.remove(member.name)
            if not wanted:
                break
    splits = load(tmp_path)
    assert splits.classes == ("airplane", "automobile")
    assert splits.train_inputs.shape == (30, 3, 32, 32)
    assert splits.test_inputs.shape == (10, 3, 32, 32)
    assert np.bincount(splits.train_labels).tolist() == [15, 15]
    channels = splits.train_inputs.astype(float).mean(axis=(0, 2, 3))
    assert np.all((channels > 80) & (channels < 180))  # the whole training set: 125, 123, 114
    airplanes = splits.train_inputs[splits.train_labels == 0].astype(float).mean(axis=(0, 2, 3))
    assert airplanes[2] > airplanes[0]  # the sky is blue
    assert load(tmp_path, image_size=16).train_inputs.shape == (30, 3, 16, 16)
