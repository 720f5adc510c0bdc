import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from breakeven.data import dataset as dataset_module
from breakeven.data import prepare as module
from breakeven.data import registry
from breakeven.data.dataset import load
from breakeven.data.prepare import channel_statistics, prepare
from breakeven.data.splits import Splits
from breakeven.store.errors import UserError
from tests.tiny import TEST, TRAIN, tiny_dataset, tiny_splits

CPU = torch.device("cpu")


def arrays_of(folder, **options):
    prepare({"loader": "digits"} | options, folder)
    return load_file(folder / "data.safetensors")


def test_digits(tmp_path):
    arrays = arrays_of(tmp_path)
    assert {name: (array.dtype, array.shape) for name, array in arrays.items()} == {
        "train_inputs": (np.uint8, (1437, 1, 8, 8)),
        "train_labels": (np.int64, (1437,)),
        "test_inputs": (np.uint8, (360, 1, 8, 8)),
        "test_labels": (np.int64, (360,)),
        "measured": (np.int64, (72,)),  # 5 %
        "evaluated": (np.int64, (1437,)),
    }
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((tmp_path / "data.safetensors").read_bytes()).hexdigest()
    mean, std = manifest.pop("mean"), manifest.pop("std")
    assert manifest == {
        "spec": {"loader": "digits"},
        "sha256": digest,
        "inputs": "pictures",
        "input_shape": [1, 8, 8],
        "classes": list("0123456789"),
        "train_class_counts": [int((arrays["train_labels"] == label).sum()) for label in range(10)],
        "test_class_counts": [int((arrays["test_labels"] == label).sum()) for label in range(10)],
        "measured_examples": 72,
    }
    pixels = arrays["train_inputs"].astype(np.float64)
    np.testing.assert_allclose([*mean, *std], [pixels.mean(), pixels.std()], rtol=1e-13)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.safetensors",
        "manifest.json",
    ]


def test_the_same_specification_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        arrays_of(tmp_path / name, train_examples=100)
    for file in ("data.safetensors", "manifest.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_measured_subset(tmp_path):
    """Drawn once and without repetition; a larger fraction begins with the smaller one's examples."""
    five, ten, other = (
        arrays_of(tmp_path / name, **options)["measured"]
        for name, options in (("a", {}), ("b", {"measured_fraction": 0.1}), ("c", {"seed": 1}))
    )
    assert (len(five), len(ten)) == (72, 144)
    assert len(np.unique(ten)) == 144
    assert set(ten) <= set(range(1437))
    np.testing.assert_array_equal(ten[:72], five)
    assert not np.array_equal(np.sort(five), np.sort(other))
    everything = arrays_of(tmp_path / "d", measured_fraction=1.0)["measured"]
    np.testing.assert_array_equal(np.sort(everything), np.arange(1437))


def test_subsets(tmp_path):
    everything, subset, other = (
        arrays_of(tmp_path / name, **options)
        for name, options in (
            ("all", {}),
            ("some", {"train_examples": 100, "test_examples": 30, "measured_fraction": 0.25}),
            ("other", {"train_examples": 100, "test_examples": 30, "seed": 1}),
        )
    )
    for split, count in (("train", 100), ("test", 30)):
        pairs, of_all, of_other = (
            {
                (image.tobytes(), int(label))
                for image, label in zip(arrays[f"{split}_inputs"], arrays[f"{split}_labels"], strict=True)
            }
            for arrays in (subset, everything, other)
        )
        assert len(pairs) == count
        assert pairs < of_all
        assert pairs != of_other
    assert len(subset["measured"]) == 25
    assert subset["measured"].max() < 100
    pixels = subset["train_inputs"].astype(np.float64)
    mean = json.loads((tmp_path / "some" / "manifest.json").read_text())["mean"]
    np.testing.assert_allclose(mean, [pixels.mean()], rtol=1e-13)  # of the examples that are trained on


def test_a_subset_larger_than_the_data(tmp_path):
    with pytest.raises(UserError, match="train_examples is 1438, but the data set has only 1437"):
        arrays_of(tmp_path, train_examples=1438)
    assert list(tmp_path.iterdir()) == []


def test_every_loader_is_called_in_the_same_way(tmp_path, monkeypatch):
    """The common options, and its own that are not at their default, which stands in its signature; and the location."""
    calls = []

    def loader(name):
        return lambda **options: calls.append((name, options)) or tiny_splits()

    monkeypatch.setattr(module, "loader", loader)
    prepare({"loader": "digits", "seed": 4}, tmp_path / "a")
    prepare({"loader": "cifar10", "train_examples": 20}, tmp_path / "b", {"root": "/data"})
    prepare({"loader": "image_folder", "path": "x", "test_examples": 5}, tmp_path / "c")
    common = {"seed": 0, "train_examples": None, "test_examples": None}
    assert calls == [
        ("digits", common | {"seed": 4}),
        ("cifar10", common | {"train_examples": 20, "root": "/data"}),
        ("image_folder", common | {"test_examples": 5, "path": "x"}),
    ]
    assert len(load_file(tmp_path / "b" / "data.safetensors")["train_labels"]) == 20
    assert len(load_file(tmp_path / "c" / "data.safetensors")["test_labels"]) == 5


def test_the_registry_names_modules_with_a_loader():
    assert all(callable(registry.loader(name)) for name in registry.LOADERS)


def test_statistics_per_channel():
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (50, 4, 7, 5), dtype=np.uint8)
    images[:, 1] //= 50
    images[:, 2] = 255
    images[:, 3] = 0
    mean, std = channel_statistics(images)
    pixels = images.astype(np.float64)
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(std[:2], pixels.std(axis=(0, 2, 3))[:2], rtol=1e-13)
    assert std[2:].tolist() == [1, 1]  # a constant channel is divided by 1


