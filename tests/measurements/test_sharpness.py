"""The stage on tiny runs: its numbers against mini-batches that are drawn and differentiated here."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from breakeven.data.dataset import load
from breakeven.measurements.measured import measured_snapshots
from breakeven.measurements.sharpness import COLUMNS, Drawing, measure_sharpness, row
from breakeven.specs.run import run_id
from breakeven.spectra.batch_sharpness import Draws
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.store.tables import read_table
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.train import train
from tests.spectra.oracles import dense_gradients, dense_hessian
from tests.tiny import TRAIN, tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SETTINGS = {"max_draws": 40, "tolerance": 1e-9, "eigenvalue_draws": 3, "precision": "float64"}


def trained(folder, **changes):
    """The folders of a run and of its data, and its specification."""
    spec = tiny_spec(steps=4, **changes)
    data, run = tiny_dataset(folder / "data"), folder / "runs" / run_id(spec)
    if not run.exists():
        train(spec, data, run, folder / "state", CPU, "")
    return run, data, spec


def measured(folder, settings=None, out="sharpness.csv", **changes):
    run, data, _ = trained(folder, **changes)
    measure_sharpness(run, data, run / out, CPU, math.inf, **SETTINGS | (settings or {}))
    return read_table(run / out)


def products(model, batches, vectors):
    """The gradient of the mean loss over batches of one size, written out, and H times each vector."""
    parameters = list(model.parameters())
    loss = sum(cross_entropy(model(x), y) for x, y in batches) / len(batches)
    gradient = torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, parameters, create_graph=True)])
    found = [gradient.detach()]
    for vector in vectors:
        parts = torch.autograd.grad(gradient @ vector, parameters, retain_graph=True, materialize_grads=True)
        found.append(torch.cat([part.reshape(-1) for part in parts]))
    return found


def smoothed(labels, share, classes=3):
    return one_hot(labels, classes).double() * (1 - share) + share / classes


@pytest.mark.parametrize(
    "changes", [{}, {"label_smoothing": 0.2}, {"network": "simple_cnn_bn"}], ids=["plain", "smoothed", "batch norm"]
)
def test_every_column_against_dense_derivatives_of_many_mini_batches(tmp_path, changes):
    """Of 150 mini-batches drawn here, apart from the stage, of the training set, 8 examples each."""
    table = measured(tmp_path, {"max_draws": 200}, **changes)
    assert list(table.columns) == COLUMNS and list(table["step"]) == [0, 2, 4]
    assert (table["draws"] == 200).all() and (table["note"] == Note.SHARPNESS_FEW_DRAWS.code).all()
    run, data, _ = trained(tmp_path, **changes)
    dataset = load(data, CPU)
    inputs, labels = dataset.inputs(dataset.train_inputs, torch.float64), dataset.train_labels
    targets = smoothed(labels, 0.2) if "label_smoothing" in changes else labels
    model = list(measured_snapshots(run, data, "float64", CPU, ""))[-1].model
    random = np.random.default_rng(1)
    batches = [(inputs[some], targets[some]) for some in (random.permutation(TRAIN)[:8] for _ in range(150))]
    gradients = torch.stack([products(model, [batch], [])[0] for batch in batches])
    # with batch normalization, the whole loss is the mean of those of mini-batches
    whole = batches[:40] if "network" in changes else [(inputs, targets)]
    g, *of_h = products(model, whole, gradients[:20])
    g = gradients.mean(dim=0) if "network" in changes else g
    interactions = [float(gradient @ product / (g @ g)) for gradient, product in zip(gradients, of_h, strict=False)]
    along = []
    for batch, gradient in zip(batches, gradients, strict=True):
        [_, product] = products(model, [batch], [gradient])
        along.append(float(gradient @ product / (gradient @ gradient)))
    largest = [float(torch.linalg.eigvalsh(dense_hessian(model, [batch]))[-1]) for batch in batches[:4]]
    cells = table.iloc[-1]
    for values, column in (
        (along, "batch_sharpness"),
        (interactions, "gradient_noise_interaction"),
        (largest, "batch_lambda_1"),
    ):
        error = math.hypot(np.std(values, ddof=1) / math.sqrt(len(values)), cells[f"{column}_error"])
        assert abs(cells[column] - np.mean(values)) <= 4 * error, column
        assert error < 0.6 * abs(np.mean(values)), column  # else it says nothing


def test_a_mini_batch_that_is_the_whole_training_set_is_exact(tmp_path):
    """One draw, no error, by a dense Hessian; the same as the curvature along the gradient of the whole loss."""
    table = measured(tmp_path, batch_size=TRAIN)
    run, data, _ = trained(tmp_path, batch_size=TRAIN)
    dataset = load(data, CPU)
    whole = [(dataset.inputs(dataset.train_inputs, torch.float64), dataset.train_labels)]
    for cells, snapshot in zip(
        table.to_dict("records"), measured_snapshots(run, data, "float64", CPU, ""), strict=True
    ):
        [g], h = dense_gradients(snapshot.model, whole), dense_hessian(snapshot.model, whole)
        assert cells["batch_sharpness"] == pytest.approx(float(g @ h @ g / (g @ g)), rel=1e-9)
        assert cells["gradient_noise_interaction"] == cells["batch_sharpness"]
        assert cells["batch_lambda_1"] == pytest.approx(float(torch.linalg.eigvalsh(h)[-1]), rel=0.01)
    assert (table["draws"] == 1).all() and table["note"].isna().all()
    assert (table[[column for column in COLUMNS if column.endswith("_error")]] == 0).all(axis=None)


def test_the_same_bytes_again_and_other_draws_for_another_seed_and_step(tmp_path):
    measured(tmp_path)
    run, _, _ = trained(tmp_path)
    measured(tmp_path, out="again.csv")
    assert (run / "again.csv").read_bytes() == (run / "sharpness.csv").read_bytes()
    more = measured(tmp_path, {"max_draws": 48}, out="more.csv")
    table = read_table(run / "sharpness.csv")
    assert (more["batch_lambda_1"] == table["batch_lambda_1"]).all()  # the first draws are the same ones
    assert (more["batch_sharpness"] != table["batch_sharpness"]).all()


def test_a_looser_tolerance_takes_fewer_draws(tmp_path):
    table = measured(tmp_path, {"max_draws": 2000, "tolerance": 0.1})
    precise = table["note"].isna()
    assert precise.any() and ((table["batch_sharpness_error"] <= 0.1 * table["batch_sharpness"].abs()) == precise).all()
    assert (table["draws"][precise] < 2000).all()
    assert set(table["note"].dropna()) <= {Note.SHARPNESS_FEW_DRAWS.code}


def test_mini_batches_are_drawn_as_training_draws_them(tmp_path):
    """No example twice, each as often as the others; of the training set, and not of the measured part of it."""
    run, data, spec = trained(tmp_path)
    dataset = load(data, CPU, spec.dataset)
    drawing = Drawing(dataset, spec)
    snapshot = next(measured_snapshots(run, data, "float64", CPU, ""))
    every = dataset.inputs(dataset.train_inputs, torch.float64)
    counts = torch.zeros(TRAIN)
    for number in range(1, 301):
        inputs, targets = drawing.mini_batch(snapshot, number)
        same = (inputs[:, None] == every[None]).flatten(2).all(dim=2)
        assert len(targets) == 8 and (same.sum(dim=1) == 1).all() and same.any(dim=0).sum() == 8
        assert torch.equal(targets, dataset.train_labels[same.int().argmax(dim=1)])
        counts += same.any(dim=0)
    expected = 300 * 8 / TRAIN
    assert float((counts - expected).square().sum() / expected) < 43 + 5 * math.sqrt(2 * 43)
    whole = torch.cat([inputs for inputs, _ in drawing.everything(snapshot)])
    assert whole.shape == every.shape and torch.allclose(whole.sum(dim=0), every.sum(dim=0))


def test_mini_batches_are_augmented_where_training_augments_them(tmp_path, monkeypatch):
    run, data, spec = trained(tmp_path, augmentation="crop_flip")
    dataset = load(data, CPU, spec.dataset)
    plain, augmented = (Drawing(dataset, each) for each in (replace(spec, augmentation="none"), spec))
    snapshot = next(measured_snapshots(run, data, "float64", CPU, ""))
    for number in (1, 2):
        (raw, labels), (changed, same) = (each.mini_batch(snapshot, number) for each in (plain, augmented))
        assert torch.equal(labels, same) and not torch.equal(raw, changed)
    whole = Drawing(dataset, replace(spec, batch_size=TRAIN))
    assert not whole.is_whole and Drawing(dataset, replace(spec, batch_size=TRAIN, augmentation="none")).is_whole
    taken = []
    gather = MiniBatches.gather
    monkeypatch.setattr(
        MiniBatches, "gather", lambda self, some, draws: taken.append(draws) or gather(self, some, draws)
    )
    measured(tmp_path, augmentation="crop_flip")
    assert taken and all(draws is not None for draws in taken)


def test_what_has_no_value_says_why():
    nothing = row(Draws(count=3, zero=True), 0.0, 0.05, is_whole=False)
    assert math.isnan(nothing["batch_sharpness"]) and math.isnan(nothing["gradient_noise_interaction"])
    codes = [Note.SHARPNESS_FEW_DRAWS, Note.SHARPNESS_ZERO_GRADIENT, Note.INTERACTION_ZERO_GRADIENT]
    assert nothing["note"] == "; ".join(note.code for note in codes)
    some = row(Draws([1.0] * 3, [0.0, 2.0], count=4, zero=True), 2.0, 0.05, is_whole=False)
    assert (some["batch_sharpness"], some["gradient_noise_interaction"], some["draws"]) == (1.0, 0.5, 4)
    assert some["note"] == Note.SHARPNESS_ZERO_GRADIENT.code
    broken = row(Draws([1.0, math.inf], count=2), math.nan, 0.05, is_whole=False)
    assert broken["note"] == Note.SHARPNESS_NOT_FINITE.code
    dead = row(Draws(count=1, zero=True), math.nan, 0.05, is_whole=True)
    assert dead["note"] == Note.SHARPNESS_ZERO_GRADIENT.code and math.isnan(dead["batch_sharpness_error"])


def test_no_draws_are_a_mistake_of_whoever_calls_it(tmp_path):
    with pytest.raises(UserError, match="max_draws: 0 draws no mini-batch"):
        measured(tmp_path, {"max_draws": 0})


def test_float32_is_close_to_float64(tmp_path):
    exact, single = (measured(tmp_path, {"precision": p}, out=f"{p}.csv") for p in ("float64", "float32"))
    for column in ("batch_sharpness", "gradient_noise_interaction", "batch_lambda_1"):
        assert list(single[column]) == pytest.approx(list(exact[column]), rel=0.01)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, (40.0, 40.0)), ({"momentum": 0.9}, (4.0, 76.0)), ({"momentum": 0.5, "weight_decay": 0.1}, (19.9, 59.9))],
)
def test_the_plateaus_are_those_of_the_optimizer(tmp_path, changes, expected):
    """2(1 − β)/η and 2(1 + β)/η at η = 0.05, less the weight decay, which is no part of the loss that is measured."""
    table = measured(tmp_path, {"max_draws": 2, "eigenvalue_draws": 0}, **changes)
    found = table[["lower_plateau", "upper_plateau"]].to_numpy()
    assert found == pytest.approx(np.tile(expected, (3, 1)))
    assert table["batch_lambda_1"].isna().all()


def test_an_optimizer_with_a_preconditioner_has_no_plateau(tmp_path):
    table = measured(tmp_path, {"max_draws": 2}, optimizer="adam", learning_rate=0.01)
    assert table[["lower_plateau", "upper_plateau"]].isna().all(axis=None)
    assert table["note"].str.endswith(Note.NO_PLATEAU.code).all() and table["batch_sharpness"].notna().all()
