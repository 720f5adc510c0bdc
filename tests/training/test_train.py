import csv
import json
import math

import numpy as np
import pytest
import torch
import yaml
from torch.nn.functional import batch_norm, conv2d, cross_entropy, max_pool2d

from breakeven.data.dataset import load
from breakeven.specs.multipliers import Cosine, Linear, WarmUp
from breakeven.specs.run import Segment, Switch, canonical_json, run_id
from breakeven.specs.run_file import read_spec
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.files import sha256
from breakeven.store.training_record import read_training
from breakeven.training import train as module
from breakeven.training import training
from breakeven.training.mini_batches import MiniBatches
from tests.tiny import TRAIN, tiny_dataset, tiny_spec, tiny_splits

CPU = torch.device("cpu")
EVERY_STEP = (Segment(1),)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture
def train(data, tmp_path):
    """Train a run; returns its folder."""

    def run(**changes):
        spec = tiny_spec(**changes)
        out = tmp_path / run_id(spec)
        module.train(spec, data, out, tmp_path / "state", CPU, "code")
        return out

    return run


def read_json(out):
    return json.loads((out / "training.json").read_text(encoding="utf-8"))


def read_snapshots(out):
    """All snapshots of a run by step, in float64."""
    found = {}
    for entry in read_training(out).snapshots:
        read = snapshots.read(out / "snapshots" / entry.file, run_id(read_spec(out)), entry.step, entry.sha256)
        found[read.step] = read
    return found


def read_history(out):
    with (out / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def forward(weights, x):
    """SimpleCNN with one stage, in functions."""
    for name in ("0", "2"):
        x = conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1).relu()
    x = max_pool2d(x, 2).flatten(1)
    x = (x @ weights["6.weight"].T + weights["6.bias"]).relu()
    return x @ weights["8.weight"].T + weights["8.bias"]


def normalised(images, dtype=torch.float64):
    """With the statistics of the tiny training set, by NumPy."""
    pixels = tiny_splits().train_inputs.astype(np.float64)
    mean, std = pixels.mean(axis=(0, 2, 3), keepdims=True), pixels.std(axis=(0, 2, 3), keepdims=True)
    return torch.from_numpy((np.asarray(images).astype(np.float64) - mean) / std).to(dtype)


def by_hand(weights, batches, learning_rates, momentum=0.0, weight_decay=0.0):
    """SGD as in the textbook: v ← μ v + ∇L + λ θ, θ ← θ − η v."""
    velocity = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for (images, labels), learning_rate in zip(batches, learning_rates, strict=True):
        leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
        outputs = forward(leaves, normalised(images, next(iter(weights.values())).dtype))
        loss = -(outputs.log_softmax(dim=1)[torch.arange(len(labels)), torch.as_tensor(labels)]).mean()
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            velocity[name] = momentum * velocity[name] + gradient + weight_decay * weight
        weights = {name: weight - learning_rate * velocity[name] for name, weight in weights.items()}
    return weights


def mini_batches(data, spec, steps):
    batches = MiniBatches(load(data, CPU), spec)
    return [batches.at(step) for step in range(steps)]


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=tolerance, msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"learning_rate": 0.5},
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"momentum": 0.5, "weight_decay": 0.03},
    ],
    ids=str,
)
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
def test_sgd_by_hand(data, train, precision, tolerance, changes):
    spec = tiny_spec(precision=precision, **changes)
    found = read_snapshots(train(precision=precision, **changes))
    start = found[0].now
    assert {weight.dtype for weight in start.values()} == {getattr(torch, precision)}
    rates = [spec.learning_rate] * 12
    options = {name: changes.get(name, 0.0) for name in ("momentum", "weight_decay")}
    expected = by_hand(start, mini_batches(data, spec, 12), rates, **options)
    assert_same(found[12].now, expected, tolerance)
    assert max((expected[name] - start[name]).abs().max() for name in start) > 1000 * tolerance  # it went somewhere


