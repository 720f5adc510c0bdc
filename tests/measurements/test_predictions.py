import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.func import functional_call

from breakeven.data.dataset import load
from breakeven.measurements import measured as measurement
from breakeven.measurements import predictions as module
from breakeven.measurements.measured import DTYPES
from breakeven.measurements.predictions import measure_predictions
from breakeven.networks.build import build
from breakeven.specs.run import run_id
from breakeven.store.errors import UserError
from breakeven.store.predictions import read
from breakeven.store.snapshots import file_name
from breakeven.training.train import train
from tests.tiny import CLASSES, TEST, tiny_dataset, tiny_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=["simple_cnn", "simple_cnn_bn"])
def run(request, data, tmp_path_factory):
    spec = tiny_spec(network=request.param, steps=4)
    folder = tmp_path_factory.mktemp(request.param) / run_id(spec)
    train(spec, data, folder, folder.parent / "state", CPU, "code")
    return spec, folder


def test_predictions_are_those_of_the_snapshots_with_running_averages(run, data, tmp_path):
    spec, folder = run
    measure_predictions(folder, data, tmp_path / "predictions.safetensors", CPU)
    steps, predictions = read(tmp_path / "predictions.safetensors", run_id(spec))
    assert steps.tolist() == [0, 2, 4]
    assert predictions.shape == (3, TEST, CLASSES) and predictions.dtype == torch.float16
    dataset = load(data, CPU)
    model = build(spec, dataset.input_shape, dataset.classes, DTYPES["float64"], CPU).eval()
    inputs = dataset.inputs(dataset.test_inputs, torch.float64)
    for step, found in zip(steps.tolist(), predictions, strict=True):
        tensors = load_file(folder / "snapshots" / file_name(step))
        weights = {
            key.partition("/")[2]: t.double() for key, t in tensors.items() if key.startswith(("now/", "buffer/"))
        }
        outputs = functional_call(model, weights, (inputs,)).detach().numpy()
        expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found.double().numpy(), expected, atol=3e-4)
    assert not (predictions[0] == predictions[2]).all()


def test_the_first_examples_are_taken_and_pieces_change_nothing(run, data, tmp_path, monkeypatch):
    measure_predictions(run[1], data, tmp_path / "whole", CPU)
    monkeypatch.setattr(module, "EXAMPLES", 7)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    measure_predictions(run[1], data, tmp_path / "pieces", CPU)
    name = run_id(run[0])
    whole, pieces = read(tmp_path / "whole", name)[1], read(tmp_path / "pieces", name)[1]
    assert pieces.shape[1] == 7
    torch.testing.assert_close(pieces, whole[:, :7], atol=5e-4, rtol=0)


def test_the_data_set_is_read_once(run, data, tmp_path, monkeypatch):
    calls = []
    for place in (module, measurement):
        monkeypatch.setattr(place, "load", lambda *arguments: calls.append(arguments) or load(*arguments))
    measure_predictions(run[1], data, tmp_path / "predictions.safetensors", CPU)
    assert calls == [(data, CPU, run[0].dataset)]


def test_the_file_says_whose_it_is(run, data, tmp_path):
    path = tmp_path / "predictions.safetensors"
    measure_predictions(run[1], data, path, CPU)
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"run": run_id(run[0])}
    first = path.read_bytes()
    measure_predictions(run[1], data, path, CPU)
    assert path.read_bytes() == first and set(tmp_path.iterdir()) == {path}
    with pytest.raises(UserError, match=r"is of run .* not of run other: delete it"):
        read(path, "other")
    path.write_bytes(first[:100])
    with pytest.raises(UserError, match="is missing or damaged"):
        read(path, run_id(run[0]))
