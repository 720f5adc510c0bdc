"""Data sets of a config: which options are part of their identity, and what is known of their sizes."""

import inspect

import pytest

from breakeven.config.datasets import dataset
from breakeven.data.registry import LOADERS, loader, loader_source
from tests.config.example import edited, mistakes, plan_of

PATHS = {"image_folder": {"path": "x"}, "imagenet": {"path": "x"}}


def test_canonical_data_sets():
    written_out = dataset(
        {"loader": "cifar10", "root": "/data", "seed": 0, "measured_fraction": 0.05, "train_examples": None}
    )
    assert written_out.spec == {"loader": "cifar10"}
    assert written_out.location == {"root": "/data"}
    folder = {"loader": "image_folder", "path": "a", "image_size": 32}
    assert dataset(folder).spec == folder
    assert dataset(folder).location == {}
    changed = {"path": "x", "tokenizer": "y", "tokens": 64}
    assert dataset({"loader": "mnli", "root": "/data"} | changed).spec == {"loader": "mnli"} | changed
    assert dataset({"loader": "fashion_mnist", "path": "x", "seed": 3}).spec == {
        "loader": "fashion_mnist",
        "path": "x",
        "seed": 3,
    }


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_options_are_read_from_the_source(name):
    """The oracle is the function itself."""
    arguments = inspect.signature(loader(name)).parameters
    given = [key for key, argument in arguments.items() if argument.kind is argument.POSITIONAL_OR_KEYWORD]
    assert given == ["seed", "train_examples", "test_examples"]
    options = loader_source(name).options
    assert [*given, *options] == list(arguments)
    for key, option in options.items():
        default = arguments[key].default
        assert (option.default == default) if default is not inspect.Parameter.empty else key == "path"
        assert option.type == arguments[key].annotation


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_where_the_official_files_lie_is_no_part_of_the_identity(name):
    for option in loader_source(name).options:
        assert loader_source(name).options[option].is_location == (option == "root")
    plain = dataset({"loader": name} | PATHS.get(name, {}))
    assert plain.spec == {"loader": name} | PATHS.get(name, {})
    assert plain.location == ({"root": "data"} if "root" in plain.options else {})


@pytest.mark.parametrize(
    ("content", "available"),
    [
        ({"loader": "digits"}, (1437, 360)),
        ({"loader": "digits", "test_fraction": 0.00501}, (1787, 10)),
        ({"loader": "digits", "test_fraction": 0.9944}, (10, 1787)),
        ({"loader": "cifar10"}, (50_000, 10_000)),
        ({"loader": "fashion_mnist"}, (60_000, 10_000)),
        ({"loader": "fashion_mnist", "path": "x"}, None),
        ({"loader": "imdb"}, (25_000, 25_000)),
        ({"loader": "mnli"}, (392_702, 9815)),
        ({"loader": "mnli", "path": "x"}, None),
        ({"loader": "imagenet", "path": "x"}, None),
        ({"loader": "image_folder", "path": "x"}, None),
    ],
)
def test_examples_that_there_are(content, available):
    assert dataset(content).available == available


@pytest.mark.parametrize("fraction", [0.00501, 0.2, 0.9944])
def test_the_digits_are_split_as_planned(fraction):
    """Each of the ten classes has an example in both sets."""
    splits = loader("digits")(0, None, None, test_fraction=fraction)
    planned = dataset({"loader": "digits", "test_fraction": fraction}).available
    assert (len(splits.train_labels), len(splits.test_labels)) == planned
    assert set(splits.train_labels) == set(splits.test_labels) == set(range(10))


def test_sizes_of_subsets():
    digits = dataset({"loader": "digits"})
    assert (digits.training_examples, digits.measured_examples) == (1437, 72)
    cifar10 = dataset({"loader": "cifar10"})
    assert (cifar10.training_examples, cifar10.measured_examples) == (50_000, 2500)
    few = dataset({"loader": "cifar10", "train_examples": 10})
    assert (few.training_examples, few.measured_examples) == (10, 1)
    held = dataset({"loader": "digits", "validation_fraction": 0.25})
    assert (held.training_examples, held.measured_examples) == (1078, 54)
    assert held.spec == {"loader": "digits", "validation_fraction": 0.25}
    folder = dataset({"loader": "image_folder", "path": "x"})
    assert (folder.training_examples, folder.measured_examples) == (None, None)


@pytest.mark.parametrize(
    ("dataset", "options", "place"),
    [
        ("{loader: mnli, tokenizer: roberta-base}", "{}", "datasets.digits.tokenizer: 'roberta-base'"),
        ("{loader: mnli}", "{model: roberta-base}", "studies.main.base.network_options.model: 'roberta-base'"),
        (
            "{loader: mnli}",
            "{model: roberta-base, revision: main}",
            "studies.main.base.network_options.model: 'roberta-base'",
        ),
        ("{loader: mnli}", f"{{model: roberta-base, revision: {'0a' * 20}}}", None),
        ("{loader: mnli}", "{model: mine}", None),
        ("{loader: mnli, tokenizer: mine}", "{}", None),
    ],
)
def test_a_pretrained_one_that_may_change_on_the_hub(tmp_path, monkeypatch, dataset, options, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    text = edited(
        ("{loader: digits}", dataset), ("network: simple_cnn", f"network: bert\n      network_options: {options}")
    )
    if place is None:
        assert plan_of(tmp_path, text).runs
        return
    [line] = mistakes(tmp_path, text)
    assert place in line and line.endswith("give its commit there as 'revision', 40 hexadecimal digits")
