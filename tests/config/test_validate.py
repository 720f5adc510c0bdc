import copy
import re

import pytest

from breakeven.config.models import HYPERPARAMETERS, Config
from breakeven.config.validate import Invalid, Problem, validated
from breakeven.config.yaml_file import read_yaml
from breakeven.store.errors import ConfigError
from tests.config.example import CONFIG, edited, mistakes, plan_of

BASE = "studies.main.base"
LOADERS = "cifar10, digits, fashion_mnist, image_folder, imagenet, imdb, mnli"


def replaced(old, new, *lines):
    return pytest.param([(old, new)], list(lines), id=new.strip()[:50] or old.strip())


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        # unknown keys, at each level
        replaced("studies:", "studes:", "studes: unknown key; did you mean 'studies'?"),
        replaced("measurements:", "measurement:", "measurement: unknown key; did you mean 'measurements'?"),
        replaced("  covariance:", "  covarianse:", "measurements.covarianse: unknown key; did you mean 'covariance'?"),
        replaced(
            "{batch_size: 16}", "{batch: 16}", "measurements.covariance.batch: unknown key; did you mean 'batches'?"
        ),
        replaced("    seeds:", "    sedes:", "studies.main.sedes: unknown key; did you mean 'seeds'?"),
        replaced(
            "      batch_size: 32", "      Batchsize: 32", f"{BASE}.Batchsize: unknown key; did you mean 'batch_size'?"
        ),
        replaced("      learning_rate: 0.1", "      lr: 0.1", f"{BASE}.lr: unknown key; did you mean 'learning_rate'?"),
        replaced(
            "      steps: 500",
            "      steps: 500\n      seed: 1",
            f"{BASE}.seed: unknown key; seeds are listed in the study's 'seeds', beside 'base' and 'sweeps'",
        ),
        replaced(
            "      steps: 500",
            "      steps: 500\n      snapshots: [{evry: 3}]",
            f"{BASE}.snapshots[0].evry: unknown key; did you mean 'every'?",
        ),
        replaced(
            "      steps: 500",
            "      steps: 500\n      schedule: [{at: 5, learning_rat: 0.01}]",
            f"{BASE}.schedule[0].learning_rat: unknown key; did you mean 'learning_rate'?",
        ),
        replaced(
            "{loader: digits}", "{loader: digits, sed: 1}", "datasets.digits.sed: unknown key; did you mean 'seed'?"
        ),
        replaced(
            "{loader: digits}",
            "{loader: digits, root: data}",
            "datasets.digits.root: unknown key; allowed: loader, test_fraction, measured_fraction, seed, train_examples, "
            "test_examples, validation_fraction",
        ),
        *(
            replaced(
                "{loader: digits}",
                f"{{loader: digits, validation_fraction: {value}}}",
                f"datasets.digits.validation_fraction: {message}",
            )
            for value, message in (
                ("0", "0 is too small; allowed: a number above 0 and below 1 or null"),
                ("1", "1 is too large; allowed: a number above 0 and below 1 or null"),
                ("0.96, train_examples: 10", "0.96 leaves no example to train on"),
            )
        ),
        replaced(
            "{loader: digits}", "{loadr: digits}", "datasets.digits.loader: required, but missing; is it 'loadr'?"
        ),
        replaced("{loader: digits}", "{}", f"datasets.digits.loader: required, but missing; allowed: {LOADERS}"),
        replaced("{loader: digits}", "{loader: image_folder}", "datasets.digits.path: required, but missing"),
        replaced(
            "{loader: digits}",
            "{loader: Cifar}",
            f"datasets.digits.loader: 'Cifar' is not known; allowed: {LOADERS}; did you mean 'cifar10'?",
        ),
        replaced("    seeds: [0, 1]\n", "", "studies.main.seeds: required, but missing"),
        # wrong types
        replaced(
            "batch_size: 32",
            "batch_size: many",
            f"{BASE}.batch_size: 'many' is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        replaced(
            "batch_size: 32",
            "batch_size: 2.5",
            f"{BASE}.batch_size: 2.5 is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        replaced(
            "batch_size: 32",
            "batch_size: true",
            f"{BASE}.batch_size: true is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        replaced(
            "batch_size: 32",
            "batch_size:",
            f"{BASE}.batch_size: null is not an integer; allowed: an integer of at least 1; it counts examples",
        ),
        replaced(
            "batch_size: 32",
            "batch_size: '32'",
            f"{BASE}.batch_size: '32' is a text that looks like a number; write it without quotes",
        ),
        replaced(
            "rate: 0.1",
            "rate: '1e-1'",
            f"{BASE}.learning_rate: '1e-1' is a text that looks like a number; write it without quotes",
        ),
        replaced(
            "rate: 0.1", "rate: .nan", f"{BASE}.learning_rate: .nan is not a finite number; allowed: a number above 0"
        ),
        replaced(
            "rate: 0.1", "rate: -.inf", f"{BASE}.learning_rate: -.inf is not a finite number; allowed: a number above 0"
        ),
        replaced(
            "rate: 0.1", "rate: 1e999", f"{BASE}.learning_rate: .inf is not a finite number; allowed: a number above 0"
        ),
        replaced(
            "rate: 0.1",
            "rate: [0.1]",
            f"{BASE}.learning_rate: [0.1] is not a number; allowed: a number above 0; several values stand in "
            "the study's 'sweeps'",
        ),
        replaced(
            "steps: 500",
            "steps: 5.5",
            f"{BASE}.steps: 5.5 is not an integer or null; allowed: an integer of at least 1 or null",
        ),
        replaced("dataset: digits", "dataset: 3", f"{BASE}.dataset: 3 is not a text"),
        replaced("[0, 1]", "0", "studies.main.seeds: 0 is not a list; list them, as in [0, 1, 2]"),
        replaced(
            "{loader: digits}", "[digits]", "datasets.digits: ['digits'] is not a mapping; as in {loader: digits}"
        ),
        replaced("{batch_size: 16}", "16", "measurements.covariance: 16 is not a mapping"),
        replaced("  main:\n", "  empty:\n  main:\n", "studies.empty: null is not a mapping"),
        # out of range
        replaced(
            "batch_size: 32", "batch_size: -3", f"{BASE}.batch_size: -3 is too small; allowed: an integer of at least 1"
        ),
        replaced("rate: 0.1", "rate: 0", f"{BASE}.learning_rate: 0 is too small; allowed: a number above 0"),
        replaced(
            "steps: 500",
            "steps: 500\n      momentum: 1",
            f"{BASE}.momentum: 1 is too large; allowed: a number of at least 0 and below 1",
        ),
        replaced(
            "{loader: digits}",
            "{loader: digits, measured_fraction: 5}",
            "datasets.digits.measured_fraction: 5 is too large; allowed: a number above 0 and at most 1",
        ),
        replaced(
            "[0, 1]",
            "[-1]",
            "studies.main.seeds[0]: -1 is too small; allowed: an integer of at least 0 and at most 4294967295",
        ),
        # choices
        replaced(
            "steps: 500",
            "steps: 500\n      augmentation: cropflip",
            f"{BASE}.augmentation: 'cropflip' is not known; allowed: crop_flip, none; did you mean 'crop_flip'?",
        ),
        replaced(
            "datasets:\n",
            "device: gpu\ndatasets:\n",
            "device: 'gpu' is not known; allowed: auto, cpu, cuda; did you mean 'cuda'?",
        ),
        # lists, names
        replaced("[0, 1]", "[]", "studies.main.seeds: must not be empty"),
        replaced("[0, 1]", "[0, 1, 1.0]", "studies.main.seeds: 1 stands here more than once"),
        replaced("[0.03, 0.1]", "[]", "studies.main.sweeps.learning_rate: must not be empty"),
        replaced("[0.03, 0.1]", "[0.1, 1e-1]", "studies.main.sweeps.learning_rate: 0.1 stands here more than once"),
        replaced(
            "[0.03, 0.1]",
            "[0.1, -1]",
            "studies.main.sweeps.learning_rate[1]: -1 is too small; allowed: a number above 0",
        ),
        replaced("[0.03, 0.1]", "0.1", "studies.main.sweeps.learning_rate: 0.1 is not a list; write [0.1]"),
        replaced("[0.03, 0.1]", '"a\\nb"', r"studies.main.sweeps.learning_rate: 'a\nb' is not a list"),
        replaced(
            "      learning_rate: [",
            "      learning_rates: [",
            "studies.main.sweeps.learning_rates: unknown key; did you mean 'learning_rate'?",
        ),
        replaced(
            "      learning_rate: [",
            "      seed: [",
            "studies.main.sweeps.seed: unknown key; seeds are listed in the study's 'seeds', beside 'base' and 'sweeps'",
        ),
        *(
            replaced(
                "  main:\n",
                f"  {name}:\n",
                f"studies.{name}: is the name of a file that lies beside the folders of studies",
            )
            for name in ("claims.csv", "vega.js")
        ),
        *(
            replaced(
                "  main:\n",
                f"  {name}:\n",
                f"studies.{shown}: cannot be the name of a folder; allowed: letters, digits, '_', '.', '-', beginning with "
                "a letter or digit, at most 60 characters",
            )
            for name, shown in [
                ("../x", "'../x'"),
                ("..", ".."),
                ("a b", "'a b'"),
                (r'"a\n"', r"'a\n'"),
                ("'{run}'", "'{run}'"),
                ("''", "''"),
                ("a" * 61, f"'{'a' * 56}..."),
            ]
        ),
        # one line each, not longer than needed, whatever the value
        replaced(
            "rate: 0.1",
            r'rate: "a\nb\x1b[31m"',
            rf"{BASE}.learning_rate: 'a\nb\x1b[31m' is not a number; allowed: a number above 0",
        ),
        replaced(
            "rate: 0.1",
            f"rate: {'x' * 500}",
            f"{BASE}.learning_rate: '{'x' * 56}... is not a number; allowed: a number above 0",
        ),
        replaced(
            "rate: 0.1",
            "rate: {a: null, b: [true, x]}",
            f"{BASE}.learning_rate: {{a: null, b: [true, 'x']}} is not a number; allowed: a number above 0",
        ),
        # all at once, in the order of the file
        pytest.param(
            [
                ("  digits: {loader: digits}", "  digits: {loader: digit}"),
                ("{batch_size: 16}", "{batch_size: 0}"),
                ("      batch_size: 32\n", ""),
                ("      steps: 500\n", "      stepps: 500\n      batch_size: x\n"),
                ("[0, 1]", "[a]"),
            ],
            [
                f"datasets.digits.loader: 'digit' is not known; allowed: {LOADERS}; did you mean 'digits'?",
                "measurements.covariance.batch_size: 0 is too small; allowed: an integer of at least 1",
                f"{BASE}.stepps: unknown key; did you mean 'steps'?",
                f"{BASE}.batch_size: 'x' is not an integer; allowed: an integer of at least 1; it counts examples",
                "studies.main.seeds[0]: 'a' is not an integer; allowed: an integer of at least 0 and at most 4294967295",
            ],
            id="all at once",
        ),
    ],
)
def test_mistakes(tmp_path, edits, lines):
    assert mistakes(tmp_path, edited(*edits)) == lines


