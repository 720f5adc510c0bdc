import json

import pytest

from breakeven.config.check import describe
from breakeven.config.options import canonical_options, option_problems
from breakeven.config.plan import DatasetUse
from breakeven.networks import registry
from breakeven.specs.run import Switch, run_id, source_of
from breakeven.specs.source import TYPES
from breakeven.specs.study import Study
from breakeven.store.errors import ConfigError
from tests.config.example import CONFIG, edited, mistakes, plan_of

BASE = "studies.main.base"
STEPS = "      steps: 500\n"
SWEEP = "      learning_rate: [0.03, 0.1]"
NETWORK = "network: simple_cnn"


def test_runs_are_the_grid_times_the_seeds(tmp_path):
    plan = plan_of(tmp_path, edited((SWEEP, SWEEP + "\n      batch_size: [16, 32, 64]")))
    assert len(plan.runs) == 2 * 3 * 2
    assert {(spec.learning_rate, spec.batch_size, spec.seed) for spec in plan.runs.values()} == {
        (rate, size, seed) for rate in (0.03, 0.1) for size in (16, 32, 64) for seed in (0, 1)
    }
    assert all(run == run_id(spec) for run, spec in plan.runs.items())
    assert list(plan.runs) == sorted(plan.runs)
    study = plan.studies["main"]
    assert study.swept == ("batch_size", "learning_rate")
    assert list(study.runs) == list(study.points) == list(plan.runs)
    for run, point in study.points.items():
        assert point == {name: getattr(plan.runs[run], name) for name in ("learning_rate", "batch_size", "seed")}


def test_without_a_sweep(tmp_path):
    plan = plan_of(tmp_path, edited(("    sweeps:\n" + SWEEP + "\n", "")))
    assert plan.studies["main"].swept == ()
    assert sorted(plan.studies["main"].points.values(), key=lambda point: point["seed"]) == [
        {"learning_rate": 0.1, "batch_size": 32, "seed": seed} for seed in (0, 1)
    ]


def test_a_study_is_the_record_that_all_later_stages_take(tmp_path):
    """Labels are plain data, in the order of the tables' columns, and as the config says them."""
    text = edited(
        (
            SWEEP,
            "      snapshots: [[{every: 7}]]\n      dataset: [digits]\n      network_options: [{dense: 8}]\n"
            "      momentum: [0, 0.5]\n      schedule: [[{at: 20.0, learning_rate: 1}]]",
        ),
        ("    seeds: [0, 1]", "    seeds: [3]\n    description: why\n    accuracy_threshold: 1\n    figures: [maxima]"),
    )
    study = plan_of(tmp_path, text).studies["main"]
    assert isinstance(study, Study)
    assert (study.name, study.description, study.accuracy_threshold, study.figures) == ("main", "why", 1.0, ("maxima",))
    first, second = sorted(study.points.values(), key=lambda point: point["momentum"])
    assert list(first) == [
        "learning_rate",
        "batch_size",
        "dataset",
        "momentum",
        "network_options",
        "schedule",
        "snapshots",
        "seed",
    ]
    assert first == second | {"momentum": 0.0} == json.loads(json.dumps(first))
    assert (first["dataset"], first["network_options"], first["seed"]) == ("digits", {"dense": 8}, 3)
    assert first["schedule"] == [{"at": 20, "unit": "step", "learning_rate": 1.0}]
    assert first["snapshots"] == [{"every": 7, "until": None, "unit": "step"}]


def test_what_is_swept_need_not_stand_in_the_base(tmp_path):
    assert plan_of(tmp_path, edited(("      learning_rate: 0.1\n", ""))).runs == plan_of(tmp_path, CONFIG).runs


def second_study(seeds):
    return (
        "  second:\n    base: {dataset: digits, network: simple_cnn, learning_rate: 1e-1, batch_size: 32, steps: 500}\n"
        f"    seeds: {seeds}\n"
    )


