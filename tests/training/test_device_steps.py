"""Steps that a GPU is only asked for, against those that are taken one after the other.

All but the recording itself is the same on a CPU, where a function that repeats the work stands for the CUDA graph.
"""

import pytest
import torch

from breakeven.specs.multipliers import Cosine, Linear, WarmUp
from breakeven.specs.run import Segment, Switch
from breakeven.training import checkpoints, device_steps, training
from breakeven.training import train as module
from breakeven.training.device_steps import DeviceSteps, cuda_graph
from breakeven.training.host_steps import HostSteps
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
GPU = pytest.param(
    torch.device("cuda"),
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)
BATCH_NORM = {"network": "simple_cnn_bn"}
DROPOUT = {"network_options": {"channels": [3], "dense": 5, "dropout": 0.5}}
OPTIONS = [
    {},
    {"momentum": 0.9},
    {"weight_decay": 0.01},
    {"momentum": 0.5, "weight_decay": 0.01},
    {"augmentation": "crop_flip"},
    {"label_smoothing": 0.1},
    {"precision": "bfloat16"},
    {"precision": "float64"},
    {"batch_size": 43},
    {"schedule": (Switch(10, 0.1), Switch(20, 0.05), Switch(21, 0.04), Switch(23, 0.05))},
    {"sampling": "replacement"},
    BATCH_NORM,
    DROPOUT,
]
DIVERGING = {"learning_rate": 1e12, "network": "mlp", "network_options": {"hidden": [4, 4, 4]}}


def repeated(work):
    """In the place of a CUDA graph."""
    return work


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture
def train(data, tmp_path, monkeypatch):
    """Train a run with these steps; all of its results, by their names."""

    monkeypatch.setattr(DeviceSteps, "ahead", 16)

    def run(steps_of, device=CPU, **changes):
        monkeypatch.setattr(training, "steps_of", steps_of)
        spec = tiny_spec(**{"snapshots": (Segment(20),), "steps": 44} | changes)
        out = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        module.train(spec, data, out, out / "state", device, "code")
        return {
            str(path.relative_to(out)): path.read_bytes()
            for path in out.rglob("*")
            if "state" not in path.parts and path.is_file()
        }

    return run


def recorded_by(record, seen=None):
    def steps_of(step):
        made = DeviceSteps(step, record)
        if seen is not None:
            seen.append(made)
        return made

    return steps_of


@pytest.mark.parametrize("device", [CPU, GPU], ids=str)
@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_the_same_bytes(train, changes, device):
    record = cuda_graph if device.type == "cuda" else repeated
    replayed = []

    def counted(work):
        replay = record(work)

        def repeat():
            replayed.append(1)
            replay()

        return repeat

    found = train(recorded_by(counted), device, **changes)
    assert found == train(HostSteps, device, **changes)
    assert len(found) == 3 + 4
    assert len(replayed) > 25


@pytest.mark.parametrize("device", [CPU, GPU], ids=str)
def test_nothing_is_recorded_for_a_learning_rate_that_does_not_stay(train, device):
    """A graph holds its rate: while that changes at each step, steps are plain; they are replayed before, between and after."""
    rates = []

    def record(work):
        rates.append(seen[-1]._rate)
        return (cuda_graph if device.type == "cuda" else repeated)(work)

    changes = {"schedule": (WarmUp(until=10), Linear(at=20, until=30, final=0.5), Switch(25, 0.1))}
    seen = []
    assert train(recorded_by(record, seen), device, **changes) == train(HostSteps, device, **changes)
    assert rates == [0.05, 0.05]  # of the steps 10 to 20, and 30 on
    assert train(recorded_by(record, seen), device, schedule=(Cosine(),)) == train(
        HostSteps, device, schedule=(Cosine(),)
    )
    assert len(rates) == 2


@pytest.mark.parametrize("device", [CPU, GPU], ids=str)
@pytest.mark.parametrize("snapshots", [(Segment(20),), (Segment(1),)], ids=str)
@pytest.mark.parametrize("rate", [1e9, 1e12, 1e38])
def test_divergence_is_told_at_its_step(train, device, snapshots, rate, capsys):
    changes = {"snapshots": snapshots, "learning_rate": rate}
    record = cuda_graph if device.type == "cuda" else repeated
    expected = train(HostSteps, device, **changes)
    told = capsys.readouterr().err
    assert train(recorded_by(record), device, **changes) == expected
    assert [line for line in capsys.readouterr().err.splitlines() if "diverged" in line] == [
        line for line in told.splitlines() if "diverged" in line
    ]
    assert "diverged: " in told