def test_a_config_that_is_no_mapping():
    with pytest.raises(Invalid) as caught:
        validated(Config, [1])
    assert caught.value.problems == [Problem((), "[1] is not a mapping")]


def test_missing_sections(tmp_path):
    assert mistakes(tmp_path, "device: cpu\n") == [
        "datasets: required, but missing",
        "studies: required, but missing",
    ]


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        ([("      batch_size: 32\n", "      lr: 1\n")], ["11: studies.main.base.lr"]),
        ([("      batch_size: 32\n", "")], ["7: studies.main.base.batch_size"]),  # that of what should hold it
        ([("    seeds: [0, 1]\n", "    seeds:\n      - 0\n      - x\n")], ["17: studies.main.seeds[1]"]),
        ([("datasets:\n", "# one\n\ndatasets:\n"), ("{loader: digits}", "{}")], ["4: datasets.digits.loader"]),
        (
            # in the order of the file, whatever that of the keys
            [
                ("measurements:\n  covariance: {batch_size: 16}\n", ""),
                ("    seeds: [0, 1]\n", "    seeds: 0\nthreads: 0\n"),
                ("{loader: digits}", "{loader: x}"),
            ],
            ["2: datasets.digits.loader", "13: studies.main.seeds", "14: threads"],
        ),
        (
            # where an alias leads
            [
                ("    seeds: [0, 1]\n", "    seeds: [0]\n  other:\n    seeds: [1]\n    base: {<<: *a, steps: 0}\n"),
                ("    base:\n", "    base: &a\n"),
                ("network: simple_cnn", "network: 3"),
            ],
            ["9: studies.main.base.network", "9: studies.other.base.network", "18: studies.other.base.steps"],
        ),
    ],
)
def test_the_line_of_each_mistake(tmp_path, edits, lines):
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, edited(*edits))
    told = [line.removeprefix(f"{tmp_path}/config.yaml:").split(": ") for line in caught.value.lines]
    assert [f"{number}: {place}" for number, place, *_ in told] == lines