def test_runs_that_studies_share_appear_once(tmp_path):
    plan = plan_of(tmp_path, CONFIG + second_study([1, 2]))
    assert len(plan.runs) == 5
    assert len(set(plan.studies["main"].runs) & set(plan.studies["second"].runs)) == 1


def test_only_data_sets_that_runs_use_are_planned(tmp_path):
    unused = edited(("datasets:\n", "datasets:\n  cifar: {loader: cifar10, root: /elsewhere}\n"))
    assert list(plan_of(tmp_path, unused).datasets.values()) == [DatasetUse("digits", {"loader": "digits"}, {})]
    used = unused.replace("dataset: digits", "dataset: cifar").replace("covariance: {batch_size: 16}", "{}")
    [(name, use)] = plan_of(tmp_path, used).datasets.items()
    assert use == DatasetUse("cifar", {"loader": "cifar10"}, {"root": "/elsewhere"})
    assert name.startswith("cifar10-")


def test_sweeps_may_be_a_list_of_grids(tmp_path):
    grids = (
        "      - {learning_rate: [0.03, 0.1]}\n"
        "      - {learning_rate: [0.03], schedule: [[{at: 0.5, unit: break_even, learning_rate: 0.1}]], batch_size: [8, 16]}"
    )
    plan = plan_of(tmp_path, edited((SWEEP, grids)))
    study = plan.studies["main"]
    assert study.swept == ("batch_size", "learning_rate", "schedule")
    assert len(study.runs) == 2 * (2 + 2)
    points = [(p["learning_rate"], p["batch_size"], p["schedule"]) for p in study.points.values()]
    switched = [{"at": 0.5, "unit": "break_even", "learning_rate": 0.1}]
    for point in ((0.03, 32, []), (0.1, 32, []), (0.03, 8, switched), (0.03, 16, switched)):
        assert points.count(point) == 2
    assert list(describe(plan))[1].startswith("main: batch_size 32, 8, 16; learning_rate 0.03, 0.1; schedule ")


def test_the_run_that_another_takes_its_break_even_point_from_is_planned(tmp_path):
    switch = "      schedule: [{at: 20, learning_rate: 0.2}, {at: 2, unit: break_even, learning_rate: 0.3}]\n"
    plan = plan_of(tmp_path, edited((STEPS, STEPS + switch)))
    assert len(plan.studies["main"].runs) == 4 and len(plan.runs) == 8
    for run in plan.studies["main"].runs:
        source = source_of(plan.runs[run])
        assert source.schedule == (Switch(20, 0.2),)
        assert plan.runs[run_id(source)] == source
        assert (source.seed, source.learning_rate) == (plan.runs[run].seed, plan.runs[run].learning_rate)


def test_runs_that_begin_at_several_learning_rates_switch_at_the_break_even_point_of_one(tmp_path):
    """The learning rate's own run need not say whose: it is the run that it would be without ``of``."""
    grid = "{learning_rate: [0.01, 0.03], schedule: [[{at: 1.5, unit: break_even, of: 0.03, learning_rate: 0.1}]]}"
    plan = plan_of(tmp_path, edited((SWEEP, f"      - {grid}")))
    specs = {(plan.runs[run].learning_rate, plan.runs[run].seed): plan.runs[run] for run in plan.studies["main"].runs}
    for (rate, seed), spec in specs.items():
        of = None if rate == 0.03 else 0.03
        assert spec.schedule == (Switch(1.5, 0.1, "break_even", of),)
        source = source_of(spec)
        assert (source.learning_rate, source.seed, source.schedule) == (0.03, seed, ())
        assert plan.runs[run_id(source)] == source
    assert len(specs) == 4 and len(plan.runs) == 4 + 2
    told = [labels["schedule"][0] for labels in plan.studies["main"].points.values()]
    assert sorted(each.get("of", 0) for each in told) == [0, 0, 0.03, 0.03]
    grid = "{learning_rate: [0.03], schedule: [[{at: 1.5, unit: break_even, learning_rate: 0.1}]]}"
    own = plan_of(tmp_path, edited((SWEEP, f"      - {grid}")))
    assert set(own.studies["main"].runs) < set(plan.runs)


