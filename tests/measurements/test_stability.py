"""The stage on a tiny run: every number against one computed another way."""

import json
import math

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import load
from breakeven.measurements import stability as module
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.stability import COLUMNS, measure_stability, why_losses_are_missing
from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.build import build
from breakeven.networks.weights import load_into
from breakeven.specs.condition import Condition
from breakeven.specs.run import Switch, run_id
from breakeven.spectra import curvature_check
from breakeven.spectra.equation_1 import break_even_curvature, left_hand_side
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.store.tables import read_table, write_table
from breakeven.training.train import train
from tests.tiny import TRAIN, tiny_dataset, tiny_spec

CPU = torch.device("cpu")
HESSIAN = {"eigenvalues": 1, "tolerance": 1e-6, "max_matvecs": 400, "trace_probes": 2, "batch_size": 8}


def measured(folder, spec, precision="float64", **settings):
    """Train and measure; the run's folder and its stability table."""
    data = tiny_dataset(folder / "data")
    run = folder / "runs" / run_id(spec)
    train(spec, data, run, folder / "state", CPU, "")
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, **HESSIAN | {"precision": precision} | settings)
    return run, data, stability(run, data, precision)


def stability(run, data, precision="float64"):
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=HESSIAN["batch_size"], precision=precision)
    return read_table(run / "stability.csv")


def at_snapshot(run, data, spec, entry):
    """The measured loss as a function of flat weights by another way: named weights copied into the network."""
    dataset = load(data, CPU)
    model = build(spec, dataset.input_shape, dataset.classes, torch.float64, CPU)
    snapshot = snapshots.read(run / "snapshots" / entry["file"], run_id(spec), entry["step"], entry["sha256"])
    load_into(model, snapshot)
    set_measuring(model)
    inputs, targets = dataset.measured_examples(torch.float64)

    def losses():
        with torch.no_grad():
            parts = [
                cross_entropy(model(x), y, reduction="sum")
                for x, y in zip(inputs.split(8), targets.split(8), strict=True)
            ]
        return float(sum(parts)) / len(targets)

    def move(alpha):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                now, after = snapshot.now[name].double(), snapshot.next[name].double()
                parameter.copy_(now - alpha * (now - after))
        return losses()

    return model, inputs, targets, move


@pytest.mark.parametrize("network", ["simple_cnn", "simple_cnn_bn"])
def test_every_column_against_another_way(tmp_path, network):
    spec = tiny_spec(network=network, learning_rate=0.4)
    run, data, table = measured(tmp_path, spec)
    hessian = pd.read_csv(run / "hessian.csv")
    training = json.loads((run / "training.json").read_text())
    assert list(table.columns) == COLUMNS
    assert list(table["step"]) == [entry["step"] for entry in training["snapshots"]]
    assert list(table["lambda_1"]) == list(hessian["lambda_1"])
    assert (table["two_over_lr"] == 2 / 0.4).all()
    assert table["note"].isna().all()
    for entry, row in zip(training["snapshots"], table.to_dict("records"), strict=True):
        model, inputs, targets, move = at_snapshot(run, data, spec, entry)
        assert row["delta_loss"] == pytest.approx(move(1.0) - move(0.0), rel=1e-9, abs=1e-12)
        if not math.isnan(row["alpha_star"]):
            assert move(0.98 * row["alpha_star"]) < 1.2 * move(0.0) < move(1.02 * row["alpha_star"])
        move(0.0)
        e = load_file(run / "eigenvectors" / entry["file"])["e_H_1"].double()
        curvatures = []
        for x, y in zip(inputs.split(8), targets.split(8), strict=True):
            curvatures += _curvatures_by_reverse_mode(model, x, y, e)
        variance = torch.stack(curvatures).var(correction=0).item()
        assert row["curvature_variance"] == pytest.approx(variance, rel=1e-6)
        lhs = (1 - 0.4 * row["lambda_1"]) ** 2 + variance * 0.4**2 * (TRAIN - 8) / (8 * (TRAIN - 1))
        assert row["stability_lhs"] == pytest.approx(lhs, rel=1e-6)


