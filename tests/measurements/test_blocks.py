"""The largest eigenvalue of each block of H, against that of the submatrix of the dense H in float64."""

import math

import pytest
import torch

from breakeven.measurements import blocks as module
from breakeven.measurements.blocks import COLUMNS, measure_blocks
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.run import run_id
from breakeven.spectra.blocks import blocks_of
from breakeven.store.notes import Note
from breakeven.store.tables import read_table
from breakeven.training.train import train
from tests.spectra.oracles import dense_hessian
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
CNN = {"channels": [3], "dense": 5}
SETTINGS = {"tolerance": 1e-7, "max_matvecs": 400, "batch_size": 8, "precision": "float64"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    found = {}
    for network in ("simple_cnn", "simple_cnn_bn"):
        spec = tiny_spec(network=network, network_options=CNN, steps=4)
        found[network] = tmp_path_factory.mktemp("runs") / run_id(spec)
        train(spec, data, found[network], found[network].parent / "state", CPU, "code")
    return found


def measure(run, data, out, blocks, **changes):
    of_all = {"eigenvalues": 1, "trace_probes": 2} | SETTINGS
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, **of_all)
    measure_blocks(run, data, out, CPU, math.inf, blocks=blocks, **SETTINGS | changes)
    return read_table(out)


@pytest.mark.parametrize("network", ["simple_cnn", "simple_cnn_bn"])
@pytest.mark.parametrize("blocks", ["layer", "parameter"])
def test_equals_the_submatrix_of_the_dense_hessian(runs, data, tmp_path, network, blocks):
    table = measure(runs[network], data, tmp_path / "blocks.csv", blocks)
    nothing = (
        table["note"] == Note.H_ONLY_ROUNDING.code
    )  # as of a bias before batch normalization, in which its mean is lost
    assert nothing.any() == (network == "simple_cnn_bn" and blocks == "parameter")
    assert (
        list(table.columns) == COLUMNS and table["converged"][~nothing].all() and table["note"][~nothing].isna().all()
    )
    expected, coupled = {}, False
    for measured in measured_snapshots(runs[network], data, "float64", CPU, "test"):
        hessian = dense_hessian(measured.model, measured.batches(8))
        first, places = 0, {}
        for name, parameter in measured.model.named_parameters():
            layer = name.rpartition(".")[0]
            typed = f"{layer} {type(measured.model.get_submodule(layer)).__name__}"
            key = name if blocks == "parameter" else typed
            places.setdefault(key, []).extend(range(first, first + parameter.numel()))
            first += parameter.numel()
        for name, at in places.items():
            values = torch.linalg.eigvalsh(hessian[at][:, at])
            expected[measured.step, name] = (float(values[-1]), len(at))
            rows = torch.linalg.norm(hessian[at].sum(dim=1) - hessian[at][:, at].sum(dim=1))
            coupled = coupled or float(rows) > 1e-6
    found = {(row.step, row.block): (row.lambda_1, row.parameters) for row in table.itertuples()}
    assert list(found) == list(expected) and coupled  # the blocks are not independent: the mask matters
    for key, (value, count) in expected.items():
        assert found[key] == (pytest.approx(value, rel=1e-6, abs=1e-9), count)


def test_a_warm_start_takes_fewer_products(runs, data, tmp_path):
    table = measure(runs["simple_cnn"], data, tmp_path / "blocks.csv", "layer", tolerance=1e-3)
    products = table.groupby("step", sort=False)["matvecs"].sum()
    assert products.iloc[1:].max() < products.iloc[0]


def test_what_did_not_converge_says_so(runs, data, tmp_path):
    table = measure(runs["simple_cnn"], data, tmp_path / "blocks.csv", "layer", max_matvecs=5, tolerance=1e-12)
    large = table["parameters"] > 5
    assert large.any() and not table["converged"][large].any()


def test_a_layer_is_the_module_that_has_the_parameters():
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(2))
            self.body = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 2, bias=False))
            self.normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 4))
            self.body[1].weight.requires_grad_(False)

    names = [name for name, parameter in Own().named_parameters() if parameter.requires_grad]
    assert list(blocks_of(Own(), "layer")) == ["scale", "body.0 Linear", "normed Linear"]
    assert list(blocks_of(Own(), "parameter")) == names
    sizes = {name: sum(each.stop - each.start for each in block) for name, block in blocks_of(Own(), "layer").items()}
    assert sizes == {"scale": 2, "body.0 Linear": 8, "normed Linear": 4 + 4 + 8}


def test_a_block_without_curvature_is_0_and_says_why(data, tmp_path, monkeypatch):
    spec = tiny_spec(network="simple_cnn", network_options=CNN, steps=1)
    run = tmp_path / run_id(spec)
    train(spec, data, run, tmp_path / "state", CPU, "code")
    monkeypatch.setattr(module, "restricted", lambda matvec, block, like: lambda vector: 0 * vector)
    table = measure(run, data, tmp_path / "blocks.csv", "layer")
    assert (table["note"] == Note.H_ZERO.code).all() and (table["lambda_1"] == 0).all()
