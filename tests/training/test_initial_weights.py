"""Runs that begin from the weights in a file."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from breakeven.networks.build import build
from breakeven.networks.weights import copy_of
from breakeven.specs.initial_weights import digest_at
from breakeven.specs.run import Segment, run_id
from breakeven.store.errors import UserError
from breakeven.store.snapshots import Snapshot, write
from breakeven.store.training_record import read_training
from breakeven.training.initial_weights import set_initial_weights
from breakeven.training.train import train
from tests.config.example import edited, mistakes, plan_of
from tests.config.test_results import TRAINED, rules_that_change
from tests.tiny import TRAIN, tiny_dataset, tiny_spec
from tests.tiny_pipeline import RATES, Pipeline

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


def network(spec, dtype=torch.float32):
    return build(spec, (2, 8, 6), 3, dtype, CPU)


def saved(path, spec=None, **changes):
    """A file of the weights of another seed, some of them changed; None leaves one out."""
    tensors = dict(network(spec or tiny_spec(seed=7)).state_dict()) | changes
    save_file({name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}, path)
    return path


def trained(data, folder, path, **changes):
    spec = tiny_spec(initial_weights=digest_at(path), **({"steps": 2} | changes))
    out = folder / run_id(spec)
    train(spec, data, out, folder / f"state-{run_id(spec)}", CPU, "code", initial_weights=path)
    return out


def snapshot(out, index=0):
    return load_file(out / "snapshots" / read_training(out).snapshots[index].file)


def of(tensors, group):
    return {name.removeprefix(group): each for name, each in tensors.items() if name.startswith(group)}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("changes", [{}, {"seed": 1}, {"precision": "float64"}, {"batch_size": 3}])
def test_training_begins_from_them(data, tmp_path, changes):
    path = saved(tmp_path / "w.safetensors")
    found, expected = of(snapshot(trained(data, tmp_path, path, **changes)), "now/"), load_file(path)
    assert same(found, {name: weight.to(found[name].dtype) for name, weight in expected.items()})


def test_the_seed_still_draws_the_order(data, tmp_path):
    path = saved(tmp_path / "w.safetensors")
    first, again, other = (
        snapshot(trained(data, tmp_path / name, path, seed=seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert same(first, again) and not same(of(first, "next/"), of(other, "next/"))


def test_running_averages_come_along_where_the_file_has_them(data, tmp_path):
    spec = tiny_spec(network="simple_cnn_bn", seed=7)
    averages = {name: torch.full_like(each, 0.25) for name, each in network(spec).named_buffers()}
    assert averages
    changes = {"network": "simple_cnn_bn"}
    path = saved(tmp_path / "a.safetensors", spec, **averages)
    assert same(of(snapshot(trained(data, tmp_path, path, **changes)), "buffer/"), averages)
    path = saved(tmp_path / "b.safetensors", spec, **dict.fromkeys(averages))
    fresh = dict(network(spec).named_buffers())
    assert same(of(snapshot(trained(data, tmp_path, path, **changes)), "buffer/"), fresh)


def test_a_run_goes_on_from_a_snapshot_of_another(data, tmp_path):
    """Where each step is of the whole training set, its order changes nothing: four steps are two and two."""
    plain = {"batch_size": TRAIN, "precision": "float64", "learning_rate": 0.2, "snapshots": (Segment(2),)}
    long = tiny_spec(steps=4, **plain)
    train(long, data, tmp_path / "long", tmp_path / "state", CPU)
    path = tmp_path / "long" / "snapshots" / "step-00000002.safetensors"
    out = trained(data, tmp_path, path, steps=2, seed=5, **plain)
    assert same(of(snapshot(out), "now/"), of(snapshot(tmp_path / "long", 1), "now/"))
    for group in ("now/", "next/"):
        expected, found = of(snapshot(tmp_path / "long", 2), group), of(snapshot(out, 1), group)
        for name in expected:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-12, atol=1e-14)
    shutil.rmtree(tmp_path / "long")


class Odd(nn.Module):
    """A weight with two names, a buffer that `state_dict` leaves out, and one of integers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("places", torch.zeros(3), persistent=False)
        self.register_buffer("count", torch.tensor(0))


def test_weights_of_two_names_and_all_kinds_of_buffers(tmp_path):
    """From what PyTorch saves of a network, and from a snapshot, which has each buffer and each parameter once."""
    source, path = Odd(), tmp_path / "w.safetensors"
    source.places += 2
    source.count += 5
    save_file({name: tensor.clone() for name, tensor in source.state_dict().items()}, path)
    now, after = (copy_of(dict(source.named_parameters())) for _ in range(2))
    entry = write(tmp_path, "run", Snapshot(0, now, after, dict(source.named_buffers())), 0.1)
    for file, buffers in ((path, {"count": 5, "places": 0.0}), (tmp_path / entry.file, {"count": 5, "places": 2.0})):
        model = Odd()
        set_initial_weights(model, tiny_spec(initial_weights=digest_at(file)), file)
        assert torch.equal(model.second.weight, source.first.weight) and model.second.weight is model.first.weight
        assert (model.count.item(), model.places.unique().item()) == (buffers["count"], buffers["places"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"8.bias": None}, "it lacks 1 of the network's parameters: 8.bias; it has 0.bias, 0.weight, "),
        ({"module.8.bias": torch.zeros(3)}, "it has 1 tensors that the network has not: module.8.bias"),
        ({"8.bias": torch.zeros(4)}, r"'8.bias' is of shape \(4,\) in it and \(3,\) in the network"),
        ({"8.bias": torch.zeros(3, dtype=torch.int64)}, "'8.bias' is int64 in it and float32 in the network"),
    ],
)
def test_what_does_not_fit(data, tmp_path, changes, message):
    path = saved(tmp_path / "w.safetensors", **changes)
    with pytest.raises(UserError, match=f"^initial_weights: '{path}' does not fit network 'simple_cnn': {message}"):
        trained(data, tmp_path, path)


