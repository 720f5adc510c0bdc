"""Mistakes in the config of the workflow's tests, whose studies share their base: each is told with what is allowed."""

import dataclasses
from pathlib import Path

import pytest

from breakeven.config.plan import load_plan
from breakeven.networks import registry
from breakeven.store.errors import ConfigError
from tests.config.example import mistakes
from tests.workflow.project import CONFIG, STUDIES


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the config lies. ``twin`` is a network that only the copies of the workflow's tests have."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.NETWORKS, "twin", dataclasses.replace(registry.NETWORKS["simple_cnn"]))
    return tmp_path


def told(text, overrides=None):
    """The lines that refuse the config ``text``."""
    Path("config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_plan("config.yaml", overrides)
    return caught.value.lines


def wrong(old, new, *lines):
    """The config with one mistake. The studies share their base: a mistake there is one in each of them."""
    assert CONFIG.count(old) == 1, old
    return pytest.param(CONFIG.replace(old, new), lines, id=repr(new.strip()[:40]))


def wrong_base(old, new, message):
    lines = [f"studies.{study}.base.{message}" for study in STUDIES]
    return wrong(old, new, *lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        wrong_base("      momentum: 0.2", "      momentun: 0.2", "momentun: unknown key; did you mean 'momentum'?"),
        wrong(
            "loader: digits",
            "loader: cifar",
            "datasets.digits.loader: 'cifar' is not known; allowed: cifar10, "
            "digits, fashion_mnist, image_folder, imagenet, imdb, mnli; did you mean 'cifar10'?",
        ),
        wrong_base(
            "dataset: digits",
            "dataset: digit",
            "dataset: 'digit' is not known; allowed: digits; did you mean 'digits'?",
        ),
        wrong(
            "network: simple_cnn\n",
            "network: simple_cn\n",
            "studies.rate.base.network: 'simple_cn' is not known; allowed: "
            "bert, densenet121, lstm, mlp, resnet32, resnet32_bn, simple_cnn, simple_cnn_bn, twin; did you mean 'simple_cnn'?",
        ),
        wrong(
            "dense: 4",
            "denses: 4",
            "studies.rate.base.network_options.denses: unknown key; did you mean 'dense'?",
            "studies.network.base.network_options.denses: unknown key; did you mean 'dense'? (at network='simple_cnn')",
            "studies.network.base.network_options.denses: unknown key; did you mean 'dense'? (at network='twin')",
        ),
        wrong_base(
            "learning_rate: 0.1\n",
            "learning_rate: fast\n",
            "learning_rate: 'fast' is not a number; allowed: a number above 0",
        ),
        wrong_base(
            "learning_rate: 0.1\n",
            "learning_rate: -0.1\n",
            "learning_rate: -0.1 is too small; allowed: a number above 0",
        ),
        wrong_base(
            "batch_size: 100",
            "batch_size: 2.5",
            "batch_size: 2.5 is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        wrong_base(
            "batch_size: 100",
            "batch_size: '100'",
            "batch_size: '100' is a text that looks like a number; write it without quotes",
        ),
        wrong_base(
            "batch_size: 100",
            "batch_size: 301",
            "batch_size: 301 is more than the 300 training examples of data set 'digits'",
        ),
        wrong_base(
            "momentum: 0.2", "momentum: 1", "momentum: 1 is too large; allowed: a number of at least 0 and below 1"
        ),
        wrong_base("      steps: 4\n", "", "steps: required, but missing: give steps or epochs"),
        wrong_base(
            "steps: 4", "steps: 4\n      epochs: 1", "epochs: steps and epochs are both given; exactly one is allowed"
        ),
        wrong_base(
            "[{every: 4}]",
            "[{every: 4}, {every: 9}]",
            "snapshots[0].until: required, but missing: only the last segment may omit it",
        ),
        wrong(
            "  rate:\n",
            "  ../rate:\n",
            "studies.'../rate': cannot be the name of a folder; allowed: letters, digits, "
            "'_', '.', '-', beginning with a letter or digit, at most 60 characters",
        ),
        wrong(
            "{batch_size: 10}",
            "{batch_size: 16}",
            "measurements.covariance.batch_size: 16 is too large: the 30 "
            "measured examples of data set 'digits' (0.1 of 300) hold fewer than 2 such mini-batches; make it at most "
            "15 or raise the data set's measured_fraction",
        ),
        wrong(
            "measured_fraction: 0.1}",
            "measured_fraction: 0.004}",
            "measurements.covariance.batch_size: 10 is too large: the 1 measured examples of data set 'digits' (0.004 of 300) "
            "hold fewer than 2 such mini-batches; raise the data set's measured_fraction",
        ),
        wrong(CONFIG, "device: cpu\n", "datasets: required, but missing", "studies: required, but missing"),
    ],
)
def test_a_wrong_config(folder, text, lines):
    assert mistakes(folder, text) == list(lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        wrong(
            "device: cpu\n",
            "device: cpu\ndevice: cuda\n",
            ":2:1: duplicate key 'device': it stands in line 1 and in line 2",
        ),
        wrong(
            "{batch_size: 10}",
            "{batch_size: 10",
            ":6:10: while parsing a flow mapping: expected ',' or '}', but got ':'",
        ),
        wrong(
            "  covariance:",
            "\tcovariance:",
            r":5:1: while scanning for the next token: found character '\t' that "
            "cannot start any token; indent with spaces, not tabs",
        ),
        wrong(CONFIG, "", ": the file is empty"),
        wrong(CONFIG, "- digits\n", ":1:1: the file must be a mapping, with lines like 'key: value'"),
    ],
)
def test_a_file_that_is_no_config(text, lines):
    assert told(text) == [f"config.yaml{line}" for line in lines]


def test_the_right_config(folder):
    (folder / "config.yaml").write_text(CONFIG)
    assert len(load_plan("config.yaml").runs) == 5


def test_no_config_at_all():
    with pytest.raises(ConfigError) as caught:
        load_plan("config.yaml")
    assert caught.value.lines == ["config.yaml: there is no such file"]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "devcie",
            "cpu",
            "--config: 'devcie' is not known; allowed: device, keep_snapshots, memory_mb, results, slots_per_gpu, threads; "
            "did you mean 'device'?",
        ),
        (
            "studies",
            "none",
            "--config: 'studies' is not known; allowed: device, keep_snapshots, memory_mb, results, slots_per_gpu, threads",
        ),
        ("device", "gpu", "--config: device: 'gpu' is not known; allowed: auto, cpu, cuda; did you mean 'cuda'?"),
        (
            "results",
            "..",
            "--config: results: '..' is a folder that holds this project; name one for the results alone",
        ),
        ("threads", 0, "--config: threads: 0 is too small; allowed: an integer of at least 1"),
    ],
)
def test_wrong_values_on_the_command_line(name, value, line):
    assert told(CONFIG, {name: value}) == [line]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("digits: {loader", "digits: loader", "config.yaml:3:"),
        ("  digits:", "\tdigits:", "config.yaml:3:1:"),
    ],
)
def test_a_file_that_is_no_yaml(old, new, line):
    """Snakemake reads a ``--configfile`` before the Snakefile, and names neither file nor line: `breakeven check` does."""
    assert CONFIG.count(old) == 1
    [said] = told(CONFIG.replace(old, new))
    assert said.startswith(line)
