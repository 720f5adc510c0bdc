"""Optimizers, schedules and augmentations by name: one more is one more file, and changes nothing of other runs."""

import json
import subprocess
import sys

import pytest
import torch

from breakeven.config.code_digest import closure
from breakeven.specs.run import canonical_json
from breakeven.training import checkpoints, training
from breakeven.training.registry import build_optimizer, modules_of
from breakeven.training.torch_optimizer import TorchOptimizer
from breakeven.training.train import train
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SGD, SWITCHES = "breakeven.training.optimizers.sgd", "breakeven.training.schedules.switches"
CROP_FLIP = "breakeven.training.augmentations.crop_flip"


def test_the_modules_of_a_run():
    assert modules_of(tiny_spec()) == [SGD, SWITCHES]
    assert modules_of(tiny_spec(augmentation="crop_flip")) == [SGD, SWITCHES, CROP_FLIP]


def test_no_training_depends_on_those_of_others():
    assert not {SGD, SWITCHES, CROP_FLIP} & closure(["breakeven.training.train"])
    assert {SGD, SWITCHES} < closure(["breakeven.training.train", *modules_of(tiny_spec())])


def test_planning_imports_nothing_slow():
    code = "import sys, breakeven.training.registry; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


LOADED = """
import json, sys, torch
from pathlib import Path
from breakeven.specs.run import from_json
from breakeven.training import checkpoints, training
from breakeven.training.train import train
train(from_json(sys.argv[1]), *map(Path, sys.argv[2:5]), torch.device("cpu"), "code")
print(json.dumps([name for name in sys.modules if name.startswith("breakeven.training.")]))
"""


def test_what_a_training_loads_is_covered(tmp_path):
    """The oracle is Python itself: the modules that a whole training has loaded."""
    spec = tiny_spec(augmentation="crop_flip", steps=1)
    folders = [tiny_dataset(tmp_path / "data"), tmp_path / "out", tmp_path / "state"]
    loaded = subprocess.check_output([sys.executable, "-c", LOADED, canonical_json(spec), *folders], text=True)
    counted = closure(["breakeven.training.train", *modules_of(spec)])
    assert set(json.loads(loaded)) - {"breakeven.training.registry"} <= counted


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sgd_takes_the_steps_of_pytorchs_to_the_bit(momentum, weight_decay, dtype):
    """Also where a parameter has no gradient in the first step, and no other in the last."""
    torch.manual_seed(0)
    ours = {"weight": torch.randn(70, 9, dtype=dtype), "bias": torch.randn(70, dtype=dtype)}
    theirs = {name: weight.clone() for name, weight in ours.items()}
    optimizer = build_optimizer(ours.items(), tiny_spec(momentum=momentum, weight_decay=weight_decay))
    oracle = torch.optim.SGD(theirs.values(), momentum=momentum, weight_decay=weight_decay)
    for step, rate in enumerate([0.1, 0.3, 0.07, 0.3, 0.02]):
        for name in ours:
            gradient = torch.randn_like(ours[name])
            there = (name, step) not in {("bias", 0), ("weight", 4)}
            ours[name].grad, theirs[name].grad = (gradient.clone() if there else None for _ in range(2))
        oracle.param_groups[0]["lr"] = rate
        oracle.step()
        optimizer.step(rate)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_pytorchs_own_takes_the_learning_rate_of_the_step():
    """Adam's first step is η · g / (|g| + ε): η for each weight."""
    weights = {"weight": torch.zeros(5, dtype=torch.float64)}
    optimizer = TorchOptimizer(torch.optim.Adam(weights.items(), lr=7.0))
    weights["weight"].grad = torch.tensor([1.0, -2.0, 3.0, -4.0, 5.0], dtype=torch.float64)
    optimizer.step(0.25)
    expected = torch.tensor([-0.25, 0.25, -0.25, 0.25, -0.25], dtype=torch.float64)
    torch.testing.assert_close(weights["weight"], expected, rtol=1e-7, atol=0)


def test_a_state_goes_to_where_the_weights_are():
    """A checkpoint is read on the CPU. PyTorch's device without memory stands for a GPU."""
    weight = torch.ones(3, device="meta", requires_grad=True)
    weight.grad = torch.ones(3, device="meta")
    optimizer = build_optimizer([("weight", weight)], tiny_spec(momentum=0.9))
    optimizer.load_state({"weight/velocity": torch.ones(3)})
    optimizer.step(0.1)
    assert optimizer.state()["weight/velocity"].device.type == "meta"


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "NAdam"])
def test_an_optimizer_with_more_state_goes_on_where_it_was(name, tmp_path, monkeypatch):
    """One that the package does not have, as a module of its own would build it: resumed it ends with the same bytes."""
    monkeypatch.setattr(
        training, "build_optimizer", lambda parameters, spec: TorchOptimizer(getattr(torch.optim, name)(parameters))
    )
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    spec, data = tiny_spec(learning_rate=0.01), tiny_dataset(tmp_path / "data")
    take_step = training.Training.take_step

    def interrupted(run):
        if run.step == 7:
            raise Interrupted
        take_step(run)

    def files(folder):
        train(spec, data, folder / "out", folder / "state", CPU, "code")
        return {path.relative_to(folder): path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}

    whole = files(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(training.Training, "take_step", interrupted)
        files(tmp_path / "resumed")
    assert files(tmp_path / "resumed") == whole
