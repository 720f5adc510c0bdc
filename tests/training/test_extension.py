"""A run that goes on from a shorter one has the bytes of one that was trained at one go; where it can't, it is trained so."""

import shutil
from dataclasses import replace

import pytest
import torch

from breakeven.specs.multipliers import Cosine, Linear, WarmUp
from breakeven.specs.run import Segment, Switch, run_id
from breakeven.store import snapshots
from breakeven.store.record import write_record
from breakeven.training import checkpoint_file, extension
from breakeven.training import train as module
from breakeven.training.training import Training
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
FILES = ("run.yaml", "history.csv", "snapshots", "training.json")
# everything that has a state: momentum, running averages, random numbers
ALL = tiny_spec(network="simple_cnn_bn", momentum=0.9, augmentation="crop_flip", label_smoothing=0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Killed(BaseException):
    pass


class Folder:
    """A results folder."""

    def __init__(self, results, data, monkeypatch):
        self.results, self.data, self.monkeypatch = results, data, monkeypatch

    def run(self, spec):
        return self.results / "runs" / run_id(spec)

    def state(self, spec):
        return self.results / "state" / run_id(spec)

    def train(self, spec, family="family", until=None, key="key"):
        """Train a run as snakemake does, which then removes the snapshots beside the checkpoint; the steps that were taken."""
        taken, real = [], Training.take_step

        def step_or_end(training):
            if training.step == until:
                raise Killed
            taken.append(training.step)
            real(training)

        with self.monkeypatch.context() as patch:
            patch.setattr(Training, "take_step", step_or_end)
            try:
                module.train(spec, self.data, self.run(spec), self.state(spec), CPU, key, family=family)
            except Killed:
                return taken
        write_record(self.run(spec) / "training.json", key, [self.run(spec) / name for name in FILES])
        shutil.rmtree(self.state(spec) / "snapshots")
        return taken


@pytest.fixture
def folder(tmp_path, data, monkeypatch):
    return Folder(tmp_path / "results", data, monkeypatch)


@pytest.fixture
def at_one_go(tmp_path, data, monkeypatch):
    """The files of a run that is trained in a folder of its own."""

    def trained(spec):
        alone = Folder(tmp_path / "alone", data, monkeypatch)
        assert alone.train(spec) == list(range(12 + 1))
        return contents(alone.run(spec))

    return trained


SWITCH = (Switch(3, 0.2), Switch(2, 0.01, unit="epoch"))
WORLDS = {
    "plain": (tiny_spec(), {"steps": 7}),
    "at a snapshot": (tiny_spec(), {"steps": 8}),
    "at the start of an epoch": (tiny_spec(), {"steps": 5}),
    "at the step before the last": (tiny_spec(), {"steps": 11}),
    "after one step": (ALL, {"steps": 1}),
    "everything that has a state": (ALL, {"steps": 7}),
    "momentum": (tiny_spec(momentum=0.9, weight_decay=0.1), {"steps": 7}),
    "augmentation": (tiny_spec(augmentation="crop_flip"), {"steps": 7}),
    "adam": (tiny_spec(optimizer="adam", learning_rate=0.01), {"steps": 7}),
    "batch normalization": (tiny_spec(network="simple_cnn_bn"), {"steps": 7}),
    "float64": (tiny_spec(precision="float64"), {"steps": 7}),
    "epochs": (replace(ALL, steps=12), {"steps": None, "epochs": 2}),
    "switches before the end": (replace(ALL, schedule=SWITCH), {"steps": 11}),
    "a switch after the end": (replace(ALL, schedule=SWITCH), {"steps": 9, "schedule": SWITCH[:1]}),
    "fewer snapshots": (replace(ALL, snapshots=(Segment(4),)), {"steps": 7, "snapshots": (Segment(1),)}),
    "other snapshots after the end": (
        replace(ALL, snapshots=(Segment(2, 6), Segment(1))),
        {"steps": 6, "snapshots": (Segment(2),)},
    ),
    "a decay that ends before the end": (
        replace(ALL, schedule=(WarmUp(until=3), Cosine(at=2, until=6, final=0.1))),
        {"steps": 7},
    ),
    "mini-batches that are drawn by themselves": (replace(ALL, sampling="replacement"), {"steps": 7}),
    "an accuracy that is not reached": (tiny_spec(stop_at_accuracy=1.0), {"steps": 4}),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_bytes_are_those_of_one_long_run(folder, at_one_go, world, capsys):
    spec, changes = WORLDS[world]
    shorter = replace(spec, **changes)
    steps = folder.train(shorter)
    before = contents(folder.results)
    assert folder.train(spec) == list(range(len(steps), 13))  # it did go on
    assert f"goes on from step {len(steps)}, after the last one of {run_id(shorter)}" in capsys.readouterr().err
    assert contents(folder.run(spec)) == at_one_go(spec)
    after = contents(folder.results)
    assert {name: after[name] for name in before} == before  # the shorter one is as it was


def test_the_longest_is_taken_and_each_goes_on_from_the_one_before(folder, at_one_go):
    lengths = [2, 6, 9]
    assert [folder.train(replace(ALL, steps=steps)) for steps in lengths] == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]
    assert folder.train(ALL) == [10, 11, 12]
    assert contents(folder.run(ALL)) == at_one_go(ALL)
    assert folder.train(replace(ALL, steps=4)) == [3, 4]  # a shorter one than some, too


@pytest.mark.parametrize("forgotten", ["optimizer/", "model/1.running", "model/0.weight"])
def test_a_state_that_is_not_whole_gives_other_bytes(folder, at_one_go, forgotten):
    """What the comparison above would see."""
    folder.train(replace(ALL, steps=7))
    real = Training.load_state

    def forget(training, state):
        before = training.state().tensors
        tensors = {
            n: before.get(n, torch.zeros_like(t)) if n.startswith(forgotten) else t for n, t in state.tensors.items()
        }
        real(training, replace(state, tensors={n: t.clone() for n, t in tensors.items()}))

    with folder.monkeypatch.context() as patch:
        patch.setattr(Training, "load_state", forget)
        folder.train(ALL)
    assert contents(folder.run(ALL)) != at_one_go(ALL)


def test_the_shorter_one_may_have_been_interrupted(folder, at_one_go, monkeypatch):
    monkeypatch.setattr("breakeven.training.checkpoints.SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    shorter = replace(ALL, steps=7)
    folder.train(shorter, until=4)
    assert folder.train(shorter) == [4, 5, 6, 7]
    assert folder.train(ALL, until=10) == [8, 9]
    assert folder.train(ALL) == [10, 11, 12]
    assert contents(folder.run(ALL)) == at_one_go(ALL)


@pytest.mark.parametrize("snapshot", range(4))
def test_a_kill_while_its_snapshots_are_taken(folder, at_one_go, snapshot):
    folder.train(replace(ALL, steps=7))
    real, written = snapshots.write, []

    def killed(*arguments):
        if len(written) == snapshot:
            raise Killed
        written.append(real(*arguments))
        return written[-1]

    with folder.monkeypatch.context() as patch:
        patch.setattr(snapshots, "write", killed)
        assert folder.train(ALL) == []
    assert folder.train(ALL) == [8, 9, 10, 11, 12]
    assert contents(folder.run(ALL)) == at_one_go(ALL)


def test_a_kill_between_them_and_the_first_checkpoint(folder, at_one_go):
    folder.train(replace(ALL, steps=7))
    with folder.monkeypatch.context() as patch:
        patch.setattr(checkpoint_file, "save_file", lambda *arguments, **options: (_ for _ in ()).throw(Killed))
        assert folder.train(ALL) == []
    assert folder.train(ALL) == [8, 9, 10, 11, 12]
    assert contents(folder.run(ALL)) == at_one_go(ALL)


def one_wrong_bit(path, place=-1):
    raw = bytearray(path.read_bytes())
    raw[place] ^= 4
    path.write_bytes(raw)


def edited(path, old, new):
    path.write_text(path.read_text().replace(old, new))


DAMAGES = {
    "state": lambda run, state: one_wrong_bit(state / "checkpoint.safetensors"),
    "half a state": lambda run, state: one_wrong_bit(state / "checkpoint.safetensors", 3),
    "no state": lambda run, state: shutil.rmtree(state),
    "snapshot": lambda run, state: one_wrong_bit(run / "snapshots" / snapshots.file_name(4)),
    "no snapshot": lambda run, state: (run / "snapshots" / snapshots.file_name(4)).unlink(),
    "history": lambda run, state: one_wrong_bit(run / "history.csv"),
    "no record": lambda run, state: (run / ".training.json.record").unlink(),
    "specification": lambda run, state: edited(run / "run.yaml", "0.9", "0.8"),
    "no run": lambda run, state: shutil.rmtree(run),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_is_damaged_is_not_gone_on_from(folder, at_one_go, what):
    shorter = replace(ALL, steps=7)
    folder.train(shorter)
    DAMAGES[what](folder.run(shorter), folder.state(shorter))
    assert folder.train(ALL) == list(range(13))
    assert contents(folder.run(ALL)) == at_one_go(ALL)


def test_a_state_of_another_training_is_not_gone_on_from(folder, at_one_go):
    """As where the code was edited while it was trained, so that its results were not recorded, and trained again since."""
    shorter = replace(ALL, steps=7)
    folder.train(shorter, key="earlier")
    state = folder.state(shorter) / "checkpoint.safetensors"
    earlier = state.read_bytes()
    folder.train(shorter)
    state.write_bytes(earlier)
    assert folder.train(ALL) == list(range(13))
    assert contents(folder.run(ALL)) == at_one_go(ALL)


def test_the_next_longest_is_taken_where_the_longest_is_damaged(folder, at_one_go):
    for steps in (4, 9):
        folder.train(replace(ALL, steps=steps))
    DAMAGES["snapshot"](folder.run(replace(ALL, steps=9)), None)
    assert folder.train(ALL) == list(range(5, 13))
    assert contents(folder.run(ALL)) == at_one_go(ALL)


def test_one_that_is_removed_meanwhile(folder, at_one_go, capsys):
    shorter = replace(ALL, steps=7)
    folder.train(shorter)
    real = snapshots.read

    def removed(path, run, step, digest):
        if step == 4:
            shutil.rmtree(folder.run(shorter))
        return real(path, run, step, digest)

    with folder.monkeypatch.context() as patch:
        patch.setattr(snapshots, "read", removed)
        assert folder.train(ALL) == list(range(13))
    assert f"does not go on from {run_id(shorter)}, which is not whole: snapshot" in capsys.readouterr().err
    assert contents(folder.run(ALL)) == at_one_go(ALL)


OTHERS = {
    "another seed": {"seed": 1},
    "another momentum": {"momentum": 0.8},
    "another learning rate": {"learning_rate": 0.06},
    "a rate that switches": {"schedule": (Switch(6, 0.1),)},
    "a rate that switches at its last step": {"schedule": (Switch(7, 0.1),)},
    "a warm-up that is longer than it": {"schedule": (WarmUp(until=9),)},
    "another sampling": {"sampling": "replacement"},
    "no augmentation": {"augmentation": "none"},
    "too few snapshots": {"snapshots": (Segment(4),)},
    "the same length": {"steps": 12, "snapshots": (Segment(1),)},
    "a longer one": {"steps": 14},
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_run_is_not_gone_on_from(folder, at_one_go, other):
    """Also where the digests were equal: it is compared step by step."""
    folder.train(
        replace(ALL, steps=7, **OTHERS[other]) if "steps" not in OTHERS[other] else replace(ALL, **OTHERS[other])
    )
    assert folder.train(ALL) == list(range(13))
    assert contents(folder.run(ALL)) == at_one_go(ALL)


@pytest.mark.parametrize("decay", [Cosine(), Linear(final=0.5), Cosine(at=2)])
def test_a_decay_to_the_end_is_another_one_in_a_longer_run(folder, at_one_go, decay):
    spec = replace(ALL, schedule=(decay,))
    folder.train(replace(spec, steps=7))
    assert folder.train(spec) == list(range(13))
    assert contents(folder.run(spec)) == at_one_go(spec)


def test_other_code_or_data_are_not_gone_on_from(folder):
    folder.train(replace(ALL, steps=7))
    assert folder.train(ALL, family="other code") == list(range(13))
    assert folder.train(replace(ALL, steps=11), family="") == list(range(12))


@pytest.mark.parametrize("changes", [{"learning_rate": 1e6}, {"stop_at_accuracy": 0.01}], ids=["diverged", "stopped"])
def test_one_that_did_not_reach_its_end_is_not_gone_on_from(folder, tmp_path, data, monkeypatch, changes):
    spec = tiny_spec(seed=1, **changes)
    steps = folder.train(replace(spec, steps=7))
    assert len(steps) < 8 and steps == folder.train(spec)
    alone = Folder(tmp_path / "alone", data, monkeypatch)
    alone.train(spec)
    assert contents(folder.run(spec)) == contents(alone.run(spec))


def test_one_that_stopped_where_the_longer_one_does_not_look_is_not_gone_on_from(folder):
    """At seed 0 and η = 0.05 the training accuracy is 0.63 at step 7, the last one, and lower at all steps that both evaluate."""
    spec = tiny_spec(stop_at_accuracy=0.62)
    assert folder.train(replace(spec, steps=7)) == list(range(8))
    steps = folder.train(spec)
    assert steps == list(range(len(steps))) and len(steps) > 8


def test_a_break_even_point_may_come_later_in_a_longer_run():
    switch = (Switch(1, 0.1, unit="break_even"),)
    training = Training.__new__(Training)
    training.spec, training.steps, training.steps_per_epoch = replace(ALL, momentum=0.0, schedule=switch), 12, 5
    training.snapshot_steps = frozenset()
    assert not extension._is_continued(training, replace(training.spec, steps=7))
    training.spec = replace(training.spec, schedule=())
    training.schedule = type("Constant", (), {"rate": lambda self, step: 0.05})()
    assert extension._is_continued(training, replace(training.spec, steps=7))


def test_a_full_disk_is_told(folder):
    """It is no reason to train from the beginning."""
    folder.train(replace(ALL, steps=7))
    with folder.monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(
            snapshots, "save_file", lambda *arguments, **options: (_ for _ in ()).throw(OSError(28, "No space"))
        )
        folder.train(ALL)
    assert folder.train(ALL) == [8, 9, 10, 11, 12]
