"""Whatever interrupts a training, it ends with the bytes of one that nothing interrupted."""

import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open

from breakeven.jobs.cost import Took
from breakeven.specs.multipliers import Cosine, WarmUp
from breakeven.specs.run import canonical_json
from breakeven.store import snapshots
from breakeven.training import checkpoint_file, checkpoints, results
from breakeven.training import train as module
from breakeven.training.training import Training
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
# everything that has a state: momentum, running averages, random numbers, a schedule
SPEC = tiny_spec(network="simple_cnn_bn", momentum=0.9, augmentation="crop_flip", label_smoothing=0.1)
DIVERGING = tiny_spec(learning_rate=1e6, seed=1)
CHANGING = tiny_spec(sampling="replacement", schedule=(WarmUp(until=5), Cosine()))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def checkpoint_at_each_step(monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """The files of each specification's run, trained at one go."""
    files = {}
    for spec in (SPEC, DIVERGING, CHANGING):
        folder = tmp_path_factory.mktemp("uninterrupted")
        module.train(spec, data, folder / "out", folder / "state", CPU, "code")
        files[canonical_json(spec)] = contents(folder / "out")
    return files


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Interrupted(BaseException):
    pass


@pytest.fixture
def attempt(data, tmp_path, monkeypatch):
    """Train into ``tmp_path/out``; with ``until`` the process ends before that step; returns the steps taken."""
    real = Training.take_step

    def run(spec=SPEC, until=None, code="code", data=data):
        taken = []

        def step_or_end(training):
            if training.step == until:
                raise Interrupted
            taken.append(training.step)
            real(training)

        monkeypatch.setattr(Training, "take_step", step_or_end)
        try:
            module.train(spec, data, tmp_path / "out", tmp_path / "state", CPU, code)
        except Interrupted:
            assert not (tmp_path / "out").exists()
        return taken

    return run


def test_twice_the_same(attempt, uninterrupted, tmp_path):
    assert attempt() == list(range(13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]
    assert len(contents(tmp_path / "out")) == 3 + 7


def test_results_that_are_there_already_are_kept_if_they_are_whole(attempt, uninterrupted, tmp_path, data):
    """As where a job of a Snakemake that was killed went on in a cluster, and another job waited for it."""
    whole = uninterrupted[canonical_json(SPEC)]
    attempt()
    assert attempt() == [] and contents(tmp_path / "out") == whole
    # a snapshot is one file with that of the checkpoint: damaged here, damaged there
    steps = {"history.csv": 0, "run.yaml": 0, "training.json": 0, f"snapshots/{snapshots.file_name(4)}": 13}
    for name in steps:
        path = tmp_path / "out" / name
        if path.suffix == ".safetensors":
            path.write_bytes(path.read_bytes()[:-1])
        else:
            path.unlink()
        assert attempt() == list(range(steps[name])) and contents(tmp_path / "out") == whole
    assert attempt(code="other") == list(range(13))
    assert attempt(data=tiny_dataset(tmp_path / "other", seed=1), code="other") == list(range(13))


@pytest.mark.parametrize("spec", [SPEC, DIVERGING], ids=["converging", "diverging"])
def test_results_that_were_lost_are_taken_from_the_last_checkpoint(attempt, uninterrupted, tmp_path, spec):
    """As where Snakemake deletes them, since it was killed before it saw the job end."""
    attempt(spec)
    shutil.rmtree(tmp_path / "out")
    assert attempt(spec) == []
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(spec)]


def test_a_full_disk_at_the_very_end_loses_nothing(attempt, uninterrupted, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(results, "write_training", full)
        attempt()
    assert attempt() == []
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


def test_a_file_system_without_links_holds_copies(attempt, uninterrupted, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "hardlink_to", refuse)
        attempt()
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]
    assert (tmp_path / "out/snapshots" / snapshots.file_name(4)).stat().st_nlink == 1


@pytest.mark.parametrize("until", [0, 1, 2, 5, 6, 12])
def test_interrupted_once(attempt, uninterrupted, tmp_path, until):
    assert attempt(until=until) == list(range(until))
    assert attempt() == list(range(until, 13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


@pytest.mark.parametrize("spec", [SPEC, CHANGING], ids=["everything", "mini-batches and rates of their step"])
def test_interrupted_at_every_step(attempt, uninterrupted, tmp_path, spec):
    for step in range(13):
        attempt(spec, until=step)
    attempt(spec)
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(spec)]


def test_interrupted_some_steps_after_the_checkpoint(attempt, uninterrupted, tmp_path, monkeypatch):
    """The snapshots after it are there already, and are taken again."""
    attempt(until=3)
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
    assert attempt(until=9) == list(range(3, 9))
    assert attempt() == list(range(3, 13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


def test_a_diverging_run(attempt, uninterrupted, tmp_path):
    whole = uninterrupted[canonical_json(DIVERGING)]
    assert b'"diverged_step": 2,' in whole["training.json"]
    attempt(DIVERGING, until=1)
    attempt(DIVERGING)
    assert contents(tmp_path / "out") == whole


def test_interrupted_while_publishing(attempt, uninterrupted, tmp_path, monkeypatch):
    """All steps are done, also the one that diverged: nothing is trained again."""
    for spec in (SPEC, DIVERGING):
        with monkeypatch.context() as patch:
            patch.setattr(module, "publish", lambda *arguments: (_ for _ in ()).throw(Interrupted))
            attempt(spec)
        assert attempt(spec) == []
        assert contents(tmp_path / "out") == uninterrupted[canonical_json(spec)]
        shutil.rmtree(tmp_path / "out")


def test_interrupted_before_the_last_file(attempt, uninterrupted, tmp_path, monkeypatch):
    """It is published again, from the last checkpoint."""
    with monkeypatch.context() as patch:
        patch.setattr(results, "write_training", lambda *arguments: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(AssertionError):  # since the folder is there
            attempt()
    assert not (tmp_path / "out" / "training.json").exists()
    assert attempt() == []
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_by_a_signal(data, attempt, uninterrupted, tmp_path, capsys, number):
    """The step is finished and a checkpoint saved, however long ago the last one was: nothing is lost."""
    real = Training.take_step

    def signalled(training):
        if training.step == 5:
            os.kill(os.getpid(), number)
        real(training)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "take_step", signalled)
        patch.setattr(checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", 1e9)
        with pytest.raises(SystemExit) as ending:
            module.train(SPEC, data, tmp_path / "out", tmp_path / "state", CPU, "code")
    assert ending.value.code == 128 + number
    assert "ended by a signal after step 5; the same command goes on from there" in capsys.readouterr().err
    assert attempt() == list(range(6, 13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


@pytest.mark.parametrize("damage", ["truncate", "empty", "text", *range(8)])
def test_a_damaged_checkpoint_is_not_used(attempt, uninterrupted, tmp_path, capsys, damage):
    """A number is the place of one wrong bit, in eighths of the file: in the header, in what it says, in a weight."""
    attempt(until=7)
    path = tmp_path / "state" / "checkpoint.safetensors"
    raw = bytearray(path.read_bytes())
    match damage:
        case "truncate":
            raw = raw[:-9]
        case "empty":
            raw = bytearray()
        case "text":
            raw = bytearray(b"no checkpoint at all")
        case place:
            raw[place * len(raw) // 8 + 50] ^= 4
    path.write_bytes(raw)
    assert attempt() == list(range(13))
    assert f"checkpoint '{path}' is" in capsys.readouterr().err
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


def test_a_checkpoint_of_other_code_is_not_used(attempt):
    attempt(until=7)
    assert attempt(code="other") == list(range(13))


def test_a_checkpoint_of_another_run_is_not_used(attempt, uninterrupted, tmp_path):
    attempt(tiny_spec(network="simple_cnn_bn", momentum=0.8, augmentation="crop_flip"), until=7)
    assert attempt() == list(range(13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


def test_a_checkpoint_of_other_data_is_not_used(attempt, uninterrupted, tmp_path):
    attempt(data=tiny_dataset(tmp_path / "other", seed=1), until=7)
    assert attempt() == list(range(13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), SafetensorError("I/O error (os error 5)")])
def test_an_error_of_the_disk_is_not_a_damaged_checkpoint(attempt, uninterrupted, tmp_path, monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    attempt(until=7)
    with monkeypatch.context() as patch, pytest.raises(type(error), match="error"):
        patch.setattr(checkpoint_file, "safe_open", fail)
        attempt()
    assert attempt() == list(range(7, 13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


@pytest.mark.parametrize("damage", ["remove", "truncate", "remove all"])
def test_a_checkpoint_that_lost_a_snapshot_is_not_used(attempt, uninterrupted, tmp_path, capsys, damage):
    attempt(until=7)
    path = tmp_path / "state" / "snapshots" / snapshots.file_name(4)
    match damage:
        case "remove":
            path.unlink()
        case "truncate":
            path.write_bytes(path.read_bytes()[:-1])
        case "remove all":
            shutil.rmtree(path.parent)
    assert attempt() == list(range(13))
    assert "has lost a snapshot: starting over" in capsys.readouterr().err
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


def test_the_checkpoint_holds_no_more_than_it_should(attempt, tmp_path):
    attempt(until=7)
    with safe_open(tmp_path / "state" / "checkpoint.safetensors", framework="pt") as file:
        names = set(file.keys())
    model = {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "4.weight", "4.bias"}
    model |= {"8.weight", "8.bias", "10.weight", "10.bias"}
    buffers = {f"{layer}.running_{what}" for layer in (1, 4) for what in ("mean", "var")}
    assert names == {f"model/{n}" for n in model | buffers} | {f"optimizer/{n}/velocity" for n in model}
    assert {path.name for path in (tmp_path / "state").iterdir()} == {
        "checkpoint.safetensors",
        "snapshots",
        "took.json",
    }


def test_what_interrupted_attempts_took_is_counted(data, tmp_path, monkeypatch):
    """To the last checkpoint of each; a training that starts over counts itself alone."""
    clock = iter(range(1000000))
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(checkpoints.time, "process_time", lambda: 5000.0 + next(clock))  # a long start
    real = Training.take_step

    def attempt(until, code="code"):
        """Steps of 100 seconds each."""

        def step_or_end(training):
            if training.step == until:
                raise Interrupted
            next(itertools.islice(clock, 99, 99), None)
            real(training)

        monkeypatch.setattr(Training, "take_step", step_or_end)
        return module.train(SPEC, data, tmp_path / "out", tmp_path / "state", CPU, code)

    for until in (4, 9):
        with pytest.raises(Interrupted):
            attempt(until)
    earlier = attempt(None)
    assert earlier.seconds == pytest.approx(900, rel=0.1) and earlier.processor == pytest.approx(900, rel=0.1)
    assert attempt(None).seconds == pytest.approx(1300, rel=0.1)  # trained already, by all of them
    assert attempt(None, "other code") == Took()


@pytest.mark.parametrize(
    "told",
    [None, "", "{", "[]", "\xff", '{"seconds": 1}']
    + [f'{{"seconds": {number}, "processor": 1}}' for number in ('"long"', "null", "NaN", "Infinity", "-9", "1e999")],
)
def test_what_is_no_time_counts_nothing(attempt, uninterrupted, tmp_path, told):
    """Nor does it stop the training at its next checkpoint."""
    attempt(until=7)
    path = tmp_path / "state" / checkpoints.TOOK
    path.unlink()
    if told is not None:
        path.write_text(told, encoding="latin-1")
    assert attempt(until=9) == [7, 8]
    assert 0 < json.loads(path.read_text())["seconds"] < 600
    assert attempt() == list(range(9, 13)) and contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from breakeven.store import snapshots
from breakeven.specs.run import from_json
from breakeven.training import checkpoints, train
torch.set_num_threads(1)
checkpoints.SECONDS_BETWEEN_CHECKPOINTS = -1.0
save_file = snapshots.save_file

def killed_half_way(tensors, path, metadata):
    save_file(tensors, path, metadata)
    if tensors["step"] == 6:
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

snapshots.save_file = killed_half_way
train.train(from_json(sys.argv[1]), *map(Path, sys.argv[2:5]), torch.device("cpu"), "code")
"""


def test_killed_while_it_writes_a_snapshot(data, attempt, uninterrupted, tmp_path):
    """A kill that no code can catch leaves half a snapshot; the results don't hold it."""
    command = [sys.executable, "-c", KILLED, canonical_json(SPEC), data, tmp_path / "out", tmp_path / "state"]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -9
    assert len(list((tmp_path / "state" / "snapshots").iterdir())) == 4  # three whole ones, and a half
    assert attempt() == list(range(6, 13))
    assert contents(tmp_path / "out") == uninterrupted[canonical_json(SPEC)]
