"""Settings of the training beside the plain ones: label smoothing, precision, an early end, a switch at the break-even point."""

import math

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy, log_softmax

from breakeven.data.dataset import load
from breakeven.data.targets import training_targets
from breakeven.networks.build import build
from breakeven.specs.multipliers import Linear
from breakeven.specs.run import Segment, Switch, run_id
from breakeven.specs.run_file import read_spec
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.tables import write_table
from breakeven.store.training_record import SnapshotEntry, SwitchAtStep, TrainingRecord, read_training, write_training
from breakeven.training import train as module
from breakeven.training.mini_batches import MiniBatches
from tests.tiny import TRAIN, tiny_dataset, tiny_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture
def train(data, tmp_path):
    def run(break_even_step=None, rows_of_the_source=3, rows_located=2, **changes):
        spec = tiny_spec(**changes)
        out, source = tmp_path / run_id(spec), tmp_path / "source"
        left_hand_sides = [0.5, math.nan, math.inf if break_even_step == 8 else 0.9]
        source.mkdir(exist_ok=True)
        snapshots = tuple(SnapshotEntry(step, "", "", 0.05) for step in (0, 4, 8))
        write_training(source, TrainingRecord("", 12, 4, TRAIN, None, None, (), snapshots))
        table = pd.DataFrame({"step": [0, 4, 8], "stability_lhs": left_hand_sides})[:rows_of_the_source]
        write_table(source / "stability.csv", table, infinite=["stability_lhs"])
        # the step 4 is unknown, so that the interval is from 0 to 8
        located = pd.DataFrame({"step": [0, 8], "stability_lhs": [0.5, math.inf]})
        rows = located if break_even_step == 8 else located[:0]
        write_table(source / "locate.csv", rows[:rows_located], infinite=["stability_lhs"])
        module.train(spec, data, out, tmp_path / "state", CPU, "code", source)
        return out

    return run


def steps_of(out):
    return [entry.step for entry in read_training(out).snapshots]


def rates_of(out):
    return [entry.learning_rate for entry in read_training(out).snapshots]


def weights(out, step, which="now"):
    [entry] = [entry for entry in read_training(out).snapshots if entry.step == step]
    snapshot = snapshots.read(out / "snapshots" / entry.file, run_id(read_spec(out)), step, entry.sha256)
    return getattr(snapshot, which)


def test_smoothed_targets_are_those_of_pytorch():
    torch.manual_seed(0)
    outputs, labels = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 4, (9,))
    smoothed = cross_entropy(outputs, training_targets(labels, 4, 0.3, torch.float64))
    torch.testing.assert_close(smoothed, cross_entropy(outputs, labels, label_smoothing=0.3), rtol=1e-14, atol=0)
    by_hand = -(0.7 * log_softmax(outputs, 1)[torch.arange(9), labels] + 0.3 * log_softmax(outputs, 1).mean(1)).mean()
    torch.testing.assert_close(smoothed, by_hand, rtol=1e-14, atol=0)
    assert training_targets(labels, 4, 0.0, torch.float64) is labels


def test_a_step_with_label_smoothing(data, train):
    spec = tiny_spec(label_smoothing=0.2, precision="float64", snapshots=(Segment(1),))
    out = train(label_smoothing=0.2, precision="float64", snapshots=(Segment(1),))
    dataset = load(data, CPU)
    model = build(spec, dataset.input_shape, dataset.classes, torch.float64, CPU)
    raw, labels = MiniBatches(dataset, spec).at(0)
    loss = cross_entropy(model(dataset.inputs(raw, torch.float64)), labels, label_smoothing=0.2)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    after = weights(out, 0, "next")
    for (name, weight), gradient in zip(model.named_parameters(), gradients, strict=True):
        torch.testing.assert_close(after[name], weight.detach() - 0.05 * gradient, rtol=0, atol=1e-14)


def test_the_history_is_of_the_plain_loss(train):
    plain, smoothed = (pd.read_csv(train(label_smoothing=s) / "history.csv") for s in (0.0, 0.5))
    pd.testing.assert_frame_equal(plain[:2], smoothed[:2])  # at the start, where both have the same weights
    assert not plain[2:].equals(smoothed[2:])


