"""The break-even point to the step: against a run with a snapshot at each step, and what is said where it can't be had."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from breakeven.data.dataset import load
from breakeven.measurements import locate as module
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.locate import COLUMNS, Interval, measure_locate, search
from breakeven.measurements.stability import measure_stability
from breakeven.specs.run import Segment, Switch, run_id
from breakeven.specs.run_file import read_spec
from breakeven.store import snapshots
from breakeven.store.errors import MeasurementError, UserError
from breakeven.store.notes import Note
from breakeven.store.tables import read_table, write_table
from breakeven.store.training_record import read_training
from breakeven.summary.break_even import break_even
from breakeven.training.again import taken_again
from breakeven.training.train import train
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SEARCH = {"tolerance": 1e-6, "max_matvecs": 400, "batch_size": 8}
# stable but at the steps 13 and 14, and from 17 on: curvature moves little on this data, the threshold does
SWITCHES = (Switch(13, 1.0), Switch(15, 0.02), Switch(17, 1.0))
SPEC = tiny_spec(network="mlp", network_options={"hidden": [12]}, label_smoothing=0.4, steps=24, schedule=SWITCHES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


def trained(spec, data, folder):
    run = folder / run_id(spec)
    train(spec, data, run, folder / f"state-{run.name}", CPU)
    return run


def measured(spec, data, folder):
    """Trained, and measured as far as Eq. 1."""
    run = trained(spec, data, folder)
    settings = {"eigenvalues": 1, "trace_probes": 2, "precision": "float64"}
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, **SEARCH, **settings)
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=8, precision="float64")
    return run


def located(run, data, most_steps=32):
    out = run / "locate.csv"
    measure_locate(run, data, out, CPU, math.inf, most_steps=most_steps, precision="float64", **SEARCH)
    return read_table(out)


def point(run):
    return break_even(read_table(run / "stability.csv"), read_table(run / "locate.csv"))


@pytest.fixture(scope="module")
def every_step(data, tmp_path_factory):
    """Eq. 1 at each step, by the stages hessian and stability alone."""
    run = measured(replace(SPEC, snapshots=(Segment(1),)), data, tmp_path_factory.mktemp("every"))
    return read_table(run / "stability.csv").set_index("step")


@pytest.fixture(scope="module")
def sparse(data, tmp_path_factory):
    return measured(replace(SPEC, snapshots=(Segment(8, 8), Segment(16))), data, tmp_path_factory.mktemp("sparse"))


# ------------------------------------------------------------------ the steps again

KINDS = {
    "plain": {},
    "momentum, running averages, augmentation": {
        "network": "simple_cnn_bn",
        "momentum": 0.9,
        "augmentation": "crop_flip",
        "label_smoothing": 0.1,
    },
    "Nesterov, weight decay": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "bfloat16": {"precision": "bfloat16"},
    "float64, dropout": {
        "precision": "float64",
        "network": "mlp",
        "network_options": {"hidden": [5], "dropout": 0.3},
    },
    "Adam": {"optimizer": "adam", "learning_rate": 0.01},
    "replacement": {"sampling": "replacement"},
    "a schedule": {"schedule": (Switch(3, 0.2), Switch(2, 0.01, "epoch"))},
    "stops": {"stop_at_accuracy": 0.5},
}


@pytest.mark.parametrize("kind", KINDS)
def test_steps_that_are_taken_again_are_the_same_to_the_bit(data, tmp_path, kind):
    """From each snapshot to all later ones: weights before and after the step, buffers, what the optimizer remembers, η."""
    spec = tiny_spec(**{"snapshots": (Segment(4),)} | KINDS[kind])
    run = trained(spec, data, tmp_path)
    record, dataset = read_training(run), load(data, CPU)
    stored = [
        snapshots.read(run / "snapshots" / entry.file, run.name, entry.step, entry.sha256) for entry in record.snapshots
    ]
    rates = {entry.step: entry.learning_rate for entry in record.snapshots}
    assert len(stored) > 1
    for position, start in enumerate(stored[:-1]):
        steps = [snapshot.step for snapshot in stored[position + 1 :]]
        again = list(taken_again(spec, record, dataset, CPU, start, steps))
        assert [snapshot.step for snapshot, _ in again] == steps
        for (snapshot, rate), expected in zip(again, stored[position + 1 :], strict=True):
            assert rate == rates[snapshot.step]
            for group in ("now", "next", "buffers", "optimizer"):
                mine, theirs = getattr(snapshot, group), getattr(expected, group)
                assert mine.keys() == theirs.keys()
                assert all(torch.equal(mine[name], theirs[name]) for name in theirs), (group, start.step, snapshot.step)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_a_snapshot_can_be_trained_from_twice(data, tmp_path, optimizer):
    """What it remembers is the snapshot's still, and not moved with the training."""
    given = {"momentum": 0.9} if optimizer == "sgd" else {"optimizer": optimizer, "learning_rate": 0.01}
    run = trained(replace(SPEC, schedule=(), snapshots=(Segment(6),), **given), data, tmp_path)
    spec, record, dataset = read_spec(run), read_training(run), load(data, CPU)
    entry = record.snapshots[1]
    start = snapshots.read(run / "snapshots" / entry.file, run_id(spec), entry.step, entry.sha256)
    once, twice = (
        [snapshot for snapshot, _ in taken_again(spec, record, dataset, CPU, start, [8, 12])] for _ in range(2)
    )
    for before, after in zip(once, twice, strict=True):
        assert all(torch.equal(after.now[name], weight) for name, weight in before.now.items())