def test_full_batch_gradient_descent_by_hand(train):
    """With all examples in each step their order doesn't matter: nothing is taken from the training code."""
    found = read_snapshots(train(batch_size=TRAIN, precision="float64", momentum=0.9))
    splits = tiny_splits()
    everything = [(splits.train_inputs, splits.train_labels)] * 12
    assert_same(found[12].now, by_hand(found[0].now, everything, [0.05] * 12, momentum=0.9), 1e-12)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ((Switch(3, 0.5),), [0.05] * 3 + [0.5] * 9),
        ((Switch(1, 0.01, "epoch"),), [0.05] * 5 + [0.01] * 7),
        ((Switch(2, 0.3), Switch(2, 0.1, "epoch")), [0.05] * 2 + [0.3] * 8 + [0.1] * 2),
    ],
)
def test_the_learning_rate_switches(data, train, schedule, rates):
    changes = {"schedule": schedule, "momentum": 0.5, "precision": "float64"}
    found = read_snapshots(train(**changes))
    batches = mini_batches(data, tiny_spec(**changes), 12)
    assert_same(found[12].now, by_hand(found[0].now, batches, rates, momentum=0.5), 1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_learning_rate_that_changes_at_each_step(data, train, momentum):
    schedule = (WarmUp(until=1, unit="epoch", initial=0.2), Linear(final=0.1), Switch(6, 0.5))
    changes = {"schedule": schedule, "momentum": momentum, "precision": "float64"}
    found = read_snapshots(train(**changes))
    rates = [(0.05 if t < 6 else 0.5) * min(1, 0.2 + 0.8 * (t + 1) / 5) * (1 - 0.9 * t / 12) for t in range(12)]
    batches = mini_batches(data, tiny_spec(**changes), 12)
    assert_same(found[12].now, by_hand(found[0].now, batches, rates, momentum=momentum), 1e-12)


def test_an_epoch_takes_each_example_at_most_once(data):
    """43 examples and S = 8: five steps of eight different examples, three left out, in another order each epoch."""
    key = {image.tobytes(): number for number, image in enumerate(tiny_splits().train_inputs)}
    labels = tiny_splits().train_labels
    assert len(key) == 43
    epochs = []
    for seed in (0, 1):
        batches = mini_batches(data, tiny_spec(seed=seed), 10)
        numbers = [[key[image.numpy().tobytes()] for image in images] for images, _ in batches]
        for chosen, (_, targets) in zip(numbers, batches, strict=True):
            assert targets.tolist() == labels[chosen].tolist()
        for epoch in (numbers[:5], numbers[5:]):
            together = [number for chosen in epoch for number in chosen]
            assert len(set(together)) == len(together) == 40
            epochs.append(tuple(together))
    assert len(set(epochs)) == 4


def drawn(data, until, **changes):
    batches = MiniBatches(load(data, CPU), tiny_spec(**changes))
    return np.array([batches.examples_of(step).tolist() for step in range(until)])


@pytest.mark.parametrize("sampling", ["replacement", "reshuffle"])
def test_how_mini_batches_go_together(data, sampling):
    """Each example, and each pair, is as often in one as others are; those of an epoch share none, or as many as by chance."""
    steps, chance = 4000, 8 / 43
    members = np.zeros((steps, 43))
    for step, numbers in enumerate(drawn(data, steps, sampling=sampling)):
        assert len(set(numbers)) == 8
        members[step, numbers] = 1
    error = np.sqrt(chance * (1 - chance) / steps)
    assert np.abs(members.mean(axis=0) - chance).max() < 5 * error
    pairs = members.T @ members / steps  # of two examples in one mini-batch
    expected = chance * 7 / 42
    assert np.abs(pairs[~np.eye(43, dtype=bool)] - expected).max() < 5 * np.sqrt(expected / steps)
    epochs = members.reshape(-1, 5, 43)
    again = (epochs[:, 0] * epochs[:, 1]).sum(axis=1)  # examples that two mini-batches of an epoch share
    if sampling == "reshuffle":
        assert not again.any()
    else:  # hypergeometric: mean S²/N, variance S²/N (N − S)²/(N (N − 1))
        assert abs(again.mean() - 64 / 43) < 5 * np.sqrt(64 / 43 * 35**2 / (43 * 42) / len(epochs))
        assert again.var() == pytest.approx(64 / 43 * 35**2 / (43 * 42), rel=0.25)
        counts = epochs.sum(axis=1)
        assert counts.var() == pytest.approx(5 * chance * (1 - chance), rel=0.05)  # how often an epoch has an example


def test_independent_mini_batches_depend_on_seed_and_step_alone(data):
    first = drawn(data, 12, sampling="replacement")
    np.testing.assert_array_equal(drawn(data, 12, sampling="replacement", steps=99, learning_rate=1.0), first)
    assert (drawn(data, 12, sampling="replacement", seed=1) != first).any(axis=1).all()
    assert (drawn(data, 12) != first).any(axis=1).all()
    assert len({tuple(numbers) for numbers in first}) == 12
    assert [sorted(numbers) for numbers in drawn(data, 3, sampling="replacement", batch_size=43)] == [
        list(range(43))
    ] * 3


def test_snapshots_are_taken_at_the_scheduled_steps(train):
    """Each segment counts from the end of the one before; five steps are an epoch."""
    schedule = (Segment(2, 5), Segment(3, 10), Segment(1, 4, "epoch"), Segment(7))
    out = train(snapshots=schedule, steps=30)
    steps = [0, 2, 4, 8, 15, 20, 27, 30]
    assert list(read_snapshots(out)) == steps
    assert [entry.step for entry in read_training(out).snapshots] == steps
    assert sorted(path.name for path in (out / "snapshots").iterdir()) == [f"step-{s:08d}.safetensors" for s in steps]


def test_next_is_one_step_later(train):
    """Also at the end of the run, whose next weights are those of a run that is one step longer."""
    for changes in ({"momentum": 0.9, "weight_decay": 0.01}, {"network": "simple_cnn_bn"}):
        dense = read_snapshots(train(snapshots=EVERY_STEP, steps=7, **changes))
        longer = read_snapshots(train(snapshots=EVERY_STEP, steps=8, **changes))
        for step in range(8):
            assert_same(dense[step].now, longer[step].now, 0)
            assert_same(dense[step].next, longer[step + 1].now, 0)
            assert not torch.equal(dense[step].now["0.weight"], dense[step].next["0.weight"])


def test_taking_snapshots_changes_nothing(train):
    """Evaluating and measuring more often leaves the trajectory as it was."""
    dense = read_snapshots(train(snapshots=EVERY_STEP, network="simple_cnn_bn"))
    sparse = read_snapshots(train(snapshots=(Segment(6),), network="simple_cnn_bn"))
    assert list(sparse) == [0, 6, 12]
    for step, snapshot in sparse.items():
        assert_same(snapshot.now, dense[step].now, 0)
        assert_same(snapshot.buffers, dense[step].buffers, 0)


def test_history(train):
    """At each snapshot and the start of each epoch, both splits; loss and accuracy at the weights of that step."""
    out = train(snapshots=(Segment(4),), precision="float64")
    rows = read_history(out)
    assert [(int(row["step"]), row["split"]) for row in rows] == [
        (step, split) for step in (0, 4, 5, 8, 10, 12) for split in ("train", "test")
    ]
    assert all(float(row["epoch"]) == int(row["step"]) / 5 for row in rows)
    splits, found = tiny_splits(), read_snapshots(out)
    for row in rows:
        if int(row["step"]) in found:
            images, labels = (getattr(splits, f"{row['split']}_{what}") for what in ("inputs", "labels"))
            outputs = forward(found[int(row["step"])].now, normalised(images)).numpy()
            losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(labels)), labels]
            assert math.isclose(float(row["loss"]), losses.mean(), rel_tol=1e-12)
            assert float(row["accuracy"]) == np.mean(outputs.argmax(axis=1) == labels)