OWN = """
def load(*, count: int = 40, seed: int = 0, noise: float = 0.5):
    ...

def network(input_shape, classes, *, width: int = 3):
    ...

def without_type(input_shape, classes, *, width=3):
    ...

def computed(input_shape, classes, *, width: int = 10**3):
    ...

def listed(input_shape, classes, *, width: list[int] = 3):
    ...

def numbered(input_shape, classes, *, width: Literal[4, 5] = 4):
    ...

def of_one(input_shape, *, width: int = 4):
    ...

def of_three(input_shape, classes, width, *, depth: int = 4):
    ...
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The user's own code, in the folder in which Snakemake runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    return (
        edited(("{loader: digits}", "{loader: 'own.py:load', options: {count: 50, seed: 0}, measured_fraction: 1}"))
        .replace("network: simple_cnn", "network: own.py:network\n      network_options: {width: 4}")
        .replace("covariance: {batch_size: 16}", "{}")
    )


def test_code_of_the_users_own(tmp_path, own):
    plan = plan_of(tmp_path, own)
    [(name, use)] = plan.datasets.items()
    assert use.spec == {"loader": "own.py:load", "measured_fraction": 1.0, "options": {"count": 50}}
    assert name.startswith("own.py_load-")
    assert {(spec.network, str(spec.network_options)) for spec in plan.runs.values()} == {
        ("own.py:network", "{'width': 4}")
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("own.py:load", "other.py:load", "datasets.digits.loader: there is no file 'other.py' (looked for from '{}')"),
        ("own.py:load", "own.py:lod", "datasets.digits.loader: 'own.py' has no function 'lod'"),
        ("count: 50", "cuont: 50", "datasets.digits.options.cuont: unknown key; did you mean 'count'?"),
        ("count: 50", "count: 0", "datasets.digits.options.count: 0 is too small; allowed: an integer of at least 1"),
        ("own.py:network", "own.py:netwrk", f"{BASE}.network: 'own.py' has no function 'netwrk'"),
        (
            "own.py:network",
            "own.py:without_type",
            f"{BASE}.network: 'own.py' can't be read: option 'width' of 'without_type' needs a type; allowed: {TYPES}",
        ),
        (
            "own.py:network",
            "own.py:computed",
            f"{BASE}.network: 'own.py' can't be read: the default of option 'width' of 'computed' must be written out, "
            "not computed",
        ),
        (
            "own.py:network",
            "own.py:listed",
            f"{BASE}.network: 'own.py' can't be read: option 'width' of 'listed' has the type list[int]; allowed: {TYPES}",
        ),
        (
            "own.py:network",
            "own.py:numbered",
            f"{BASE}.network: 'own.py' can't be read: option 'width' of 'numbered' has the type Literal[4, 5]; allowed: {TYPES}",
        ),
        (
            "own.py:network",
            "own.py:of_one",
            f"{BASE}.network: 'own.py' can't be read: 'of_one' has the arguments (input_shape, *, width: int=4); "
            "allowed: (input_shape, classes, *, OPTIONS)",
        ),
        (
            "own.py:network",
            "own.py:of_three",
            f"{BASE}.network: 'own.py' can't be read: 'of_three' has the arguments "
            "(input_shape, classes, width, *, depth: int=4); allowed: (input_shape, classes, *, OPTIONS)",
        ),
        (
            "own.py:load",
            "own.py:network",
            "datasets.digits.loader: 'own.py' can't be read: 'network' has the arguments "
            "(input_shape, classes, *, width: int=3); allowed: (*, OPTIONS)",
        ),
        (
            "own.py:network",
            '"own\\n.py:network"',
            f"{BASE}.network: 'own\\n.py:network'... is no FILE.py:function: longer than 1000, or with a character that "
            "can't be seen",
        ),
        (
            "own.py:network",
            f"{'x' * 1000}.py:network",
            f"{BASE}.network: '{'x' * 50}'... is no FILE.py:function: longer than 1000, or with a character that can't be "
            "seen",
        ),
        (
            "own.py:network",
            f"{'x' * 300}.py:network",
            f"{BASE}.network: '{'x' * 300}.py' can't be read: [Errno 36] File name too long: '{'x' * 300}.py'",
        ),
        (
            "width: 4",
            "width: x",
            f"{BASE}.network_options.width: 'x' is not an integer; allowed: an integer of at least 1",
        ),
    ],
)
def test_mistakes_with_code_of_the_users_own(tmp_path, own, old, new, message):
    assert mistakes(tmp_path, edited((old, new), text=own)) == [message.replace("{}", str(tmp_path))]


def test_overrides(tmp_path):
    plan = plan_of(tmp_path, CONFIG, {"results": "elsewhere", "threads": 4})
    assert (plan.config.results, plan.config.threads) == ("elsewhere", 4)
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, CONFIG, {"result": "elsewhere"})
    assert caught.value.lines == [
        "--config: 'result' is not known; allowed: device, keep_snapshots, memory_mb, results, slots_per_gpu, threads; "
        "did you mean 'results'?"
    ]
    for value, message in (
        ("two", "'two' is not an integer"),
        ({"a": 1}, "{a: 1} is not an integer"),
        (0, "0 is too small"),
    ):
        with pytest.raises(ConfigError) as caught:
            plan_of(tmp_path, CONFIG.replace("datasets:", "threads: 2\ndatasets:"), {"threads": value})
        assert caught.value.lines == [f"--config: threads: {message}; allowed: an integer of at least 1"]


def test_what_does_not_go_with_an_override_says_so(tmp_path):
    config = edited(("datasets:\n", "device: auto\ndatasets:\n"), (STEPS, STEPS + "      precision: tf32\n"))
    plan_of(tmp_path, config)
    with pytest.raises(
        ConfigError, match=f"{BASE}.precision: tf32 needs a CUDA device, and --config says device: cpu$"
    ):
        plan_of(tmp_path, config, {"device": "cpu"})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('"int"', "an integer of at least 1"),
        ('" int | None"', "an integer or null"),
        ("Optional[int]", "an integer or null"),
        ("typing.Optional['int']", "an integer or null"),
        ("Union[int, None]", "an integer or null"),
        ("None | int", "an integer or null"),
        ("typing.Literal['a', 'b']", "a, b"),
        ("'Literal[\"a\"]'", "a"),
        ("'tuple[int, ...]'", "a list"),
        ("typing.Annotated[int, annotated_types.Ge(2)]", "an integer of at least 2"),
    ],
)
def test_types_as_people_write_them(tmp_path, own, written, told):
    name = f"written_{abs(hash(written))}.py"  # a file is read once
    text = f"from __future__ import annotations\n\ndef network(input_shape, classes, *, width: {written} = 3): ...\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    [message] = mistakes(tmp_path, edited(("own.py:network", f"{name}:network"), ("width: 4", "width: {}"), text=own))
    assert message == f"{BASE}.network_options.width: {{}} is not {told}" or message.endswith(f"; allowed: {told}")


@pytest.mark.parametrize("written", ['"in t"', '"list[int]"', '""', "Union[int, str]", "typing.List[int]"])
def test_types_that_are_none(tmp_path, own, written):
    name = f"none_{abs(hash(written))}.py"
    text = f"def network(input_shape, classes, *, width: {written} = 3): ...\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    [message] = mistakes(tmp_path, edited(("own.py:network", f"{name}:network"), text=own))
    shown = written.replace('"', "'")
    assert message.endswith(f"option 'width' of 'network' has the type {shown}; allowed: {TYPES}")


def test_single_examples_of_batch_norm_are_refused_before_any_job(tmp_path):
    config = CONFIG.replace("covariance: {batch_size: 16}", "covariance: {batch_size: 1}")
    plan_of(tmp_path, config)
    with pytest.raises(
        ConfigError, match=r"measurements.covariance.batch_size: 1 asks for .* .simple_cnn_bn. does not have"
    ):
        plan_of(tmp_path, config.replace("network: simple_cnn", "network: simple_cnn_bn"))


# ------------------------------------------------------------------ identity


@pytest.mark.parametrize(
    "edits",
    [
        [("learning_rate: 0.1", "learning_rate: 1e-1"), ("[0.03, 0.1]", "[3E-2, 0.10]")],
        [("[0.03, 0.1]", "[0.1, 0.03]"), ("[0, 1]", "[1, 0]")],
        [("      network: simple_cnn\n", ""), (STEPS, STEPS + "      network: simple_cnn # of Keras\n")],
        [
            (
                STEPS,
                STEPS + "      momentum: 0\n      schedule: []\n      precision: float32\n      augmentation: none\n",
            )
        ],
        [(STEPS, STEPS + "      snapshots: [{every: 10, until: 100, unit: step}, {every: 50, until: null}]\n")],
        [(STEPS, STEPS + "      network_options: {dense: 128, channels: [32, 64]}\n")],
        [("steps: 500", "steps: 500.0")],
        [("{loader: digits}", "{loader: digits, seed: 0, test_fraction: 0.20, train_examples: null}")],
        [("  main:", "  renamed:")],
        [("  digits: {", "  numerals: {"), ("dataset: digits", "dataset: numerals")],
        [("datasets:", "device: cpu\nthreads: 8\nresults: elsewhere\ndatasets:")],
        [("seeds:", "accuracy_threshold: 0.9\n    description: text\n    seeds:")],
        [("batch_size: 16}", "batch_size: 8, batches: 3}")],
    ],
)
def test_edits_that_keep_every_run(tmp_path, edits):
    assert plan_of(tmp_path, edited(*edits)).runs == plan_of(tmp_path, CONFIG).runs
    assert list(plan_of(tmp_path, edited(*edits)).datasets) == list(plan_of(tmp_path, CONFIG).datasets)


@pytest.mark.parametrize(
    "edit",
    [
        ("size: 32", "size: 64"),
        ("steps: 500", "steps: 501"),
        ("steps: 500", "epochs: 10"),
        (STEPS, STEPS + "      momentum: 0.9\n"),
        (STEPS, STEPS + "      weight_decay: 1e-4\n"),
        (STEPS, STEPS + "      augmentation: crop_flip\n"),
        (STEPS, STEPS + "      precision: float64\n"),
        (STEPS, STEPS + "      schedule: [{at: 5, learning_rate: 1}]\n"),
        (STEPS, STEPS + "      snapshots: [{every: 5}]\n"),
        (STEPS, STEPS + "      network_options: {dense: 64}\n"),
        (NETWORK, "network: simple_cnn_bn"),
        ("[0.03, 0.1]", "[0.031, 0.11]"),
        ("[0, 1]", "[2, 3]"),
        ("{loader: digits}", "{loader: digits, seed: 1}"),
        ("{loader: digits}", "{loader: digits, train_examples: 1000}"),
        ("{loader: digits}", "{loader: digits, test_fraction: 0.3}"),
    ],
)
def test_edits_that_make_every_run_new(tmp_path, edit):
    assert not plan_of(tmp_path, edited(edit)).runs.keys() & plan_of(tmp_path, CONFIG).runs.keys()


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        (
            [("dataset: digits", "dataset: digit")],
            [f"{BASE}.dataset: 'digit' is not known; allowed: digits; did you mean 'digits'?"],
        ),
        (
            [(SWEEP, SWEEP + "\n      dataset: [digits, mnist]")],
            ["studies.main.sweeps.dataset: 'mnist' is not known; allowed: digits (at dataset='mnist')"],
        ),
        (
            [(STEPS, STEPS + "      network_options: {chanels: [8], dense: 1.5}\n")],
            [
                f"{BASE}.network_options.dense: 1.5 is not an integer; allowed: an integer of at least 1",
                f"{BASE}.network_options.chanels: unknown key; did you mean 'channels'?",
            ],
        ),
        (
            [(STEPS, STEPS + "      network_options: {channels: [8, x]}\n")],
            [f"{BASE}.network_options.channels[1]: 'x' is not an integer; allowed: an integer of at least 1"],
        ),
        ([("      batch_size: 32\n", "")], [f"{BASE}.batch_size: required, but missing"]),
        ([(STEPS, "")], [f"{BASE}.steps: required, but missing: give steps or epochs"]),
        (
            [(STEPS, STEPS + "      epochs: 3\n")],
            [f"{BASE}.epochs: steps and epochs are both given; exactly one is allowed"],
        ),
        (
            [("steps: 500", "epochs: 3"), (SWEEP, SWEEP + "\n      steps: [100, 200]")],
            [f"{BASE}.epochs: steps and epochs are both given; exactly one is allowed"],
        ),
        (
            [("size: 32", "size: 2000")],
            [f"{BASE}.batch_size: 2000 is more than the 1437 training examples of data set 'digits'"],
        ),
        (
            [
                ("{loader: digits}", "{loader: digits, train_examples: 1000}"),
                (SWEEP, SWEEP + "\n      batch_size: [10, 1001]"),
            ],
            [
                "studies.main.sweeps.batch_size: 1001 is more than the 1000 training examples of data set 'digits' "
                "(at batch_size=1001)"
            ],
        ),
        (
            [(STEPS, STEPS + "      snapshots: [{every: 10, until: 100}, {every: 20, until: 100}, {every: 50}]\n")],
            [f"{BASE}.snapshots[1].until: step 100 is not after the step 100 of the segment before"],
        ),
        (
            [(STEPS, STEPS + "      snapshots: [{every: 10}, {every: 50}]\n")],
            [f"{BASE}.snapshots[0].until: required, but missing: only the last segment may omit it"],
        ),
        (
            [(STEPS, STEPS + "      snapshots: [{every: 9, until: 90}, {every: 1, until: 2, unit: epoch}]\n")],
            [f"{BASE}.snapshots[1].until: epoch 2 is not after the step 90 of the segment before"],
        ),
        (
            [(STEPS, STEPS + "      schedule: [{at: 9, learning_rate: 1}, {at: 9, learning_rate: 2}]\n")],
            [f"{BASE}.schedule[1].at: step 9 is not after the step 9 of the switch before"],
        ),
        (
            [(STEPS, STEPS + "      schedule: [{at: 12, unit: epoch, learning_rate: 1}]\n")],
            [f"{BASE}.schedule[0].at: epoch 12 is not before the end of the run at step 500"],
        ),
        (
            [
                (STEPS, "      schedule: [{at: 300, learning_rate: 1}]\n"),
                (SWEEP, SWEEP + "\n      steps: [200, 300, 400]"),
            ],
            [
                f"{BASE}.schedule[0].at: step 300 is not before the end of the run at step 200 (at steps=200)",
                f"{BASE}.schedule[0].at: step 300 is not before the end of the run at step 300 (at steps=300)",
            ],
        ),
        (
            [(SWEEP, SWEEP + "\n      network_options: [{}, {dense: 128}]")],
            [
                f"studies.main.sweeps: the points {{learning_rate: {rate}, network_options: {{}}}} and "
                f"{{learning_rate: {rate}, network_options: {{dense: 128}}}} are the same run"
                for rate in (0.03, 0.1)
            ],
        ),
        (
            [("batch_size: 16}", "batch_size: 37}")],
            [
                "measurements.covariance.batch_size: 37 is too large: the 72 measured examples of data set 'digits' (0.05 of "
                "1437) hold fewer than 2 such mini-batches; make it at most 36 or raise the data set's measured_fraction"
            ],
        ),
        (
            [("{loader: digits}", "{loader: digits, train_examples: 1500, test_examples: 400}")],
            [
                "datasets.digits.train_examples: 1500 is more than the 1437 training examples",
                "datasets.digits.test_examples: 400 is more than the 360 test examples",
            ],
        ),
        (
            [("{loader: digits}", "{loader: digits, test_fraction: 0.001}")],
            [
                "datasets.digits.test_fraction: 0.001 is too small; allowed: a number of at least 0.00501 and at most 0.9944"
            ],
        ),
        (
            [(STEPS, STEPS + "      schedule: [{at: 2.5, learning_rate: 1}]\n")],
            [f"{BASE}.schedule[0].at: 2.5 is not an integer; allowed: an integer of at least 1"],
        ),
        (
            [(STEPS, STEPS + "      nesterov: true\n")],
            [f"{BASE}.nesterov: true needs momentum, and momentum is 0"],
        ),
        (
            [(STEPS, STEPS + "      schedule: [{at: 5, of: 0.3, learning_rate: 1}]\n")],
            [f"{BASE}.schedule[0].of: counts with unit: break_even only, and this switch is at a step: leave it out"],
        ),
        (
            [
                (
                    STEPS,
                    STEPS
                    + "      schedule: [{at: 1, unit: break_even, of: 0.3, learning_rate: 1}, {at: 2, unit: break_even, of: 0.4, "
                    "learning_rate: 2}]\n",
                )
            ],
            [
                f"{BASE}.schedule[1].of: this switch counts in the break-even point of learning rate 0.4, one before it in "
                "that of 0.3: a schedule counts in that of one run"
            ],
        ),
        (
            [(STEPS, STEPS + "      schedule: [{at: 1, unit: break_even, of: 1.0e+39, learning_rate: 1}]\n")],
            [
                f"{BASE}.schedule[0].of: 1e+39 is more than float32 can hold; allowed: at most 3.4e+38, or precision: float64"
            ],
        ),
        (
            [(NETWORK, "network: lstm")],
            [f"{BASE}.network: 'lstm' reads words, and data set 'digits' holds pictures"],
        ),
        (
            [("{loader: digits}", "{loader: imdb}"), (STEPS, STEPS + "      augmentation: crop_flip\n")],
            [
                f"{BASE}.network: 'simple_cnn' reads pictures, and data set 'digits' holds words",
                f"{BASE}.augmentation: crop_flip is for pictures, and data set 'digits' holds texts",
            ],
        ),
        (
            [("datasets:\n", "device: cpu\ndatasets:\n"), (STEPS, STEPS + "      precision: tf32\n")],
            [f"{BASE}.precision: tf32 needs a CUDA device, and the config says device: cpu"],
        ),
        (
            [(STEPS, STEPS + "      weight_decay: 1.0e+50\n"), (SWEEP, "      learning_rate: [0.1, 1.0e+60]")],
            [
                f"{BASE}.weight_decay: 1e+50 is more than float32 can hold; allowed: at most 3.4e+38, or precision: float64",
                "studies.main.sweeps.learning_rate: 1e+60 is more than float32 can hold; allowed: at most 3.4e+38, or "
                "precision: float64 (at learning_rate=1e+60)",
            ],
        ),
        (
            [(SWEEP, "      - {learning_rate: [0.1]}\n      - {batch_size: [2000]}")],
            [
                "studies.main.sweeps[1].batch_size: 2000 is more than the 1437 training examples of data set 'digits' "
                "(at batch_size=2000)"
            ],
        ),
        (
            [("  main:\n", "  Main: {base: {}, seeds: [0]}\n  main:\n")],
            [
                "studies.Main.base.dataset: required, but missing",
                "studies.Main.base.network: required, but missing",
                "studies.Main.base.learning_rate: required, but missing",
                "studies.Main.base.batch_size: required, but missing",
                "studies.Main.base.steps: required, but missing: give steps or epochs",
                "studies.main: differs from 'Main' only in upper and lower case, which some file systems don't tell apart",
            ],
        ),
    ],
)
def test_mistakes(tmp_path, edits, lines):
    assert mistakes(tmp_path, edited(*edits)) == lines


def test_unknown_network(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "NETWORKS", {name: registry.NETWORKS[name] for name in ("mlp", "simple_cnn")})
    assert mistakes(tmp_path, edited((NETWORK, "network: SimpleCNN"))) == [
        f"{BASE}.network: 'SimpleCNN' is not known; allowed: mlp, simple_cnn; did you mean 'simple_cnn'?"
    ]


def test_a_batch_as_large_as_the_training_set_is_allowed(tmp_path):
    assert plan_of(tmp_path, edited(("size: 32", "size: 1437")))


def test_sizes_that_only_the_files_know_are_not_judged(tmp_path):
    folder = "{loader: image_folder, path: x}"
    schedule = "      schedule: [{at: 9999999, learning_rate: 1}, {at: 1, unit: epoch, learning_rate: 1}]\n"
    text = edited(("{loader: digits}", folder), ("size: 32", "size: 99999"), (STEPS, "      epochs: 2\n" + schedule))
    assert plan_of(tmp_path, text)


NETWORK_OF_MANY_OPTIONS = """
def network(
    input_shape, classes, *,
    depth: int = 2,
    dropout: float = 0.0,
    bias: bool = True,
    channels: tuple[int, ...] = (32, 64),
    pooling: Literal["max", "mean"] = "max",
    noise: Annotated[float, Gt(0), Le(2), "How much."] = 1.0,
    groups: Annotated[Annotated[int, Ge(2)] | None, "How many."] = None,
): ...