def test_at_most_10000_examples_are_evaluated(tmp_path):
    images = np.zeros((10_050, 1, 1, 1), dtype=np.uint8)
    labels = np.zeros(10_050, dtype=np.int64)
    module.write(Splits(images, labels, images[:1], labels[:1], ("a",)), {}, tmp_path, 0.001, 0, None, None)
    arrays = load_file(tmp_path / "data.safetensors")
    assert len(np.unique(arrays["evaluated"])) == 10_000
    assert np.all(np.diff(arrays["evaluated"]) > 0)
    assert len(arrays["measured"]) == 10


def test_what_is_loaded_is_what_was_prepared(tmp_path):
    splits = tiny_splits()
    dataset = load(tiny_dataset(tmp_path), CPU)
    assert np.array_equal(dataset.train_inputs.numpy(), splits.train_inputs)
    assert np.array_equal(dataset.test_labels.numpy(), splits.test_labels)
    assert (dataset.input_shape, dataset.classes) == ((2, 8, 6), 3)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        inputs = dataset.inputs(dataset.train_inputs, dtype)
        assert inputs.dtype == dtype
        pixels = splits.train_inputs.astype(np.float64)
        mean, std = pixels.mean(axis=(0, 2, 3), keepdims=True), pixels.std(axis=(0, 2, 3), keepdims=True)
        np.testing.assert_allclose(inputs.numpy(), (pixels - mean) / std, rtol=0, atol=tolerance)
        measured, targets = dataset.measured_examples(dtype)
        assert torch.equal(measured, inputs[dataset.measured])
        assert torch.equal(targets, dataset.train_labels[dataset.measured])