def test_the_learning_rate_of_each_row(train):
    """That of the SGD step from there, as in the snapshots; the last one's step is taken, too."""
    out = train(schedule=(WarmUp(until=4), Cosine(at=4)), learning_rate=0.08, snapshots=(Segment(3),))
    rates = {int(row["step"]): float(row["learning_rate"]) for row in read_history(out)}
    by_hand = {0: 0.02, 3: 0.08, 5: 0.04 * (1 + math.cos(math.pi / 8)), 6: 0.04 * (1 + math.cos(math.pi / 4)), 12: 0.0}
    assert list(rates) == [0, 3, 5, 6, 9, 10, 12]
    assert {step: rates[step] for step in by_hand} == pytest.approx(by_hand, rel=1e-12, abs=0)
    assert {entry.step: entry.learning_rate for entry in read_training(out).snapshots} == {
        step: rates[step] for step in (0, 3, 6, 9, 12)
    }
    last = read_snapshots(out)[12]
    assert_same(last.next, last.now, 0)  # η is 0
    constant = read_history(train(schedule=(Switch(5, 0.3),)))
    assert [row["learning_rate"] for row in constant] == ["0.05"] * 6 + ["0.3"] * 10


def test_it_learns(train):
    rows = read_history(train(epochs=40, steps=None, learning_rate=0.1, snapshots=(Segment(20, unit="epoch"),)))
    assert float(rows[-2]["accuracy"]) > 0.9 > 0.6 > float(rows[0]["accuracy"])
    assert float(rows[-1]["accuracy"]) > 0.6
    assert rows[-1]["step"] == "200"


