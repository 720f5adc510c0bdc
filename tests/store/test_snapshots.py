import ast
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import breakeven
from breakeven.networks.batch_norm import BatchNorm2d
from breakeven.networks.weights import copy_of, load_into
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.files import sha256
from breakeven.store.snapshots import Snapshot


@pytest.fixture
def snapshot():
    draws = torch.Generator().manual_seed(0)
    now = {"0.weight": torch.randn(3, 2, generator=draws), "0.bias": torch.randn(3, generator=draws)}
    later = {name: tensor + 1 for name, tensor in now.items()}
    average = torch.randn(3, generator=draws, dtype=torch.float64)
    remembered = {"0.weight/exp_avg": torch.randn(3, 2, generator=draws), "0.weight/step": torch.tensor(21.0)}
    return Snapshot(20, now, later, {"1.running_mean": average}, remembered)


@pytest.fixture
def written(tmp_path, snapshot):
    entry = snapshots.write(tmp_path, "run-a", snapshot, 0.1)
    return tmp_path / entry.file, entry.sha256


def parse(path):
    """The safetensors format, read by hand: eight bytes of length, a JSON header, the arrays."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header, body = json.loads(raw[8 : 8 + length]), raw[8 + length :]
    metadata = header.pop("__metadata__")
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}
    return metadata, {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def test_the_file(written, snapshot):
    metadata, arrays = parse(written[0])
    assert metadata == {"run": "run-a"}
    assert arrays.pop("step") == 20
    weights = {"now/0.weight", "now/0.bias", "next/0.weight", "next/0.bias"}
    remembered = {"optimizer/0.weight/exp_avg", "optimizer/0.weight/step"}
    assert arrays.keys() == weights | {"buffer/1.running_mean"} | remembered
    np.testing.assert_array_equal(arrays["now/0.weight"], snapshot.now["0.weight"].numpy())
    np.testing.assert_array_equal(arrays["next/0.bias"], snapshot.now["0.bias"].numpy() + 1)
    np.testing.assert_array_equal(arrays["buffer/1.running_mean"], snapshot.buffers["1.running_mean"].numpy())
    assert arrays["buffer/1.running_mean"].dtype == np.float64


def test_what_is_read_is_what_was_written(written, snapshot):
    read = snapshots.read(written[0], "run-a", 20, written[1])
    assert read.step == 20
    for group in ("now", "next", "buffers", "optimizer"):
        expected, found = getattr(snapshot, group), getattr(read, group)
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)
        assert all(expected[name].dtype == found[name].dtype for name in expected)


def test_equal_content_is_equal_bytes(tmp_path, snapshot, written):
    """Many times, since what can't be relied on may come out right once or twice."""
    digests = {snapshots.write(tmp_path / "again", "run-a", snapshot, 0.1).sha256 for _ in range(20)}
    assert digests == {written[1]}


def test_names_sort_by_step():
    steps = [0, 2, 10, 99, 100, 12_345_678]
    assert sorted(snapshots.file_name(step) for step in steps) == [snapshots.file_name(step) for step in steps]


def test_tensors_that_are_not_contiguous(tmp_path):
    transposed = torch.arange(6.0).reshape(2, 3).T
    entry = snapshots.write(tmp_path, "a", Snapshot(0, {"w": transposed}, {"w": transposed}, {}), 0.1)
    read = snapshots.read(tmp_path / entry.file, "a", 0, entry.sha256)
    assert read.now["w"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_copy_stays_as_it_was():
    weight = torch.zeros(2, requires_grad=True)
    copy = copy_of({"w": weight})
    with torch.no_grad():
        weight += 1
    assert copy["w"].tolist() == [0, 0]
    assert not copy["w"].requires_grad


@pytest.mark.parametrize("damage", ["flip a bit", "truncate", "empty", "remove"])
def test_a_damaged_snapshot_is_refused_by_name(written, damage):
    path, digest = written
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    match damage:
        case "flip a bit":
            path.write_bytes(raw)
        case "truncate":
            path.write_bytes(raw[:-5])
        case "empty":
            path.write_bytes(b"")
        case "remove":
            path.unlink()
    with pytest.raises(UserError, match="missing or damaged") as error:
        snapshots.read(path, "run-a", 20, digest)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(("run", "step"), [("run-b", 20), ("run-a", 30)])
def test_a_foreign_snapshot_is_refused_by_name(written, run, step):
    path, digest = written
    with pytest.raises(UserError, match=f"not to run {run} at step {step}") as error:
        snapshots.read(path, run, step, digest)
    assert str(path) in str(error.value)
    assert "run-a" in str(error.value)


def test_something_else_is_refused_by_name(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"weights": torch.zeros(2)}, path)
    with pytest.raises(UserError, match=r"a\.safetensors"):
        snapshots.read(path, "run-a", 20, sha256(path))
    path.write_bytes(b"\x80\x04K\x01.")  # a pickle
    with pytest.raises(UserError, match=r"a\.safetensors"):
        snapshots.read(path, "run-a", 20, sha256(path))


def test_load_into_a_network_of_another_precision():
    def network(dtype):
        return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), BatchNorm2d(2)).to(dtype)

    source, target = network(torch.float32), network(torch.float64)
    source(torch.rand(4, 1, 5, 5))  # moves the running averages
    now, buffers = dict(source.named_parameters()), dict(source.named_buffers())
    load_into(target, Snapshot(0, copy_of(now), {}, copy_of(buffers)))
    expected = source.state_dict()
    for name, tensor in target.state_dict().items():
        assert tensor.dtype == torch.float64
        assert torch.equal(tensor, expected[name].double()), name


def test_no_pickle_is_read_or_written():
    """A pickle runs code of whoever wrote it; nothing in the package can read or write one."""
    pickles = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    for path in Path(breakeven.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.split(".")[0] for alias in node.names} | {getattr(node, "module", None)}
                assert not names & pickles, path
            if isinstance(node, ast.Attribute):
                called = ast.unparse(node)
                assert called not in {"torch.load", "torch.save", "np.load", "np.save", "pd.read_pickle"}, path
                assert node.attr not in {"to_pickle", "read_pickle"}, path