RIGHT = tiny_splits()
TEXTS = replace(
    RIGHT,
    train_inputs=np.zeros((TRAIN, 5), np.int32),
    test_inputs=np.zeros((TEST, 5), np.int32),
    words=4,
)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "a NoneType; allowed: breakeven.data.splits.Splits"),
        # inputs
        (replace(RIGHT, train_inputs=RIGHT.train_inputs / 255), "training pictures that are float64 of shape"),
        (replace(RIGHT, test_inputs=RIGHT.test_inputs > 9), "test pictures that are bool of shape"),
        (replace(RIGHT, test_inputs=RIGHT.test_inputs.astype(object)), "test pictures that are object of shape"),
        (replace(RIGHT, test_inputs=RIGHT.test_inputs[:, 0]), f"test pictures that are uint8 of shape ({TEST}, 8, 6)"),
        (replace(RIGHT, train_inputs=RIGHT.train_inputs.tolist()), "pictures of type list; allowed: an array of NumPy"),
        (
            replace(RIGHT, test_inputs=torch.from_numpy(RIGHT.test_inputs)),
            "test pictures of type Tensor; allowed: an array",
        ),
        (replace(RIGHT, test_inputs=None, test_labels=None), "test pictures of type NoneType; allowed: an array"),
        (replace(RIGHT, train_inputs=np.ma.masked_less(RIGHT.train_inputs, 9)), "MaskedArray; allowed: an array"),
        (replace(RIGHT, train_inputs=np.uint8(3)), "training pictures of type uint8; allowed: an array"),
        (replace(RIGHT, train_inputs=RIGHT.train_inputs[:, :, :7]), "of shape (2, 7, 6), test examples of (2, 8, 6)"),
        (replace(RIGHT, train_inputs=RIGHT.train_inputs[..., :0]), "(43, 2, 8, 0); allowed: at least one example"),
        (
            replace(RIGHT, test_inputs=RIGHT.test_inputs[:0], test_labels=RIGHT.test_labels[:0]),
            "test pictures that are uint8 of shape (0, 2, 8, 6); allowed: at least one example",
        ),
        (
            replace(RIGHT, train_inputs=RIGHT.train_inputs[:0], train_labels=RIGHT.train_labels[:0]),
            "training pictures that are uint8 of shape (0, 2, 8, 6); allowed: at least one example",
        ),
        # texts
        (replace(TEXTS, train_inputs=np.zeros((TRAIN, 5))), "training texts that are float64 of shape"),
        (replace(TEXTS, test_inputs=TEXTS.test_inputs[:, 0]), f"test texts that are int32 of shape ({TEST},)"),
        (replace(TEXTS, test_inputs=TEXTS.test_inputs[:, :0]), f"int32 of shape ({TEST}, 0); allowed: at least one"),
        (
            replace(TEXTS, test_inputs=TEXTS.test_inputs[:, :4]),
            "training examples of shape (5,), test examples of (4,)",
        ),
        (
            replace(TEXTS, train_inputs=changed(TEXTS.train_inputs, (2, 1), 4)),
            "training numbers of words from 0 to 4; allowed: 0 to 3",
        ),
        *(
            (replace(TEXTS, words=words), f"words={words!r}; allowed: None for pictures, for texts the size of")
            for words in (0, 2.0, "4", True)
        ),
        # labels
        (replace(RIGHT, train_labels=RIGHT.train_labels[:20]), "training labels that are 20 for 43 examples"),
        (replace(RIGHT, test_labels=np.append(RIGHT.test_labels, 0)), "test labels that are 12 for 11 examples"),
        (replace(RIGHT, test_labels=RIGHT.test_labels.astype(np.int32)), "test labels that are int32 of shape (11,)"),
        (replace(RIGHT, train_labels=RIGHT.train_labels > 0), "training labels that are bool of shape"),
        (replace(RIGHT, train_labels=RIGHT.train_labels * 1.0), "training labels that are float64 of shape"),
        (
            replace(RIGHT, train_labels=np.eye(3, dtype=np.int64)[RIGHT.train_labels]),
            "training labels that are int64 of shape (43, 3); allowed: int64 of shape (43,)",
        ),
        (replace(RIGHT, test_labels=np.array(list("abcabcabcab"))), "test labels that are <U1 of shape"),
        (replace(RIGHT, test_labels=np.int64(1)), "test labels of type int64; allowed: an array"),
        (replace(RIGHT, train_labels=torch.from_numpy(RIGHT.train_labels)), "training labels of type Tensor"),
        (replace(RIGHT, train_labels=RIGHT.train_labels + 1), "training labels from 1 to 3; allowed: 0 to 2"),
        (replace(RIGHT, train_labels=changed(RIGHT.train_labels, 3, -1)), "labels from -1 to 2; allowed: 0 to 2"),
        (replace(RIGHT, test_labels=changed(RIGHT.test_labels, 1, 3)), "test labels from 0 to 3; allowed: 0 to 2"),
        # classes
        *(
            (
                replace(RIGHT, classes=classes),
                f"the classes {classes!r}; allowed: a tuple of at least two different names",
            )
            for classes in (3, "abc", None, (), ("a",), ("a", "b", "a"), (0, 1, 2), {"a": 0, "b": 1})
        ),
        (replace(RIGHT, classes=np.array(["a", "b", "c"])), "the classes array("),
    ],
)
def test_what_a_loader_of_the_users_own_may_return(tmp_path, monkeypatch, returned, message):
    monkeypatch.setattr(module, "loader", lambda name: lambda: returned)
    with pytest.raises(UserError, match=f"^loader 'own.py:load' returned .*{re.escape(message)}"):
        prepare({"loader": "own.py:load"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "refused"),
    [
        ((8, 8, 3), True),
        ((28, 28, 1), True),
        ((5, 6, 4), True),
        ((3, 8, 8), False),
        ((1, 28, 28), False),
        ((4, 8, 3), False),
        ((2, 8, 6), False),
        ((64, 4, 4), False),  # what a network made of pictures
        ((16, 1, 1), False),  # numbers that are no picture
        ((2, 8, 3), False),
    ],
)
def test_pictures_whose_channels_are_last(tmp_path, monkeypatch, shape, refused):
    pictures = np.zeros((2, *shape), np.uint8)
    returned = Splits(pictures, np.arange(2), pictures, np.arange(2), ("a", "b"))
    monkeypatch.setattr(module, "loader", lambda name: lambda: returned)
    if refused:
        with pytest.raises(UserError, match=r"looks like \(examples, height, width, channels\); allowed: .*transpose"):
            prepare({"loader": "own.py:load"}, tmp_path)
    else:
        prepare({"loader": "own.py:load"}, tmp_path)


