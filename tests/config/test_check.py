"""What `python -m breakeven check` says of a config."""

import os

import pytest

from breakeven.claims.hypothesis_tests import LEVEL, fewest_seeds
from breakeven.config import check as check_module
from breakeven.config.check import check, describe
from tests.config.example import CONFIG, plan_of

SEEDS = "seeds: [0, 1]"
ENOUGH = CONFIG.replace(SEEDS, "seeds: [0, 1, 2, 3, 4, 5]")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """The lines that are said of a config's text."""
    monkeypatch.chdir(tmp_path)

    def lines(text):
        (tmp_path / "config.yaml").write_text(text)
        return check().splitlines()

    return lines


def warnings(lines):
    return [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]


def test_what_a_config_would_run(said):
    assert said(ENOUGH.replace("steps: 500", "steps: 500\n      snapshots: [{every: 50}]")) == [
        "1 study, 12 runs, 1 data set",
        "main: learning_rate 0.03, 0.1; seeds 0 to 5 (12 runs)",
        "87 jobs, 132 snapshots of weights; time, disk, memory: breakeven estimate config.yaml",
    ]


@pytest.mark.parametrize(
    ("seeds", "words"),
    [("[3]", "seed 3"), ("[0, 1]", "seeds 0, 1"), ("[4, 5, 6]", "seeds 4 to 6"), ("[0, 2, 1]", "seeds 0, 2, 1")],
)
def test_seeds(tmp_path, seeds, words):
    _, line = describe(plan_of(tmp_path, CONFIG.replace(SEEDS, f"seeds: {seeds}")))
    assert words in line.split("; ")[1]


def test_what_a_config_calls_its_data_sets_is_told_and_in_no_id(tmp_path):
    plan = plan_of(tmp_path, CONFIG)
    renamed = plan_of(
        tmp_path, CONFIG.replace("  digits: {", "  numbers: {").replace("dataset: digits", "dataset: numbers")
    )
    [dataset], run = renamed.datasets, min(renamed.runs)
    assert (renamed.runs.keys(), renamed.datasets.keys()) == (plan.runs.keys(), plan.datasets.keys())
    told = f"data set numbers is {dataset} in the results; runs are called by its loader, too"
    assert [told in describe(each) for each in (plan, renamed)] == [False, True]
    assert (plan.data_set_of(run), renamed.data_set_of(run), renamed.data_set_of(dataset)) == ("", "numbers", "numbers")
    assert renamed.data_set_of("main") == ""


def test_too_few_seeds(said):
    (line,) = warnings(said(CONFIG))
    assert line == (
        "fewer than 3 seeds don't show how much is chance, nor give a verdict on a claim, which takes 6: main"
    )
    assert warnings(said(CONFIG.replace(SEEDS, "seeds: [0, 1, 2]"))) == [
        "too few seeds for a verdict on a claim, which takes 6: main"
    ]
    assert fewest_seeds(LEVEL) == check_module.SEEDS_FOR_A_VERDICT


def test_a_gpu_that_is_not_there(said, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "devnull", str(tmp_path / "null"))
    text = "device: cuda\n" + ENOUGH
    assert warnings(said(text)) == [
        "device: cuda needs a GPU, and this machine has none: jobs that run here would fail"
    ]
    (tmp_path / "nvidiactl").touch()
    assert warnings(said(text)) == []


def test_files_that_are_not_there(said, tmp_path):
    text = ENOUGH.replace("{loader: digits}", "{loader: image_folder, path: pictures, train_examples: 1000}")
    text = text.replace("network: simple_cnn", 'network: "own.py:build"')
    (tmp_path / "own.py").write_text(
        "from breakeven.specs.source import File\n\n\ndef build(input_shape, classes, *, weights: File = 'w.bin'):\n    pass\n"
    )
    assert warnings(said(text)) == [
        "data set 'digits' reads 'pictures', which is not there",
        "network 'own.py:build' reads 'w.bin', which is not there",
    ]
    (tmp_path / "pictures").mkdir()
    (tmp_path / "w.bin").touch()
    assert warnings(said(text)) == []


def test_a_name_on_the_hub_is_no_file(said):
    text = ENOUGH.replace("{loader: digits}", "{loader: mnli, train_examples: 1000}")
    text = text.replace("network: simple_cnn", "network: bert")
    assert warnings(said(text)) == []


def test_no_snapshots_are_counted_where_the_files_alone_know_the_epochs(said):
    text = ENOUGH.replace("{loader: digits}", "{loader: image_folder, path: pictures}")
    assert "87 jobs; time" in "\n".join(said(text))