def _curvatures_by_reverse_mode(model, inputs, targets, e):
    parameters, found = list(model.parameters()), []
    for i in range(len(targets)):
        loss = cross_entropy(model(inputs), targets, reduction="none")[i]
        gradient = torch.autograd.grad(loss, parameters, create_graph=True)
        slope = torch.cat([part.reshape(-1) for part in gradient]) @ e
        second = torch.autograd.grad(slope, parameters, materialize_grads=True)
        found.append(torch.cat([part.reshape(-1) for part in second]) @ e)
    return found


def test_float32_is_close_to_float64(tmp_path):
    spec = tiny_spec(learning_rate=0.4)
    _, _, exact = measured(tmp_path / "a", spec)
    _, _, single = measured(tmp_path / "b", spec, precision="float32", tolerance=1e-4)
    for column in ("lambda_1", "curvature_variance", "stability_lhs"):
        assert list(single[column]) == pytest.approx(list(exact[column]), rel=0.01)


def test_rounding_in_float32_is_told_from_a_wrong_derivative(tmp_path, monkeypatch):
    """Where float32 is too coarse, the curvatures come from float64, with a note; a wrong derivative is still an error."""
    spec = tiny_spec(learning_rate=0.4)
    _, _, exact = measured(tmp_path / "a", spec)
    monkeypatch.setitem(curvature_check.MISMATCH, torch.float32, 0.0)  # as if its digits did not suffice anywhere
    _, _, single = measured(tmp_path / "b", spec, precision="float32", tolerance=1e-4)
    assert (single["note"] == Note.COARSE.code).all()
    assert list(single["curvature_variance"]) == pytest.approx(list(exact["curvature_variance"]), rel=0.01)
    assert single["stability_lhs"].notna().all()

    right = curvature_check.MeasuredNetwork.curvatures
    monkeypatch.setattr(curvature_check.MeasuredNetwork, "curvatures", lambda *arguments: 1.001 * right(*arguments))
    with pytest.raises(UserError, match=r"^step 0: .* PyTorch gets a derivative of this network wrong"):
        measured(tmp_path / "c", spec, precision="float32")


@pytest.mark.parametrize(
    ("now", "after", "notes"),
    [
        (1.0, 2.0, []),
        (0.0, 2.0, [Note.LOSS_ZERO]),
        (0.0, math.inf, [Note.LOSS_ZERO, Note.NEXT_LOSS_NOT_FINITE]),
        (1.0, math.nan, [Note.NEXT_LOSS_NOT_FINITE]),
        (math.inf, math.nan, [Note.LOSS_NOT_FINITE]),
    ],
)
def test_why_losses_are_missing(now, after, notes):
    assert list(why_losses_are_missing(now, after)) == notes


@pytest.mark.parametrize(
    ("settings", "threshold"),
    [
        ({}, 2 / 0.4),
        ({"momentum": 0.5}, 2 * 1.5 / 0.4),
        ({"momentum": 0.5, "nesterov": True}, 2 * 1.5 / (2 * 0.4)),
        ({"weight_decay": 0.1}, 2 / 0.4 - 0.1),
        ({"momentum": 0.5, "nesterov": True, "weight_decay": 0.1}, 2 * 1.5 / (2 * 0.4) - 0.1),
    ],
)
def test_the_condition_is_the_optimizers(tmp_path, settings, threshold):
    """The left-hand side, and where it reaches 1, from the columns beside it and the run's own settings; no cell is empty."""
    _, _, table = measured(tmp_path, tiny_spec(learning_rate=0.4, **settings))
    known = Condition(**settings)
    assert table["note"].isna().all()
    assert list(table["threshold"]) == pytest.approx([threshold] * len(table))
    for row in table.to_dict("records"):
        values = (0.4, 8, TRAIN, row["lambda_1"], row["curvature_variance"], known)
        assert row["stability_lhs"] == pytest.approx(left_hand_side(*values), rel=1e-12)
        assert row["break_even_curvature"] == pytest.approx(break_even_curvature(*values), rel=1e-9, nan_ok=True)
    if settings:
        plain = left_hand_side(0.4, 8, TRAIN, row["lambda_1"], row["curvature_variance"])
        assert row["stability_lhs"] != pytest.approx(plain, rel=1e-5)