def test_arrays_that_lie_otherwise_in_memory(tmp_path, monkeypatch):
    """Mapped from a file, every second of an array, turned; a list of names, and numbers of NumPy: the same bytes."""
    mapped = np.memmap(tmp_path / "mapped", np.uint8, "w+", shape=RIGHT.train_inputs.shape)
    mapped[:] = RIGHT.train_inputs
    last = np.ascontiguousarray(RIGHT.test_inputs.transpose(0, 2, 3, 1))
    otherwise = Splits(
        mapped,
        np.repeat(RIGHT.train_labels, 2)[::2],
        last.transpose(0, 3, 1, 2),
        RIGHT.test_labels[::-1].copy()[::-1],
        [np.str_(name) for name in RIGHT.classes],
    )
    texts = replace(TEXTS, train_inputs=np.asfortranarray(TEXTS.train_inputs), words=np.int64(4))
    for name, splits in (("a", RIGHT), ("b", otherwise), ("c", TEXTS), ("d", texts)):
        monkeypatch.setattr(module, "loader", lambda _, splits=splits: lambda: splits)
        prepare({"loader": "own.py:load"}, tmp_path / name)
    for one, other in (("a", "b"), ("c", "d")):
        for file in ("data.safetensors", "manifest.json"):
            assert (tmp_path / one / file).read_bytes() == (tmp_path / other / file).read_bytes()


def test_classes_without_a_training_example_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "loader", lambda name: lambda: replace(RIGHT, classes=tuple("abcdefghij")))
    prepare({"loader": "own.py:load"}, tmp_path)
    told = "loader 'own.py:load' has no training example of 7 of 10 classes: d, e, f, g, h and 2 more\n"
    assert told in capsys.readouterr().err
    monkeypatch.setattr(module, "loader", lambda name: lambda: RIGHT)
    prepare({"loader": "own.py:load"}, tmp_path)
    assert "no training example" not in capsys.readouterr().err


OWN = """import numpy as np
{first}
def load(*, rows: int = 2):
    {body}
"""