def test_bfloat16_computes_with_fewer_digits_and_keeps_float32_weights(train):
    half, single = (weights(train(precision=precision), 12) for precision in ("bfloat16", "float32"))
    assert {weight.dtype for weight in half.values()} == {torch.float32}
    difference = max(float((half[name] - single[name]).abs().max()) for name in half)
    assert 1e-6 < difference < 0.05


def test_tf32_is_refused_on_a_cpu(train):
    with pytest.raises(UserError, match="precision: 'tf32' needs a CUDA device, and this run trains on 'cpu'"):
        train(precision="tf32")


def test_an_early_end(train):
    """It ends where the accuracy was evaluated, at the start of an epoch or a snapshot, with a snapshot there."""
    settings = {"learning_rate": 0.1, "steps": 200, "snapshots": (Segment(50),)}
    whole = train(**settings)
    history = pd.read_csv(whole / "history.csv")
    # an accuracy that the training set reaches first at a step between snapshots, and the test set has not reached by then
    both = history.pivot(index="step", columns="split", values="accuracy")
    first = (both["train"] > both["train"].cummax().shift(fill_value=0)) & (both["train"] > both["test"].cummax())
    step = int(next(step for step in both.index[first] if 0 < step < 200 and step % 50))
    accuracy = float(both["train"][step])
    out = train(stop_at_accuracy=accuracy, **settings)
    assert read_training(out).stopped_step == step and read_training(whole).stopped_step is None
    assert steps_of(out) == [*range(0, step, 50), step]
    pd.testing.assert_frame_equal(pd.read_csv(out / "history.csv"), history[history["step"] <= step])
    assert set(weights(out, step, "next")) == set(weights(out, 0))


def test_a_switch_at_the_break_even_point(train):
    """Half of the way to a break-even point at step 8 is step 4: the same bytes as a switch declared there."""
    counted = {"schedule": (Switch(0.5, 0.2, "break_even"),), "snapshots": (Segment(1),)}
    out = train(break_even_step=8, **counted)
    declared = train(schedule=(Switch(4, 0.2),), snapshots=(Segment(1),))
    assert read_training(out).switches == (SwitchAtStep(4, 0.2),)
    assert rates_of(out) == rates_of(declared) == [0.05] * 4 + [0.2] * 9
    for step in (4, 5, 12):
        assert all(torch.equal(w, weights(declared, step)[name]) for name, w in weights(out, step).items())
    never = train(break_even_step=None, **counted)
    assert read_training(never).switches == (SwitchAtStep(None, 0.2),)
    assert rates_of(never) == [0.05] * 13


@pytest.mark.parametrize("rows", [0, 2])
def test_the_break_even_point_of_a_table_that_is_cut_is_not_believed(train, rows):
    with pytest.raises(UserError, match=r"stability\.csv' does not have the steps of the run's snapshots: delete it"):
        train(break_even_step=8, rows_of_the_source=rows, schedule=(Switch(0.5, 0.2, "break_even"),))


@pytest.mark.parametrize("rows", [0, 1])
def test_nor_of_steps_between_snapshots_that_are_cut(train, rows):
    """An empty table says that there is no break-even point: only where that of the snapshots says so, too."""
    with pytest.raises(
        UserError, match=r"locate\.csv' does not have the steps of the run's break-even point: delete it"
    ):
        train(break_even_step=8, rows_located=rows, schedule=(Switch(0.5, 0.2, "break_even"),))


def test_dropout_draws_the_same_numbers_again(train):
    options = {"network_options": {"channels": [3], "dense": 5, "dropout": 0.5}}
    first = weights(train(**options), 12)
    torch.rand(7)  # whatever else draws random numbers
    again = weights(train(**options), 12)
    plain = weights(train(), 12)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(a, b) for a, b in zip(first.values(), plain.values(), strict=True))


def test_a_decay_from_the_break_even_point_is_another_one_where_that_is_another(train):
    """The results of before are of the same specification, and are not taken for those of this training."""
    changes = {"schedule": (Linear(at=1.0, unit="break_even", final=0.5),), "snapshots": (Segment(4),)}
    assert rates_of(train(break_even_step=8, **changes)) == pytest.approx([0.05, 0.05, 0.05, 0.025])
    out = train(**changes)
    assert rates_of(out) == [0.05] * 4
    assert read_training(out).never == ("linear",)