def test_divergence_late_between_two_looks(train, monkeypatch):
    """The host is far beyond the step before it knows."""
    changes = {"batch_size": 43, "steps": 60, "snapshots": (Segment(60),), "schedule": (Switch(3, 1e12),)}
    monkeypatch.setattr(training.Training, "is_observed", lambda run, step: step in (0, 60))
    taken = []
    take = DeviceSteps.take
    monkeypatch.setattr(
        DeviceSteps, "take", lambda steps, number, rate: (taken.append(number), take(steps, number, rate))
    )
    assert train(recorded_by(repeated), **changes) == train(HostSteps, **changes)
    assert max(taken) == 15


def test_a_recording_that_differs_is_not_used(train, capsys):
    def slightly_off(work):
        def replay():
            work()
            with torch.no_grad():
                next(iter(seen[-1]._step.parameters)).add_(1e-7)

        return replay

    seen = []
    found = train(recorded_by(slightly_off, seen))
    assert (
        "steps are not replayed as a CUDA graph: it did not give the numbers of the plain step"
        in capsys.readouterr().err
    )
    assert found == train(HostSteps)


def test_a_recording_that_repeats_its_random_numbers_is_not_used(train, capsys):
    def frozen(work):
        state = torch.default_generator.get_state()

        def replay():
            torch.default_generator.set_state(state)
            work()

        return replay

    found = train(recorded_by(frozen), **DROPOUT)
    assert "did not give the numbers of the plain step" in capsys.readouterr().err
    assert found == train(HostSteps, **DROPOUT)


@pytest.mark.parametrize("late", [False, True])
def test_a_recording_that_fails_is_told_once(train, capsys, late):
    def failing(work):
        def replay():
            work()
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more")

        return replay if late else replay()

    found = train(recorded_by(failing))
    told = capsys.readouterr().err
    assert told.count("steps are not replayed as a CUDA graph: CUDA error: operation not permitted") == 1
    assert "and more" not in told
    assert found == train(HostSteps)


def test_interrupted_it_goes_on_with_the_same_bytes(train, data, tmp_path, monkeypatch):
    class Interrupted(BaseException):
        pass

    changes = {"momentum": 0.9, "augmentation": "crop_flip"}
    whole = train(recorded_by(repeated), **changes)
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    real = training.Training.take_step

    def interrupted(run):
        if run.step == 23:
            raise Interrupted
        real(run)

    spec = tiny_spec(**{"snapshots": (Segment(20),), "steps": 44} | changes)
    out = tmp_path / "resumed"
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(training.Training, "take_step", interrupted)
        module.train(spec, data, out, tmp_path / "kept", CPU, "code")
    module.train(spec, data, out, tmp_path / "kept", CPU, "code")
    assert {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()} == whole


class Step:
    """As much of one as is asked."""

    def __init__(self, device="cuda", network="simple_cnn", recordable=True, resident="cuda"):
        self.device = torch.device(device)
        self.spec = tiny_spec(network=network)
        self.optimizer = type("Optimizer", (), {"recordable": recordable})
        inputs = type("Tensor", (), {"device": torch.device(resident)})
        self.mini_batches = type("MiniBatches", (), {"dataset": type("Dataset", (), {"train_inputs": inputs})})
        self.weights = [torch.zeros(1)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "my.py:build"}, "code of your own may do at each step what a recording would not repeat"),
        ({"recordable": False}, "the optimizer sgd decides on the host"),
        ({"resident": "cpu"}, "the training set is too large for the GPU"),
    ],
)
def test_what_is_not_recorded_says_why(changes, said, capsys):
    assert isinstance(device_steps.steps_of(Step(**changes)), HostSteps)
    assert said in capsys.readouterr().err


def test_where_steps_are_recorded(capsys):
    assert isinstance(device_steps.steps_of(Step()), DeviceSteps)
    assert isinstance(device_steps.steps_of(Step(device="cpu")), HostSteps)
    assert capsys.readouterr().err == ""