@pytest.mark.parametrize(
    ("first", "body", "message"),
    [
        (
            "",
            "raise ValueError('no\\nrows')",
            "ValueError: no rows (line 4 of '{file}': raise ValueError('no\\nrows'))",
        ),
        (
            "",
            "np.load('nowhere.npy')",
            "No such file or directory: 'nowhere.npy' (line 4 of '{file}': np.load('nowhere.npy'))",
        ),
        ("", "return np.zeros(3)[rows + 1]", "IndexError: index 3 is out of bounds for axis 0 with size 3 (line 4 of"),
        (
            "import nothing_of_that_name",
            "pass",
            "ModuleNotFoundError: No module named 'nothing_of_that_name' (line 2 of",
        ),
        ("", "assert rows > 2", "AssertionError: (line 4 of '{file}': assert rows > 2)"),
    ],
)
def test_what_a_loader_of_the_users_own_raises(tmp_path, monkeypatch, first, body, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raising.py").write_text(OWN.format(first=first, body=body))
    for file in ("raising.py", str(tmp_path / "raising.py")):  # what a file declares is remembered by its name
        name = f"{file}:load"
        with pytest.raises(
            UserError, match=f"^loader '{name}' raised .*{re.escape(message.format(file=file))}"
        ) as error:
            prepare({"loader": name}, tmp_path / "to")
        assert "\n" not in str(error.value)


def test_what_is_told_or_is_no_mistake_in_the_users_code_stays(tmp_path, monkeypatch):
    for raised, name in (
        (UserError("a sentence"), "own.py:load"),
        (MemoryError(), "own.py:load"),
        (KeyError(), "digits"),
    ):
        monkeypatch.setattr(module, "loader", raising(raised))
        with pytest.raises(type(raised)) as error:
            prepare({"loader": name}, tmp_path)
        assert error.value is raised


def raising(error):
    def load(**options):
        raise error

    return lambda name: load


@pytest.mark.parametrize("damage", ["flip a bit", "truncate", "remove"])
@pytest.mark.parametrize("name", ["data.safetensors", "manifest.json"])
def test_damaged_files_are_refused_by_name(tmp_path, name, damage):
    path = tiny_dataset(tmp_path) / name
    raw = bytearray(path.read_bytes())
    match damage:
        case "flip a bit":
            raw[len(raw) // 2] ^= 0x80  # in the manifest: no UTF-8 any more
            path.write_bytes(raw)
        case "truncate":
            path.write_bytes(raw[: len(raw) // 2])
        case "remove":
            path.unlink()
    with pytest.raises(UserError) as error:
        load(tmp_path, CPU)
    to_do = "snakemake makes it again" if (name, damage) == ("manifest.json", "remove") else "delete "
    assert re.match(rf"'{path}' is (missing|no manifest|missing or damaged)\b.*: {to_do}", str(error.value))


def test_arrays_and_manifest_of_two_data_sets_are_refused(tmp_path):
    tiny_dataset(tmp_path / "a", seed=0)
    tiny_dataset(tmp_path / "b", seed=1)
    (tmp_path / "a" / "manifest.json").replace(tmp_path / "b" / "manifest.json")
    with pytest.raises(UserError, match=r"data\.safetensors' is missing or damaged"):
        load(tmp_path / "b", CPU)


def test_texts(tmp_path):
    """The numbers of words go to the network as they are; the shape of an input is that of their one-hot coding."""
    draws = np.random.default_rng(0)
    words = draws.integers(0, 30, (12, 5)).astype(np.int32)
    labels = np.arange(12) % 2
    splits = Splits(words[:8], labels[:8], words[8:], labels[8:], ("neg", "pos"), words=30)
    module.write(splits, {"loader": "imdb"}, tmp_path, 0.5, 0, None, None)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["inputs"], manifest["input_shape"]) == ("texts", [5, 30])
    dataset = load(tmp_path, CPU)
    assert (dataset.input_shape, dataset.classes) == ((5, 30), 2)
    inputs, targets = dataset.measured_examples(torch.float32)
    assert inputs.dtype == torch.int64 and len(inputs) == 4
    np.testing.assert_array_equal(inputs, words[dataset.measured])
    np.testing.assert_array_equal(targets, labels[dataset.measured])


def test_what_is_too_large_for_the_device_stays_on_the_disk(tmp_path, monkeypatch):
    """The same numbers, from a file that is mapped into memory."""
    module.write(tiny_splits(), {"loader": "digits"}, tmp_path, 0.5, 0, None, None)
    resident = load(tmp_path, CPU)
    monkeypatch.setattr(dataset_module, "RESIDENT_BYTES", 1000)
    mapped = load(tmp_path, torch.device("meta"))
    assert (mapped.train_inputs.device.type, mapped.train_labels.device.type) == ("cpu", "meta")
    pairs = zip(
        load(tmp_path, CPU).measured_examples(torch.float64), resident.measured_examples(torch.float64), strict=True
    )
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