def test_an_optimizer_without_a_condition_has_no_left_hand_side_but_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "condition", lambda spec: None)
    _, _, table = measured(tmp_path, tiny_spec())
    assert table[["stability_lhs", "threshold", "break_even_curvature"]].isna().all(axis=None)
    assert (table["note"] == Note.NO_CONDITION.code).all()
    assert table["curvature_variance"].notna().all() and table["delta_loss"].notna().all()


def test_the_learning_rate_may_be_0_and_the_left_hand_side_infinite(tmp_path, monkeypatch):
    _, _, table = measured(tmp_path / "a", tiny_spec(schedule=(Switch(6, 0.0),)))
    at_zero = table[table["step"] >= 6]
    assert (
        len(at_zero)
        and at_zero[["two_over_lr", "threshold", "break_even_curvature"]].isna().all(axis=None)
        and (at_zero["stability_lhs"] == math.nextafter(1, 0)).all()
    )
    monkeypatch.setattr(module, "left_hand_side", lambda *_: math.inf)
    _, _, table = measured(tmp_path / "b", tiny_spec())
    assert (table["stability_lhs"] == math.inf).all()


def test_the_learning_rate_is_that_of_the_step(tmp_path):
    _, _, table = measured(tmp_path, tiny_spec(schedule=(Switch(6, 0.01),)))
    assert list(table["learning_rate"]) == [0.05 if step < 6 else 0.01 for step in table["step"]]
    assert list(table["two_over_lr"]) == [2 / 0.05 if step < 6 else 2 / 0.01 for step in table["step"]]


def test_eigenvectors_of_other_snapshots_are_noticed(tmp_path):
    run, data, _ = measured(tmp_path, tiny_spec())
    table = pd.read_csv(run / "hessian.csv")
    write_table(run / "hessian.csv", table.assign(lambda_1=table["lambda_1"] * 1.01))
    with pytest.raises(
        UserError, match=r"^step 0: the mean curvature of the examples along e_H\^1 is .* must be equal"
    ):
        stability(run, data)


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "no step", "no table"])
def test_what_the_hessian_stage_left_is_checked(tmp_path, damage):
    run, data, _ = measured(tmp_path, tiny_spec())
    (run / "stability.csv").unlink()
    first, second = sorted((run / "eigenvectors").iterdir())[:2]
    expected = {
        "missing": "eigenvectors/step-00000000.safetensors' is missing",
        "cut": "eigenvectors/step-00000000.safetensors' is missing or damaged",
        "foreign": "eigenvector '.*' belongs to run .* at step 2, not to run .* at step 0",
        "no step": "hessian.csv' does not have the steps of the run's snapshots: delete it",
        "no table": "hessian.csv' is missing",
    }[damage]
    match damage:
        case "missing":
            first.unlink()
        case "cut":
            first.write_bytes(first.read_bytes()[:-7])
        case "foreign":
            first.write_bytes(second.read_bytes())
        case "no step":
            write_table(run / "hessian.csv", pd.read_csv(run / "hessian.csv").iloc[1:])
        case "no table":
            (run / "hessian.csv").unlink()
    with pytest.raises(UserError, match=expected):
        stability(run, data)
    assert not (run / "stability.csv").exists()


def test_an_eigenvector_that_was_not_found_leaves_a_note(tmp_path):
    run, data, _ = measured(tmp_path, tiny_spec())
    table = pd.read_csv(run / "hessian.csv")
    table.loc[1, "lambda_1"] = math.nan
    write_table(run / "hessian.csv", table)
    row = stability(run, data).iloc[1]
    assert math.isnan(row["stability_lhs"]) and math.isnan(row["curvature_variance"])
    assert row["note"] == Note.NO_EIGENVECTOR.code
    assert not math.isnan(row["delta_loss"])
