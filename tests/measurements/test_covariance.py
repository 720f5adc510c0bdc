import copy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, dropout

from breakeven.measurements import covariance as module
from breakeven.measurements.covariance import COLUMNS, measure_covariance
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.run import run_id
from breakeven.store.errors import UserError
from breakeven.store.snapshots import file_name
from breakeven.training.train import train
from tests.spectra.oracles import dense_covariance
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
PLENTY = 100.0
CNN = {"channels": [3], "dense": 5}
COARSE = f"{Path(__file__).with_name('deep_batch_norm.py')}:build"
MEASURED = 13  # 0.3 of 43 examples


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """The folder of a run of each network."""
    found = {}
    for network, options in {"simple_cnn": CNN, "simple_cnn_bn": CNN, COARSE: {}}.items():
        spec = tiny_spec(network=network, network_options=options, steps=4)
        found[network] = tmp_path_factory.mktemp("runs") / run_id(spec)
        train(spec, data, found[network], found[network].parent / "state", CPU, "code")
    return found


@pytest.fixture
def measure(runs, data, tmp_path):
    def run(batch_size, batches=None, memory_mb=PLENTY, precision="float64", network="simple_cnn"):
        out = tmp_path / "covariance.csv"
        measure_covariance(
            runs[network],
            data,
            out,
            CPU,
            memory_mb=memory_mb,
            batch_size=batch_size,
            batches=batches,
            precision=precision,
        )
        return pd.read_csv(out)

    return run


def dense(runs, data, batch_size, batches, network):
    """Eigenvalues of the dense K at each snapshot, from one ordinary backward pass for each mini-batch."""
    found = {}
    for measured in measured_snapshots(runs[network], data, "float64", CPU, "test"):
        model, rows = copy.deepcopy(measured.model), []
        for first in range(0, batches * batch_size, batch_size):
            model.zero_grad()
            own = slice(first, first + batch_size)
            cross_entropy(model(measured.inputs[own]), measured.targets[own]).backward()
            rows.append(torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters()]))
        k = torch.linalg.eigvalsh(dense_covariance(torch.stack(rows))).flip(0)
        found[measured.step] = k[: batches - 1].tolist()
    return found


@pytest.mark.parametrize(
    ("network", "batch_size", "batches", "expected_batches"),
    [
        ("simple_cnn", 1, None, MEASURED),
        ("simple_cnn", 1, 7, 7),
        ("simple_cnn", 2, None, MEASURED // 2),
        ("simple_cnn_bn", 3, None, MEASURED // 3),
    ],
)
def test_the_table_is_that_of_the_dense_matrix(measure, runs, data, network, batch_size, batches, expected_batches):
    table = measure(batch_size, batches, network=network)
    assert list(table.columns) == COLUMNS
    expected = dense(runs, data, batch_size, expected_batches, network)
    assert table["step"].tolist() == list(expected) == [0, 2, 4]
    for row in table.to_dict("records"):
        values = expected[row["step"]]
        for i, value in enumerate(values[:5], start=1):
            assert row[f"lambda_{i}"] == pytest.approx(value, rel=1e-9)
        assert row["lambda_star"] == pytest.approx(values[-1], rel=1e-6)
        assert row["trace"] == pytest.approx(sum(values), rel=1e-9)
        assert row["trace_over_lambda_1"] == pytest.approx(sum(values) / values[0], rel=1e-9)


def test_gamma_is_that_of_the_last_batch_normalization(measure, runs):
    table = measure(3, network="simple_cnn_bn").set_index("step")["gamma_norm"]
    for step, value in table.items():
        weights = load_file(runs["simple_cnn_bn"] / f"snapshots/{file_name(step)}")
        # the only parameters of one dimension whose module also has running averages
        [*_, last] = [name for name in order(weights) if f"buffer/{name}.running_mean" in weights]
        assert value == pytest.approx(float(weights[f"now/{last}.weight"].double().square().sum().sqrt()), rel=1e-7)
    assert table[0] == pytest.approx(3**0.5) and table[4] != table[0]  # three channels, γ = 1 at the start
    assert measure(3)["gamma_norm"].isna().all()


def order(weights):
    """The names of the layers of SimpleCNN, as they follow each other."""
    names = {key.removeprefix("now/").rpartition(".")[0] for key in weights if key.startswith("now/")}
    return sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in name.split(".")])


@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_memory_limit_changes_only_rounding(measure, batch_size):
    """Even a limit that holds a few gradients at a time; one that holds less than two is refused before the table is written."""
    whole = measure(batch_size)
    with pytest.raises(UserError, match=r"^memory_mb: 0.001 is too small for the gradients of (single|mini)") as error:
        measure(batch_size, memory_mb=0.001)
    least = float(str(error.value).partition("about ")[2].partition(";")[0])
    pd.testing.assert_frame_equal(measure(batch_size, memory_mb=1.1 * least), whole, rtol=1e-7)


def test_float32_is_close(measure):
    exact, single = measure(1), measure(1, precision="float32")
    pd.testing.assert_frame_equal(single[["lambda_1", "trace"]], exact[["lambda_1", "trace"]], rtol=1e-4)


def test_single_examples_of_batch_normalization_are_refused(measure, tmp_path):
    with pytest.raises(UserError, match=r"^measurements.covariance.batch_size: 1 .*batch normalization"):
        measure(1, network="simple_cnn_bn")
    assert not (tmp_path / "covariance.csv").exists()


def test_what_is_empty_has_a_note(measure, monkeypatch):
    table = measure(2, batches=3)
    assert table[["lambda_3", "lambda_4", "lambda_5"]].isna().all(axis=None) and table["lambda_2"].notna().all()
    assert set(table["note"]) == {"K:few_batches"}
    assert measure(2)["note"].isna().all()
    gram = torch.diag(torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64))  # a gradient that is exactly 0
    monkeypatch.setattr(module, "_gram", lambda *_: gram)
    table = measure(2, batches=3)
    assert table["g_over_g5"].isna().all() and table["lambda_star_over_lambda_1"].notna().all()
    assert set(table["note"]) == {"K:no_top_part; K:few_batches"}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [2, 5])
def test_float32_that_is_too_coarse_has_a_note(measure, batch_size, precision):
    """Batch normalization of two numbers, six times; the note is there where λ_K^1 is off, and never without a cause."""
    found = measure(batch_size, precision=precision, network=COARSE)
    exact = measure(batch_size, network=COARSE)["lambda_1"]
    off = (found["lambda_1"] / exact - 1).abs()
    coarse = found["note"].astype(str).str.contains("K:coarse")
    assert coarse[off > 5e-3].all()
    expected = precision == "float32" and batch_size == 2
    assert coarse.any() == (off > 5e-3).any() == expected


class Restless(torch.nn.Module):
    """Draws random numbers also when it is measured."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return dropout(self.inner(x), 0.5, training=True)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_network_that_draws_random_numbers_is_refused(measure, batch_size, monkeypatch, tmp_path):
    def with_noise(*arguments):
        for each in measured_snapshots(*arguments):
            yield replace(each, model=Restless(each.model))

    monkeypatch.setattr(module, "measured_snapshots", with_noise)
    torch.manual_seed(0)
    with pytest.raises(UserError, match="gives other outputs"):
        measure(batch_size)
    assert not (tmp_path / "covariance.csv").exists()


def test_fewer_than_two_mini_batches_are_refused(measure):
    with pytest.raises(UserError, match="batch_size: 8 leaves 1 mini-batches of the 13 measured examples"):
        measure(8)