def test_what_begins_from_a_file_of_weights_and_counts_in_a_break_even_point_is_taken_again(sparse, data, tmp_path):
    """The step that the switch took effect at is in the record of the training."""
    located(sparse, data)
    switch = Switch(0.5, 0.3, unit="break_even")
    spec = replace(read_spec(sparse), schedule=(*SWITCHES, switch))
    run = tmp_path / run_id(spec)
    train(spec, data, run, tmp_path / "state", CPU, source=sparse)
    record = read_training(run)
    assert (record.break_even_step, record.switches[-1].step) == (13, round(13 / 2))
    first, second = record.snapshots[0], record.snapshots[1]
    start, expected = (
        snapshots.read(run / "snapshots" / each.file, run.name, each.step, each.sha256) for each in (first, second)
    )
    [(again, _)] = taken_again(spec, record, load(data, CPU), CPU, start, [second.step])
    assert all(torch.equal(again.now[name], weight) for name, weight in expected.now.items())


def repeated(interval):
    """What is said of the end of the interval, reached again."""
    [(end, _)] = interval.again(interval.snapshot(interval.first), [interval.last])
    return module.difference(interval, end)


def momentum_run(data, folder):
    """Which has a snapshot at the steps 8 and 16, said to be stable and unstable."""
    run = trained(replace(SPEC, momentum=0.9, schedule=(), label_smoothing=0.0, snapshots=(Segment(8),)), data, folder)
    interval = Interval(run, read_spec(run), read_training(run), load(data, CPU), CPU, 8, 16)
    assert repeated(interval) is None
    return run, interval


def change(monkeypatch, how):
    """Each snapshot is read as ``how`` makes it."""
    real = snapshots.read
    monkeypatch.setattr(snapshots, "read", lambda *arguments: how(real(*arguments)))


@pytest.mark.parametrize("factor", [0.0, 0.9])
def test_a_wrong_state_of_the_optimizer_is_noticed(data, tmp_path, monkeypatch, factor):
    _, interval = momentum_run(data, tmp_path)
    change(
        monkeypatch, lambda found: replace(found, optimizer={name: factor * v for name, v in found.optimizer.items()})
    )
    with pytest.raises(
        MeasurementError, match=r"from the snapshot of step 8 comes to other weights at step 16 .*off by 0"
    ):
        repeated(interval)


def test_other_rounding_is_said_and_other_steps_are_an_error(data, tmp_path, monkeypatch):
    _, interval = momentum_run(data, tmp_path)
    change(monkeypatch, lambda found: replace(found, next={name: w + 1e-8 for name, w in found.next.items()}))
    assert repeated(interval) is Note.OTHER_BITS
    monkeypatch.setattr(module, "ROUNDING", 1e-12)
    with pytest.raises(MeasurementError, match="most_steps to 0"):
        repeated(interval)


def test_a_damaged_snapshot_is_refused(data, tmp_path):
    run, interval = momentum_run(data, tmp_path)
    path = run / "snapshots" / snapshots.file_name(8)
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.unlink()
    path.write_bytes(raw)
    with pytest.raises(UserError, match="SHA-256"):
        repeated(interval)