def test_numbers_get_the_type_that_is_declared_and_the_input_stays_as_it_was(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        edited(("rate: 0.1", "rate: 1"), ("size: 32", "size: 32.0"), ("[0, 1]", "[3.0]"), ("[0.03, 0.1]", "[1, 2]"))
    )
    content = read_yaml(path).content
    before = copy.deepcopy(content)
    study = validated(Config, content).studies["main"]
    assert content == before
    for value, expected in [
        (study.base.learning_rate, 1.0),
        (study.base.batch_size, 32),
        (study.seeds[0], 3),
        (study.sweeps.learning_rate[1], 2.0),
    ]:
        assert value == expected
        assert type(value) is type(expected)


def test_what_is_declared_once_is_checked_in_base_and_sweeps(tmp_path):
    """Whatever hyperparameter there is: a list of mappings is none, alone or among others."""
    for name in HYPERPARAMETERS:
        for text in (
            re.sub(r"    base:\n(      .*\n)*", f"    base:\n      {name}: [{{no: sense}}]\n", CONFIG),
            edited(("      learning_rate: [0.03, 0.1]\n", f"      {name}: [[{{no: sense}}]]\n")),
        ):
            assert any(f".{name}" in line for line in mistakes(tmp_path, text)), name


def test_the_example_is_valid(tmp_path):
    assert len(plan_of(tmp_path, CONFIG).runs) == 4
