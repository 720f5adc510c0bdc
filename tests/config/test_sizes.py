"""What would take hours or all memory to expand is counted first, and refused in a line."""

import time

import pytest

from breakeven.config.derive import repeated
from breakeven.config.plan import load_plan
from breakeven.specs.run import RunSpec, Segment
from breakeven.specs.schedule import snapshot_steps
from breakeven.store.errors import ConfigError, UserError
from tests.config.example import CONFIG, edited, mistakes, plan_of

SWEEP = "      learning_rate: [0.03, 0.1]"
STEPS = "      steps: 500\n"
DATASET = "{loader: digits}"
SEEDS = "[0, 1]"


def numbers(count):
    return str(list(range(1, count + 1)))


def too_many(runs):
    return f"{runs} runs are too many; at most 20000 in all studies of a config"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (edited((SEEDS, numbers(10_001))), f"studies.main: {too_many(20_002)}"),
        (
            edited(
                (
                    SWEEP,
                    "".join(f"      {name}: {numbers(1000)}\n" for name in ("learning_rate", "steps", "batch_size")),
                )
            ),
            f"studies.main: {too_many(2 * 10**9)}",
        ),
        (
            edited((SWEEP, f"      - learning_rate: {numbers(9000)}\n      - batch_size: {numbers(9000)}")),
            f"studies.main: {too_many(36_000)}",
        ),
        (
            edited((SEEDS, numbers(10_000))) + "  other:\n    base: {dataset: digits, network: mlp, learning_rate: 1, "
            "batch_size: 9, steps: 9}\n    seeds: [0]\n",
            f"studies: {too_many(20_001)}",
        ),
        (
            edited((STEPS, "      steps: 1000000000\n      snapshots: [{every: 1}]\n")),
            "studies.main.base.snapshots: 1000000000 snapshots of one run are too many; at most 100000: raise 'every'",
        ),
        (
            edited(
                (STEPS, "      epochs: 1000000\n      snapshots: [{every: 1, until: 9, unit: epoch}, {every: 9}]\n")
            ),
            "studies.main.base.snapshots: 4888853 snapshots of one run are too many; at most 100000: raise 'every'",
        ),
        (
            edited(
                (STEPS, f"{STEPS}      snapshots: [{', '.join(f'{{every: 1, until: {n}}}' for n in range(1, 5000))}]\n")
            ),
            "studies.main.base: the specification of a run is longer than 100000 characters, too long for a command",
        ),
    ],
)
def test_what_is_too_large(tmp_path, text, message):
    started = time.process_time()
    assert mistakes(tmp_path, text) == [message]
    assert time.process_time() - started < 10


def test_snapshots_where_only_the_files_know_how_many(tmp_path):
    """Planning lets them pass, training counts them again."""
    text = edited(
        (DATASET, "{loader: image_folder, path: x}"),
        (STEPS, "      epochs: 1000000\n      snapshots: [{every: 1}]\n"),
    )
    assert plan_of(tmp_path, text.replace("covariance: {batch_size: 16}", "{}"))
    spec = RunSpec({"loader": "image_folder"}, "mlp", {}, 0.1, 32, (Segment(1),), seed=0, epochs=1_000_000)
    with pytest.raises(UserError) as caught:
        snapshot_steps(spec, 40)
    assert str(caught.value) == ("snapshots: 40000000 snapshots of one run are too many; at most 100000: raise 'every'")


def test_long_lists_are_compared_in_no_time():
    items = [item for count in range(30_000) for item in (count, str(count), [count], {"a": count})]
    started = time.process_time()
    assert repeated(items) == []
    assert time.process_time() - started < 5
    for first, second in ((1, 1.0), ([1, {"a": 2}], [1.0, {"a": 2}]), (True, True), ("x", "x")):
        assert len(repeated([first, 7, second])) == 1
    for first, second in ((1, True), (0, False), ("1", 1), ([1], [True])):
        assert repeated([first, 7, second]) == []


@pytest.mark.parametrize("name", ["a\nb.yaml", "a\x1b[31m.yaml", "a\udcff.yaml"])
def test_the_name_of_a_config(tmp_path, name):
    (tmp_path / name).write_text(CONFIG, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_plan(tmp_path / name)
    message = "the name of a config can't hold a line break or another character that can't be seen"
    assert caught.value.lines == [f"{str(tmp_path / name)!r}: {message}"]