def test_the_file_is_the_one_of_the_specification(data, tmp_path):
    path = saved(tmp_path / "w.safetensors")
    spec = tiny_spec(initial_weights=digest_at(path))
    for given, of_file, message in (
        (spec, None, "the specification of this run begins from the file of weights [0-9a-f]{16}: give it"),
        (tiny_spec(), path, "the specification of this run names no file of weights: leave it out"),
        (spec, tmp_path / "none", "'.*/none' can't be read"),
    ):
        with pytest.raises(UserError, match=f"^initial_weights: {message}"):
            train(given, data, tmp_path / "run", tmp_path / "state", CPU, initial_weights=of_file)
    saved(path, tiny_spec(seed=8))
    with pytest.raises(UserError, match="is not the file that this run begins from"):
        train(spec, data, tmp_path / "run", tmp_path / "state", CPU, initial_weights=path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match="is no safetensors file"):
        trained(data, tmp_path, path)


# ------------------------------------------------------------------ planning


def from_file(path):
    return edited(("steps: 500", f"steps: 500\n      initial_weights: {path}"))


def test_the_content_is_part_of_the_identity_and_the_path_is_not(tmp_path):
    path, moved = saved(tmp_path / "a.safetensors"), tmp_path / "moved" / "b.safetensors"
    first = plan_of(tmp_path, from_file(path))
    assert first.runs.keys().isdisjoint(plan_of(tmp_path, edited()).runs)
    assert first.weights == {digest_at(path): str(path)}
    moved.parent.mkdir()
    shutil.copy(path, moved)
    again = plan_of(tmp_path, from_file(moved))
    assert again.runs == first.runs and again.weights == {digest_at(path): str(moved)}
    saved(path, tiny_spec(seed=8))
    replaced = plan_of(tmp_path, from_file(path))
    assert replaced.runs.keys().isdisjoint(first.runs) and replaced.datasets == first.datasets


def test_what_a_moved_and_a_replaced_file_rerun(tmp_path):
    path, moved = saved(tmp_path / "a.safetensors"), tmp_path / "b.safetensors"
    shutil.copy(path, moved)
    assert rules_that_change(tmp_path, from_file(moved), before=from_file(path)) == set()
    saved(moved, tiny_spec(seed=8))
    assert rules_that_change(tmp_path, from_file(moved), before=from_file(path)) == TRAINED


def test_swept_files_keep_their_names_in_tables(tmp_path):
    first, second = saved(tmp_path / "a.safetensors"), saved(tmp_path / "b.safetensors", tiny_spec(seed=8))
    swept = f"learning_rate: [0.1]\n      initial_weights: [null, {first}, {second}]"
    plan = plan_of(tmp_path, edited(("learning_rate: [0.03, 0.1]", swept)))
    labels = {str(point["initial_weights"]) for point in plan.studies["main"].points.values()}
    assert labels == {"None", str(first), str(second)} and len(plan.runs) == 6
    shutil.copy(first, second)
    [told] = mistakes(tmp_path, edited(("learning_rate: [0.03, 0.1]", swept)))
    assert told.endswith("are the same run")


def test_mistakes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(network(tiny_spec()).state_dict(), tmp_path / "w.pt")
    Path("empty.safetensors").touch()
    place = "studies.main.base.initial_weights: "
    none = "is no safetensors file, and no other is read: write one with safetensors.torch.save_file(model.state_dict(), FILE)"
    for path, message in {
        "w.pt": f"'w.pt' {none}",
        "empty.safetensors": f"'empty.safetensors' {none}",
        "nowhere": f"'nowhere' can't be read (No such file or directory; looked for from '{tmp_path}')",
        ".": f"'.' can't be read (Is a directory; looked for from '{tmp_path}')",
    }.items():
        assert mistakes(tmp_path, from_file(path)) == [place + message]
    assert mistakes(tmp_path, from_file("3")) == [f"{place}3 is not a text or null"]


# ------------------------------------------------------------------ all stages


def test_through_all_stages(tmp_path):
    """The first measured λ_H^1 is that of the file's weights, whatever the seed of the run; the eigensolver stops at 1e-3."""
    path = saved(tmp_path / "w.safetensors", tiny_spec(seed=7))

    class FromFile(Pipeline):
        def spec(self, number=0):
            return tiny_spec(learning_rate=RATES[number], steps=self.steps, initial_weights=digest_at(path))

        def train(self, number=0):
            state = self.state(number)
            train(self.spec(number), self.data, self.run(number), state, CPU, "code", initial_weights=path)

    class OtherSeed(Pipeline):
        def spec(self, number=0):
            return tiny_spec(learning_rate=RATES[number], steps=self.steps, seed=7)

    found, expected = [], []
    for kind, to in ((FromFile, found), (OtherSeed, expected)):
        made = kind(tmp_path / kind.__name__)
        made.everything()
        assert (made.results / "report.html").is_file() and (made.results / "tables/claims.csv").is_file()
        to += [pd.read_csv(made.run(number) / "hessian.csv")["lambda_1"].tolist() for number in range(2)]
    np.testing.assert_allclose([each[0] for each in found], [each[0] for each in expected], rtol=1e-3)
    assert not np.allclose([each[1] for each in found], [each[1] for each in expected], rtol=1e-3)