def demanding(input_shape, classes, *, width: int): ...
"""


def test_options_of_a_network(tmp_path):
    (tmp_path / "many.py").write_text(NETWORK_OF_MANY_OPTIONS)
    network = registry.network_source(f"{tmp_path}/many.py:network")
    given = {"dropout": 0, "depth": 3.0, "channels": [32, 64.0], "bias": False, "noise": 1, "groups": None}
    assert canonical_options(network, given) == {"bias": False, "depth": 3}
    assert canonical_options(network, {"channels": [8.0], "groups": 2}) == {"channels": [8], "groups": 2}
    for rate, words in ((-0.1, "small"), (1, "large")):
        [problem] = option_problems(network, {"dropout": rate})
        assert problem.message == f"{rate} is too {words}; allowed: a number of at least 0 and below 1"
    wrong = {"dropout": "0.1", "depth": 0, "bias": 1, "channels": [], "pooling": "min", "noise": 3, "groups": 1}
    assert {problem.place: problem.message for problem in option_problems(network, wrong)} == {
        ("dropout",): "'0.1' is a text that looks like a number; write it without quotes",
        ("depth",): "0 is too small; allowed: an integer of at least 1",
        ("bias",): "1 is not true or false",
        ("channels",): "must not be empty",
        ("pooling",): "'min' is not known; allowed: max, mean",
        ("noise",): "3 is too large; allowed: a number above 0 and at most 2",
        ("groups",): "1 is too small; allowed: an integer of at least 2 or null",
    }


def test_an_option_without_a_default_must_be_given(tmp_path):
    (tmp_path / "many.py").write_text(NETWORK_OF_MANY_OPTIONS)
    network = registry.network_source(f"{tmp_path}/many.py:demanding")
    [problem] = option_problems(network, {})
    assert (problem.place, problem.message) == (("width",), "required, but missing")
    assert canonical_options(network, {"width": 3}) == {"width": 3}


@pytest.mark.parametrize("settings", ["momentum: 0.9", "momentum: 0.9\n      nesterov: true", "weight_decay: 0.01"])
def test_a_switch_may_count_in_the_break_even_point_of_momentum_and_weight_decay(tmp_path, settings):
    switch = "      schedule: [{at: 1, unit: break_even, learning_rate: 1}]\n"
    plan = plan_of(tmp_path, edited((STEPS, STEPS + f"      {settings}\n" + switch)))
    name, value = settings.split("\n")[0].split(": ")
    switched = [run for run in plan.runs.values() if run.schedule]
    assert switched and all(getattr(run, name) == float(value) for run in plan.runs.values())
    assert len(plan.runs) == 2 * len(switched)  # each with the run in whose break-even point it counts