# ------------------------------------------------------------------ the step


def test_the_step_is_that_of_a_run_with_a_snapshot_at_each_step(sparse, data, every_step):
    sides = every_step["stability_lhs"]
    assert list(sides.index[sides >= 1][:3]) == [13, 14, 17] and sides[8] < 1 <= sides[24]
    table = located(sparse, data)
    assert list(table.columns) == COLUMNS
    # from the last stable snapshot to the break-even point, until it is stable again; and the first unstable snapshot
    assert list(table["step"]) == [8, 9, 10, 11, 12, 13, 14, 15, 24]
    expected = every_step.loc[table["step"]].reset_index()
    for column in ("learning_rate", "lambda_1", "stability_lhs", "break_even_curvature", "curvature_variance"):
        assert list(table[column]) == pytest.approx(list(expected[column]), rel=1e-3), column
    assert list(table["matvecs"].isna()) == [True, *[False] * 7, True] and table["note"].isna().all()
    found = point(sparse)
    assert (found.step, found.after_step, found.measured_step, found.stable_again_step) == (13, 12, 24, 15)
    assert found.lambda_H == pytest.approx(every_step["lambda_1"][13], rel=1e-6)
    assert found.predicted_lambda_H == pytest.approx(every_step["break_even_curvature"][13], rel=1e-4)
    assert found.note == "the left-hand side of Eq. 1 is below 1 again at step 15, and not at step 24"


@pytest.mark.parametrize("most_steps", [1, 2, 4])
def test_a_finer_search_begins_from_a_step_that_was_trained_again(sparse, data, every_step, most_steps):
    table = located(sparse, data, most_steps=most_steps)
    steps = list(table["step"])
    sides = every_step["stability_lhs"]
    assert list(table["stability_lhs"]) == pytest.approx(list(sides[steps]), rel=1e-3)
    found = point(sparse)
    assert found.step - found.after_step == 1 and sides[found.after_step] < 1 <= sides[found.step]


def test_with_no_steps_the_snapshots_remain(sparse, data, monkeypatch):
    monkeypatch.setattr(module, "taken_again", None)
    assert list(located(sparse, data, most_steps=0)["step"]) == [8, 24]
    assert (point(sparse).step, point(sparse).after_step) == (24, 8)


def test_where_the_steps_are_not_repeated_the_snapshots_remain_with_a_note(sparse, data, monkeypatch):
    monkeypatch.setattr(module, "difference", lambda interval, end: Note.NOT_REPEATED)
    assert list(located(sparse, data)["step"]) == [8, 24]
    assert point(sparse).note == Note.NOT_REPEATED.sentence
    monkeypatch.setattr(module, "difference", lambda interval, end: Note.OTHER_BITS)
    assert len(located(sparse, data)) == 9 and Note.OTHER_BITS.sentence in point(sparse).note


def test_of_an_optimizer_with_a_preconditioner_its_eigenvalue_is_measured(data, tmp_path, monkeypatch):
    """As by the stages hessian and stability, at each step: never the raw λ_H^1."""
    spec = replace(SPEC, optimizer="adam", schedule=(), learning_rate=0.001, steps=6)
    whole = read_table(measured(replace(spec, snapshots=(Segment(1),)), data, tmp_path) / "stability.csv")
    run = measured(replace(spec, snapshots=(Segment(6),)), data, tmp_path)
    # of its own it is unstable at once, or never
    monkeypatch.setattr(module, "interval_of_break_even", lambda sides, from_stable: (0, 6))
    table = located(run, data)
    assert len(table) == 7 or table["step"].iloc[-1] == 6
    expected = whole.set_index("step").loc[table["step"]].reset_index()
    for column in ("lambda_1", "stability_lhs", "curvature_variance"):
        assert list(table[column]) == pytest.approx(list(expected[column]), rel=1e-3), column


def test_what_does_not_converge_is_said(sparse, data):
    out = sparse / "short.csv"
    settings = SEARCH | {"max_matvecs": 3}
    measure_locate(sparse, data, out, CPU, math.inf, most_steps=32, precision="float64", **settings)
    assert Note.NOT_CONVERGED.code in read_table(out)["note"][1]