def test_what_is_recorded(train):
    out = train()
    spec = tiny_spec()
    record = read_json(out)
    entries = record.pop("snapshots")
    assert len(record.pop("key")) == 64
    assert record == {
        "diverged_step": None,
        "stopped_step": None,
        "steps": 12,
        "steps_per_epoch": 5,
        "train_examples": 43,
        "switches": [],
        "never": [],
        "break_even_step": None,
        "sampling": "reshuffle",
    }
    assert [entry["step"] for entry in entries] == [0, 2, 4, 6, 8, 10, 12]
    assert all(
        entry == {"step": entry["step"], "file": path.name, "sha256": sha256(path), "learning_rate": 0.05}
        for entry, path in zip(entries, sorted((out / "snapshots").iterdir()), strict=True)
    )
    recorded = yaml.safe_load((out / "run.yaml").read_text(encoding="utf-8"))
    assert recorded == {"run": run_id(spec)} | json.loads(canonical_json(spec))
    assert {path.name for path in out.iterdir()} == {
        "run.yaml",
        "history.csv",
        "training.json",
        "snapshots",
    }


def test_a_run_that_diverges_is_a_result(train):
    """With another seed, all ReLUs may die at the first step, and the loss be huge and finite from there on."""
    out = train(learning_rate=1e6, snapshots=EVERY_STEP, steps=200, seed=1)
    record = read_training(out)
    step = record.diverged_step
    assert record.diverged
    assert 0 < step < 200
    found = read_snapshots(out)  # verifies the digests
    assert list(found) == list(range(step))
    assert all(torch.isfinite(weight).all() for weight in found[0].now.values())
    rows = read_history(out)
    assert int(rows[-1]["step"]) == step
    assert len(rows) == 2 * (step + 1)
    assert math.isfinite(float(rows[0]["loss"]))


def test_a_run_that_diverges_at_its_first_step(data, train, monkeypatch):
    """Weights that are not finite from the start stand for whatever goes wrong there."""
    build = training.build

    def broken(*arguments):
        model = build(*arguments)
        with torch.no_grad():
            next(model.parameters()).fill_(math.inf)
        return model

    monkeypatch.setattr(training, "build", broken)
    out = train()
    record = read_training(out)
    assert (record.diverged, record.diverged_step, record.snapshots) == (True, 0, ())
    assert list((out / "snapshots").iterdir()) == []
    assert [row["step"] for row in read_history(out)] == ["0", "0"]


