"""The stage on a tiny run: every number against dense matrices and nested gradients in float64."""

import json
import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import load
from breakeven.measurements import assumptions as module
from breakeven.measurements.assumptions import COLUMNS, measure_assumptions
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.hessian import measure_hessian
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.weights import load_into
from breakeven.specs.run import Switch, run_id
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.store.tables import read_table, write_table
from breakeven.training.train import train
from tests.spectra.oracles import dense_covariance
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
HESSIAN = {"eigenvalues": 1, "tolerance": 1e-8, "max_matvecs": 400, "trace_probes": 2, "batch_size": 8}
OF_K = {"covariance_batch_size": 3, "covariance_batches": None}


def trained(folder, spec, precision="float64"):
    data = tiny_dataset(folder / "data")
    run = folder / "runs" / run_id(spec)
    train(spec, data, run, folder / "state", CPU, "")
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, **HESSIAN | {"precision": precision})
    return run, data


def assumptions(run, data, precision="float64", memory_mb=100.0, **settings):
    out = run / "assumptions.csv"
    given = {"batch_size": 8, "precision": precision} | OF_K | settings
    measure_assumptions(run, data, out, CPU, memory_mb, **given)
    return read_table(out)


class Oracle:
    """A snapshot of a run, in named weights that are copied into PyTorch's network of the run's."""

    def __init__(self, run, data, spec, entry):
        dataset = load(data, CPU)
        self.model = build(spec, dataset.input_shape, dataset.classes, torch.float64, CPU)
        snapshot = snapshots.read(run / "snapshots" / entry["file"], run_id(spec), entry["step"], entry["sha256"])
        load_into(self.model, snapshot)
        set_measuring(self.model)
        self.inputs, self.targets = dataset.measured_examples(torch.float64)
        self.e = load_file(run / "eigenvectors" / entry["file"])["e_H_1"].double()
        self.now = self.flat(snapshot.now)
        self.next = self.flat(snapshot.next)

    def flat(self, named):
        return torch.cat([named[name].double().flatten() for name, _ in self.model.named_parameters()])

    def at(self, theta):
        with torch.no_grad():
            parts = theta.split([parameter.numel() for parameter in self.model.parameters()])
            for parameter, part in zip(self.model.parameters(), parts, strict=True):
                parameter.copy_(part.view_as(parameter))
        return self

    def losses(self, size=8):
        pairs = zip(self.inputs.split(size), self.targets.split(size), strict=True)
        return torch.cat([cross_entropy(self.model(x), y, reduction="none") for x, y in pairs])

    def along(self, value, order):
        """The derivatives of a number along e, to ``order``."""
        found = []
        for _ in range(order):
            parts = torch.autograd.grad(value, list(self.model.parameters()), create_graph=True, materialize_grads=True)
            value = torch.cat([part.flatten() for part in parts]) @ self.e
            found.append(value)
        return [float(each.detach()) for each in found]

    def gradients(self, size):
        """A row for each whole mini-batch."""
        rows = []
        for first in range(0, len(self.targets) - size + 1, size):
            loss = cross_entropy(self.model(self.inputs[first : first + size]), self.targets[first : first + size])
            rows.append(torch.cat([p.flatten() for p in torch.autograd.grad(loss, list(self.model.parameters()))]))
        return torch.stack(rows)


def entries(run):
    return json.loads((run / "training.json").read_text())["snapshots"]


@pytest.mark.parametrize(("network", "size"), [("simple_cnn", 3), ("simple_cnn_bn", 3), ("simple_cnn", 1)])
def test_every_column_against_another_way(tmp_path, network, size):
    spec = tiny_spec(network=network, learning_rate=0.4)
    run, data = trained(tmp_path, spec)
    table = assumptions(run, data, covariance_batch_size=size)
    assert list(table.columns) == COLUMNS
    assert list(table["step"]) == [entry["step"] for entry in entries(run)]
    assert table["note"].isna().all()
    for entry, row in zip(entries(run), table.to_dict("records"), strict=True):
        oracle = Oracle(run, data, spec, entry)
        k = dense_covariance(oracle.gradients(size))
        values, vectors = torch.linalg.eigh(k)
        e, variance = oracle.e, float(oracle.e @ k @ oracle.e)
        assert row["variance_along_e_H"] == pytest.approx(variance, rel=1e-8)
        assert row["variance_ratio"] == pytest.approx(variance / float(values[-1]), rel=1e-8)
        assert row["alignment"] == pytest.approx(abs(float(vectors[:, -1] @ e)), rel=1e-6)
        slope, curvature, third = oracle.along(oracle.losses().mean(), 3)
        assert row["gradient_along_e_H"] == pytest.approx(abs(slope), rel=1e-8)
        if not network.endswith("_bn"):  # PyTorch's own third derivative is wrong there
            assert row["cubic"] == pytest.approx(math.copysign(1, slope) * third, rel=1e-7)
        a = abs(float((oracle.next - oracle.now) @ e))
        assert row["displacement"] == pytest.approx(a, rel=1e-9)
        now = oracle.losses().detach()
        of_each = torch.tensor([oracle.along(oracle.losses()[i], 2) for i in range(len(now))], dtype=torch.float64)
        assert curvature == pytest.approx(float(of_each[:, 1].mean()), rel=1e-8)
        off = []
        for sign in (1, -1):
            side = oracle.at(oracle.now + sign * a * e).losses().detach()
            off.append(side - now - sign * a * of_each[:, 0] - a**2 / 2 * of_each[:, 1])
        off = torch.stack(off)
        of_mean = float(off.mean(dim=1).abs().mean()) / abs(a**2 / 2 * curvature)
        assert row["quadratic_error"] == pytest.approx(of_mean, rel=1e-5)
        of_examples = (off / (a**2 / 2 * of_each[:, 1])).abs().quantile(0.5)
        assert row["example_quadratic_error"] == pytest.approx(float(of_examples), rel=1e-4)
        _, after = oracle.at(oracle.next).along(oracle.losses().mean(), 2)
        assert row["curvature_after_step"] == pytest.approx(after, rel=1e-8)