@pytest.mark.parametrize(("sides", "steps"), [([0.5] * 3, []), ([2.0, 0.5, 2.0], [0]), ([math.nan, 1.0, 0.5], [8])])
def test_a_run_that_never_breaks_even_and_one_that_does_at_once(sparse, data, tmp_path, monkeypatch, sides, steps):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("run.yaml", "training.json"):
        (run / name).write_bytes((sparse / name).read_bytes())
    table = read_table(sparse / "stability.csv")
    write_table(run / "stability.csv", table.assign(stability_lhs=sides))
    monkeypatch.setattr(module, "taken_again", None)
    found = located(run, data)
    assert list(found.columns) == COLUMNS and list(found["step"]) == steps
    assert point(run).step == (steps[0] if steps else None)


def test_a_snapshot_whose_left_hand_side_is_unknown_lies_between(sparse, data):
    table = read_table(sparse / "stability.csv")
    table.loc[table["step"] == 8, "stability_lhs"] = math.nan
    whole = (sparse / "stability.csv").read_bytes()
    write_table(sparse / "stability.csv", table)
    try:
        assert list(located(sparse, data)["step"])[:14] == list(range(14))
        assert point(sparse).after_step == 12
    finally:
        (sparse / "stability.csv").write_bytes(whole)


# ------------------------------------------------------------------ which steps are measured


def tried(sides, most_steps):
    """The steps that are tried where the left-hand side at step 100 + i is ``sides[i]``, and the rows.

    The whole interval is trained once, and less than one such distance between tries in each finer search.
    """
    last = 100 + len(sides) - 1
    asked, trained = [], []

    class Steps:
        first = 100

        def __init__(self):
            self.last = last

        def snapshot(self, step):
            return snapshots.Snapshot(step, {}, {}, {})

        def again(self, start, steps):
            trained.append(max(steps) - start.step)
            return ((self.snapshot(step), 0.1) for step in steps)

    def row_at(snapshot, rate):
        asked.append(snapshot.step - 100)
        return {"step": snapshot.step, "stability_lhs": sides[snapshot.step - 100]}

    rows = {step: {"step": step, "stability_lhs": sides[step - 100]} for step in (100, last)}
    between, _ = search(Steps(), most_steps, row_at)
    rows |= between
    assert trained[0] == last - 100
    for before, steps in pairwise(trained):
        assert steps < math.ceil(before / (most_steps + 1)) + 1
    return asked, {step - 100: row["stability_lhs"] for step, row in rows.items()}


def test_each_step_until_one_is_unstable_and_one_is_stable_again():
    assert tried([0.5] * 6 + [2.0], 32)[0] == [1, 2, 3, 4, 5]
    assert tried([0.5, 0.5, 2.0, 2.0, 0.9, 0.5, 2.0], 32)[0] == [1, 2, 3, 4]
    assert tried([0.5, 2.0, 2.0, 2.0, 2.0], 32)[0] == [1, 2, 3]
    assert tried([0.5, math.nan, 2.0, math.nan, 0.5, 0.5, 2.0], 32)[0] == [1, 2, 3, 4]


@pytest.mark.parametrize("most_steps", [1, 3, 32])
def test_where_it_is_known_nowhere_between_the_search_ends(most_steps):
    asked, _ = tried([0.5] + [math.nan] * 99 + [2.0], most_steps)
    assert len(asked) == len(set(asked)) <= most_steps


@pytest.mark.parametrize("most_steps", [1, 2, 3, 7, 32])
@pytest.mark.parametrize("crossing", [1, 2, 50, 99, 100])
def test_many_steps_are_narrowed_down_to_one(most_steps, crossing):
    asked, rows = tried([0.5] * crossing + [2.0] * (101 - crossing), most_steps)
    assert rows[crossing - 1] < 1 <= rows[crossing]
    assert len(asked) == len(set(asked))
    levels = math.ceil(math.log(100, most_steps + 1))
    assert len(asked) <= most_steps * levels


def test_an_excursion_between_two_tries_is_not_seen_and_one_at_a_try_is():
    sides = [0.5] * 101
    sides[100] = 2.0
    sides[13] = 3.0
    assert 13 not in tried(sides, 9)[0]
    sides[20] = 3.0
    asked, rows = tried(sides, 9)
    assert asked == [10, 20, 30, *range(11, 14)]  # stable again at 30; from 10 on each
    assert min(step for step, side in rows.items() if side >= 1) == 13
