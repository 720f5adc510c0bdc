"""Optimizers, schedules and augmentations by name: one more is one more file, and changes nothing of other runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch

from breakeven.config.code_digest import closure
from breakeven.specs.multipliers import Cosine, Multiplier, WarmUp
from breakeven.specs.run import Segment, Switch, canonical_json, run_id
from breakeven.store import snapshots
from breakeven.store.training_record import read_training
from breakeven.training import checkpoints, optimizers, training
from breakeven.training.registry import OPTIMIZERS, build_optimizer, modules_of, preconditioner
from breakeven.training.torch_optimizer import TorchOptimizer
from breakeven.training.train import train
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SGD, SCHEDULES = "breakeven.training.optimizers.sgd", "breakeven.training.schedules"
CROP_FLIP = "breakeven.training.augmentations.crop_flip"


def test_the_modules_of_a_run():
    assert modules_of(tiny_spec()) == modules_of(tiny_spec(schedule=(Switch(3, 0.1),))) == [SGD]
    assert modules_of(tiny_spec(augmentation="crop_flip")) == [SGD, CROP_FLIP]
    both = (Cosine(until=5), WarmUp(until=2), Cosine(at=5), Switch(3, 0.1))
    assert modules_of(tiny_spec(schedule=both)) == [SGD, f"{SCHEDULES}.cosine", f"{SCHEDULES}.warm_up"]


def test_no_training_depends_on_those_of_others():
    kinds = {f"{SCHEDULES}.{get_args(get_type_hints(cls)['kind'])[0]}" for cls in get_args(Multiplier)}
    assert len(kinds) == 4
    assert not {SGD, CROP_FLIP, *kinds} & closure(["breakeven.training.train"])
    assert {SGD, f"{SCHEDULES}.switches"} < closure(["breakeven.training.train", *modules_of(tiny_spec())])


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
    spec = tiny_spec(augmentation="crop_flip", steps=1, schedule=(Cosine(),))
    folders = [tiny_dataset(tmp_path / "data"), tmp_path / "out", tmp_path / "state"]
    loaded = subprocess.check_output([sys.executable, "-c", LOADED, canonical_json(spec), *folders], text=True)
    counted = closure(["breakeven.training.train", *modules_of(spec)])
    assert set(json.loads(loaded)) - {"breakeven.training.registry"} <= counted


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sgd_takes_the_steps_of_pytorchs_to_the_bit(momentum, nesterov, weight_decay, dtype):
    """Also where a parameter has no gradient in the first step, and no other in the last."""
    torch.manual_seed(0)
    ours = {"weight": torch.randn(70, 9, dtype=dtype), "bias": torch.randn(70, dtype=dtype)}
    theirs = {name: weight.clone() for name, weight in ours.items()}
    settings = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    optimizer = build_optimizer(ours.items(), tiny_spec(**settings))
    oracle = torch.optim.SGD(theirs.values(), **settings)
    for step, rate in enumerate([0.1, 0.3, 0.07, 0.3, 0.02] * 8):
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
    optimizer = TorchOptimizer(torch.optim.Adam(weights.values(), lr=7.0), weights)
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


TORCHS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.0}),
    "rmsprop": (torch.optim.RMSprop, {}),
}
SETTINGS = [
    ("adam", {}, {}, {}),
    ("adam", {"weight_decay": 0.1}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}, {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("adamw", {}, {}, {}),
    ("adamw", {"weight_decay": 0.1}, {"beta1": 0.0, "eps": 1e-3}, {"betas": (0.0, 0.999), "eps": 1e-3}),
    ("rmsprop", {}, {}, {}),
    ("rmsprop", {"weight_decay": 0.1, "momentum": 0.9}, {"alpha": 0.5, "eps": 1e-3}, {"alpha": 0.5, "eps": 1e-3}),
]


def take_steps(optimizer, weights, rates=(0.1, 0.3, 0.07, 0.3, 0.02)):
    """The same gradients for whoever takes the steps; a parameter has none in the first step, the other none in the last."""
    draws = torch.Generator().manual_seed(1)
    for step, rate in enumerate(rates):
        for name in weights:
            gradient = torch.randn(weights[name].shape, generator=draws, dtype=weights[name].dtype)
            weights[name].grad = gradient if (name, step) not in {("bias", 0), ("weight", 4)} else None
        optimizer(rate)


def random_weights(dtype=torch.float32):
    draws = torch.Generator().manual_seed(0)
    return {
        "weight": torch.randn(70, 9, generator=draws, dtype=dtype),
        "bias": torch.randn(70, generator=draws, dtype=dtype),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "changes", "options", "theirs"), SETTINGS)
def test_the_steps_are_pytorchs_to_the_bit(name, changes, options, theirs, dtype):
    ours, expected = random_weights(dtype), random_weights(dtype)
    optimizer = build_optimizer(ours.items(), tiny_spec(optimizer=name, optimizer_options=options, **changes))
    make, neutral = TORCHS[name]
    oracle = make(expected.values(), **neutral | theirs | changes)

    def step(rate):
        oracle.param_groups[0]["lr"] = rate
        oracle.step()

    take_steps(optimizer.step, ours)
    take_steps(step, expected)
    assert all(torch.equal(ours[name], expected[name]) for name in ours)


def test_a_snapshot_has_the_preconditioner_of_the_step(tmp_path):
    """θ_t − θ_{t+1} = η P⁻¹ m, with the first moments m that PyTorch keeps: at each step, with bias correction."""
    data = tiny_dataset(tmp_path / "data")
    for name, momentum in {"adam": "exp_avg", "adamw": "exp_avg", "rmsprop": None}.items():
        spec = tiny_spec(optimizer=name, learning_rate=0.01, precision="float64", snapshots=(Segment(1),))
        out = tmp_path / name
        train(spec, data, out, tmp_path / f"state-{name}", CPU, "code")
        for read in (read_snapshot(out, spec, entry) for entry in read_training(out).snapshots):
            found = preconditioner(spec)(read.optimizer)
            assert found.keys() == read.now.keys()
            for parameter, p in found.items():
                moved = (read.now[parameter] - read.next[parameter]) * p / 0.01
                assert p.shape == moved.shape
                if momentum:
                    expected = read.optimizer[f"{parameter}/{momentum}"]
                    torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-12)
                elif read.step == 0:  # v = (1 − α) g², moved = g
                    v = read.optimizer[f"{parameter}/square_avg"]
                    torch.testing.assert_close(moved.square() * 0.01, v, rtol=1e-9, atol=1e-15)


def read_snapshot(out, spec, entry):
    return snapshots.read(out / "snapshots" / entry.file, run_id(spec), entry.step, entry.sha256)


def test_each_optimizer_is_a_file_and_a_line():
    found = {path.stem for path in Path(optimizers.__file__).parent.glob("*.py")} - {"__init__"}
    assert found == set(OPTIMIZERS)


NADAM = """
import torch

def build(parameters, *, momentum_decay: float = 0.004):
    return torch.optim.NAdam([tensor for _, tensor in parameters], momentum_decay=momentum_decay)
"""


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "nadam.py:build"])
def test_an_optimizer_with_more_state_goes_on_where_it_was(name, tmp_path, monkeypatch):
    """Also one that the package does not have: resumed it ends with the same bytes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nadam.py").write_text(NADAM)
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    spec, data = tiny_spec(learning_rate=0.01, optimizer=name), tiny_dataset(tmp_path / "data")
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