def test_third_derivative_with_batch_normalization(tmp_path):
    """By differences of the second, which is right."""
    spec = tiny_spec(network="simple_cnn_bn", learning_rate=0.4)
    run, data = trained(tmp_path, spec)
    table = assumptions(run, data)
    for entry, row in zip(entries(run), table.to_dict("records"), strict=True):
        oracle, step = Oracle(run, data, spec, entry), 1e-5
        (slope,) = oracle.along(oracle.losses().mean(), 1)
        ends = [oracle.at(oracle.now + sign * step * oracle.e).along(oracle.losses().mean(), 2)[1] for sign in (1, -1)]
        third = math.copysign(1, slope) * (ends[0] - ends[1]) / (2 * step)
        assert row["cubic"] == pytest.approx(third, rel=1e-4, abs=1e-4)


def test_k_is_that_of_the_covariance_stage(tmp_path):
    run, data = trained(tmp_path, tiny_spec())
    for size, batches in ((3, None), (3, 3), (1, None), (1, 6)):
        k = {"batch_size": size, "batches": batches, "precision": "float64"}
        measure_covariance(run, data, run / "covariance.csv", CPU, 100.0, **k)
        largest = read_table(run / "covariance.csv")["lambda_1"]
        table = assumptions(run, data, covariance_batch_size=size, covariance_batches=batches)
        found = table["variance_along_e_H"] / table["variance_ratio"]
        assert list(found) == pytest.approx(list(largest), rel=1e-9)


def test_float32_is_close_to_float64(tmp_path):
    spec = tiny_spec(learning_rate=0.4)
    run, data = trained(tmp_path, spec)
    exact, single = assumptions(run, data), assumptions(run, data, precision="float32")
    for column in COLUMNS[1:-1]:
        assert list(single[column]) == pytest.approx(list(exact[column]), rel=0.02, abs=0.01), column


def test_where_float32_is_too_coarse_the_quadratic_models_are_of_float64(tmp_path, monkeypatch):
    run, data = trained(tmp_path, tiny_spec(learning_rate=1e-5))  # a step of which float32 sees nothing
    exact, single = assumptions(run, data), assumptions(run, data, precision="float32")
    for column in ("quadratic_error", "example_quadratic_error"):
        assert exact[column].notna().all()
        assert list(single[column]) == pytest.approx(list(exact[column]), rel=1e-3, abs=1e-6)
    monkeypatch.setattr(module, "in_float64", lambda model: pytest.fail("not again in float64"))
    with pytest.raises(pytest.fail.Exception):
        assumptions(run, data, precision="float32")


def test_memory_changes_no_number(tmp_path):
    run, data = trained(tmp_path, tiny_spec())
    plenty, little = assumptions(run, data), assumptions(run, data, memory_mb=0.05)
    for column in COLUMNS[1:-1]:
        assert list(little[column]) == pytest.approx(list(plenty[column]), rel=1e-7, abs=1e-8), column


def test_a_step_of_length_0_leaves_a_note(tmp_path):
    run, data = trained(tmp_path, tiny_spec(schedule=(Switch(6, 0.0),)))
    table = assumptions(run, data)
    at_zero = table[table["step"] >= 6]
    assert (at_zero["displacement"] == 0).all() and (at_zero["note"] == Note.QUADRATIC_ROUNDING.code).all()
    assert at_zero[["quadratic_error", "example_quadratic_error"]].isna().all(axis=None)
    hessian = pd.read_csv(run / "hessian.csv").set_index("step")["lambda_1"]
    # nothing moved, and eᵀ H e is λ_H^1
    assert list(at_zero["curvature_after_step"]) == pytest.approx(list(hessian[at_zero["step"]]), rel=1e-7)


def test_an_eigenvector_that_was_not_found_leaves_a_note(tmp_path):
    run, data = trained(tmp_path, tiny_spec())
    table = pd.read_csv(run / "hessian.csv")
    table.loc[1, "lambda_1"] = math.nan
    write_table(run / "hessian.csv", table)
    row = assumptions(run, data).iloc[1]
    assert row["note"] == Note.E_H_NOT_FOUND.code and row[COLUMNS[1:-1]].isna().all()


def test_without_a_third_derivative_the_rest_is_measured(tmp_path, monkeypatch):
    run, data = trained(tmp_path, tiny_spec())
    whole = assumptions(run, data)
    right = module.Line.derivative

    def without(self, inputs, targets, order):
        if order == 3:
            raise NotImplementedError("derivative for aten::grid_sampler_2d_backward is not implemented")
        return right(self, inputs, targets, order)

    monkeypatch.setattr(module.Line, "derivative", without)
    table = assumptions(run, data)
    assert (table["note"] == Note.NO_THIRD_DERIVATIVE.code).all() and table["cubic"].isna().all()
    others = [name for name in COLUMNS[1:-1] if name != "cubic"]
    pd.testing.assert_frame_equal(table[others], whole[others])


def test_k_needs_two_mini_batches(tmp_path):
    run, data = trained(tmp_path, tiny_spec())
    with pytest.raises(UserError, match=r"batch_size: 9 leaves 1 mini-batches of the 13 measured examples"):
        assumptions(run, data, covariance_batch_size=9)