def test_a_batch_larger_than_the_training_set(train):
    with pytest.raises(UserError, match="batch_size: 44 is more than the 43 training examples"):
        train(batch_size=44)


def test_precision(train):
    """The same start, and almost the same way, in both precisions."""
    single, double = (read_snapshots(train(precision=precision)) for precision in ("float32", "float64"))
    assert {weight.dtype for weight in double[12].now.values()} == {torch.float64}
    assert_same({k: w.double() for k, w in single[0].now.items()}, double[0].now, 0)
    assert_same({k: w.double() for k, w in single[12].now.items()}, double[12].now, 1e-5)
    assert not torch.equal(single[12].now["0.weight"].double(), double[12].now["0.weight"])


def test_augmentation_changes_the_mini_batches_and_not_the_evaluation(data, train):
    plain, augmented = mini_batches(data, tiny_spec(), 5), mini_batches(data, tiny_spec(augmentation="crop_flip"), 5)
    for (images, labels), (changed, same_labels) in zip(plain, augmented, strict=True):
        assert torch.equal(labels, same_labels)
        assert images.shape == changed.shape
        assert not torch.equal(images, changed)
    first, second = (read_history(train(augmentation=name)) for name in ("none", "crop_flip"))
    assert first[:2] == second[:2]
    assert first[-1] != second[-1]


def test_batch_normalization(data, train):
    """The running averages after one step, by hand; and it learns."""
    changes = {"network": "simple_cnn_bn", "precision": "float64"}
    found = read_snapshots(train(snapshots=EVERY_STEP, **changes))
    assert found[0].buffers["1.running_mean"].tolist() == [0, 0, 0]
    assert found[0].buffers["1.running_var"].tolist() == [1, 1, 1]
    images, labels = mini_batches(data, tiny_spec(**changes), 1)[0]
    weights = found[0].now
    x = conv2d(normalised(images), weights["0.weight"], weights["0.bias"], padding=1).numpy()
    mean, variance = x.mean(axis=(0, 2, 3)), x.transpose(1, 0, 2, 3).reshape(3, -1).var(axis=1, ddof=1)
    np.testing.assert_allclose(found[1].buffers["1.running_mean"], 0.1 * mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1].buffers["1.running_var"], 0.9 + 0.1 * variance, rtol=1e-9)
    # one SGD step against PyTorch's own batch normalization
    leaves = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
    x = normalised(images)
    for conv, norm in (("0", "1"), ("3", "4")):
        x = conv2d(x, leaves[f"{conv}.weight"], leaves[f"{conv}.bias"], padding=1)
        x = batch_norm(x, None, None, leaves[f"{norm}.weight"], leaves[f"{norm}.bias"], training=True).relu()
    x = (max_pool2d(x, 2).flatten(1) @ leaves["8.weight"].T + leaves["8.bias"]).relu()
    loss = cross_entropy(x @ leaves["10.weight"].T + leaves["10.bias"], labels)
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    after = {name: w - 0.05 * g for (name, w), g in zip(weights.items(), gradients, strict=True)}
    assert_same(found[0].next, after, 1e-12)
    rows = read_history(train(**(changes | {"steps": 200, "snapshots": (Segment(100),)})))
    assert float(rows[-2]["loss"]) < 0.5 * float(rows[0]["loss"])


def test_a_snapshot_holds_what_the_optimizer_remembers_after_the_step(train):
    """From there training can go on. SGD steps by η v, with the new velocity v; without momentum it remembers nothing."""
    for read in read_snapshots(train(momentum=0.9, precision="float64")).values():
        velocity = {name.removesuffix("/velocity"): tensor for name, tensor in read.optimizer.items()}
        assert_same(velocity, {name: (weight - read.next[name]) / 0.05 for name, weight in read.now.items()}, 1e-13)
    assert all(read.optimizer == {} for read in read_snapshots(train()).values())
