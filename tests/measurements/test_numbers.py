"""Inputs that are numbers, and numbers that are predicted: trained, and measured against dense derivatives of a formula."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.func import hessian, jacrev, vmap

from breakeven.data.dataset import load
from breakeven.data.prepare import write
from breakeven.data.splits import Splits, checked
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.dry_pass import check_own_network
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.predictions import measure_predictions
from breakeven.measurements.stability import measure_stability
from breakeven.specs.run import Segment
from breakeven.store.errors import UserError
from breakeven.store.training_record import read_training
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.train import train
from tests.tiny import DATASET, tiny_spec
from tests.tiny_pipeline import RATES, STUDY, Pipeline

CPU = torch.device("cpu")
FEATURES, HIDDEN, TRAIN, TEST, RATE = 4, 3, 41, 10, 0.1
OUTPUTS = {"classes": 3, "one": 1, "two": 2}


def splits(kind, **changes):
    """Vectors of numbers of different sizes; a class, or one or two numbers, that depend on them."""
    draws = np.random.default_rng(0)
    inputs = draws.normal(size=(TRAIN + TEST, FEATURES)) * [1, 3, 0.3, 1] + [0, 2, -1, 5]
    answer = inputs @ draws.normal(size=(FEATURES, 2)) / 3 + 0.1 * draws.normal(size=(len(inputs), 2))
    labels = {
        "classes": (answer[:, 0] > 0).astype(np.int64) + (answer[:, 1] > 1),
        "one": answer[:, 0].astype(np.float32),
        "two": answer.astype(np.float32),
    }[kind]
    inputs = inputs.astype(np.float32)
    classes = tuple("abc") if kind == "classes" else ()
    made = Splits(inputs[:TRAIN], labels[:TRAIN], inputs[TRAIN:], labels[TRAIN:], classes)
    return checked(replace(made, **changes), "own.py:load")


def prepared(folder, kind, **changes):
    write(splits(kind, **changes), DATASET, folder, 0.3, 0, None, None)
    return folder


MLP = {"network": "mlp", "network_options": {"hidden": [HIDDEN]}, "learning_rate": RATE, "precision": "float64"}


@pytest.fixture(scope="module", params=[(kind, way) for kind in OUTPUTS for way in (False, True)], ids=str)
def case(request, tmp_path_factory):
    """A run of an MLP, and all its measurements in float64."""
    kind, standardise = request.param
    folder = tmp_path_factory.mktemp(kind)
    data, run = prepared(folder / "data", kind, standardise=standardise), folder / "run"
    train(tiny_spec(**MLP, steps=4, snapshots=(Segment(2),)), data, run, folder / "state", CPU)
    for size in (1, 4):
        measure_covariance(
            run, data, run / f"covariance{size}.csv", CPU, 500, batch_size=size, batches=None, precision="float64"
        )
    search = {"eigenvalues": 2, "tolerance": 1e-10, "max_matvecs": 200, "trace_probes": 2}
    measure_hessian(run, data, run / "hessian.csv", CPU, 500, **search, batch_size=5, precision="float64")
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=5, precision="float64")
    return kind, standardise, data, run


def formula(theta, x, outputs):
    """The MLP by its formula: θ holds W₁, b₁, W₂, b₂."""
    w1, b1, w2, b2 = theta.split([HIDDEN * FEATURES, HIDDEN, outputs * HIDDEN, outputs])
    return w2.view(outputs, HIDDEN) @ torch.relu(w1.view(HIDDEN, FEATURES) @ x + b1) + b2


def loss_of_one(theta, x, y, kind):
    z = formula(theta, x, OUTPUTS[kind])
    if kind == "classes":
        return torch.logsumexp(z, 0) - (z * torch.nn.functional.one_hot(y, 3)).sum()
    return 0.5 * ((z - y) ** 2).sum()


def weights(run):
    """θ_t and θ_{t+1} of each snapshot."""
    for entry in read_training(run).snapshots:
        tensors = load_file(run / "snapshots" / entry.file)
        names = ["1.weight", "1.bias", "3.weight", "3.bias"]
        yield (
            entry.step,
            *(torch.cat([tensors[f"{at}/{name}"].reshape(-1) for name in names]) for at in ("now", "next")),
        )


def examples(kind, standardise, subset=None, split="train"):
    made = splits(kind)
    train = torch.from_numpy(made.train_inputs).double()
    inputs = torch.from_numpy(getattr(made, f"{split}_inputs")).double()
    labels = torch.from_numpy(getattr(made, f"{split}_labels"))
    labels = labels if kind == "classes" else labels.double()
    if standardise:
        inputs = (inputs - train.mean(dim=0)) / train.std(dim=0, correction=0)
    return (inputs, labels) if subset is None else (inputs[subset], labels[subset])


def test_history(case):
    kind, standardise, _, run = case
    history = pd.read_csv(run / "history.csv").set_index(["step", "split"])
    for step, theta, _ in weights(run):
        for split in ("train", "test"):
            x, y = examples(kind, standardise, split=split)
            loss = vmap(lambda x, y, at=theta: loss_of_one(at, x, y, kind))(x, y).mean()
            row = history.loc[(step, split)]
            assert row["loss"] == pytest.approx(loss.item(), rel=1e-9)
            if kind == "classes":
                right = vmap(lambda x, at=theta: formula(at, x, 3))(x).argmax(dim=1) == y
                assert row["accuracy"] == right.double().mean().item()
            else:
                assert math.isnan(row["accuracy"])


def test_the_steps_are_those_of_the_loss(case):
    """θ_{t+1} − θ_t is −η times the gradient of the mean loss of the mini-batch."""
    kind, standardise, data, run = case
    batches = MiniBatches(load(data, CPU), tiny_spec(**MLP))
    for step, now, after in weights(run):
        x, y = examples(kind, standardise, batches.examples_of(step))
        gradient = jacrev(lambda at, x=x, y=y: vmap(lambda x, y: loss_of_one(at, x, y, kind))(x, y).mean())(now)
        torch.testing.assert_close(after, now - RATE * gradient, rtol=1e-9, atol=1e-12)


def test_k_h_and_stability_against_dense_derivatives(case):
    kind, standardise, data, run = case
    x, y = examples(kind, standardise, load(data, CPU).measured)
    tables = {path.stem: pd.read_csv(path).set_index("step") for path in run.glob("*.csv")}
    for step, theta, after in weights(run):
        one = torch.func.jacrev(lambda at: vmap(lambda x, y: loss_of_one(at, x, y, kind))(x, y))
        gradients = one(theta)
        for size in (1, 4):
            whole = len(y) // size * size
            rows = gradients[:whole].reshape(-1, size, len(theta)).mean(dim=1)
            expected = torch.linalg.eigvalsh(torch.from_numpy(np.cov(rows.numpy(), rowvar=False, bias=True))).flip(0)
            found = tables[f"covariance{size}"].loc[step]
            np.testing.assert_allclose(found[["lambda_1", "lambda_2"]].astype(float), expected[:2], rtol=1e-7)
            assert found["trace"] == pytest.approx(expected.sum().item(), rel=1e-9)
        each = torch.stack([hessian(lambda at, i=i: loss_of_one(at, x[i], y[i], kind))(theta) for i in range(len(y))])
        values, vectors = torch.linalg.eigh(each.mean(dim=0))
        found = tables["hessian"].loc[step]
        np.testing.assert_allclose(found[["lambda_1", "lambda_2"]].astype(float), values.flip(0)[:2], rtol=1e-7)
        e = vectors[:, -1]
        along = e @ each @ e
        stable = tables["stability"].loc[step]
        variance = along.var(correction=0).item()
        assert stable["curvature_variance"] == pytest.approx(variance, rel=1e-4)
        noise = (TRAIN - 8) / (8 * (TRAIN - 1))
        side = (1 - RATE * values[-1].item()) ** 2 + RATE**2 * variance * noise
        assert stable["stability_lhs"] == pytest.approx(side, rel=1e-5)
        losses = [vmap(lambda x, y, at=at: loss_of_one(at, x, y, kind))(x, y).mean().item() for at in (theta, after)]
        assert stable["delta_loss"] == pytest.approx(losses[1] - losses[0], rel=1e-6)


OWN = """import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, features, outputs):
        super().__init__()
        self.scale = nn.Parameter(torch.full((features,), 0.5))
        self.out = nn.Linear(features, outputs)

    def forward(self, x):
        return self.out(torch.tanh(x * self.scale))CUT

def build(input_shape, outputs):
    return Net(*input_shape, outputs)
"""


@pytest.mark.parametrize("kind", ["classes", "one", "two"])
def test_a_network_of_the_users_own_on_vectors(tmp_path, monkeypatch, kind):
    """It can be measured by the check that comes before its training, and is, against dense derivatives."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(OWN.replace("CUT", ""), encoding="utf-8")
    data, run, outputs = prepared(tmp_path / "data", kind, standardise=True), tmp_path / "run", OUTPUTS[kind]
    spec = tiny_spec(network="net.py:build", network_options={}, precision="float64", steps=2)
    check_own_network(spec, data, CPU)
    train(spec, data, run, tmp_path / "state", CPU)
    search = {"eigenvalues": 1, "tolerance": 1e-10, "max_matvecs": 200, "trace_probes": 1}
    measure_hessian(run, data, run / "hessian.csv", CPU, 500, **search, batch_size=5, precision="float64")
    x, y = examples(kind, True, load(data, CPU).measured)
    tensors = load_file(run / "snapshots" / read_training(run).snapshots[0].file)
    theta = torch.cat([tensors[f"now/{name}"].reshape(-1) for name in ("scale", "out.weight", "out.bias")])

    def mean_loss(at):
        scale, weight, bias = at.split([FEATURES, outputs * FEATURES, outputs])
        z = torch.tanh(x * scale) @ weight.view(outputs, FEATURES).T + bias
        return torch.nn.functional.cross_entropy(z, y) if kind == "classes" else ((z - y) ** 2).sum() / (2 * len(y))

    expected = torch.linalg.eigvalsh(hessian(mean_loss)(theta))[-1].item()
    assert pd.read_csv(run / "hessian.csv")["lambda_1"][0] == pytest.approx(expected, rel=1e-8)


def test_outputs_of_another_shape_than_the_numbers(tmp_path, monkeypatch):
    """PyTorch would subtract each number from each output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flat.py").write_text(OWN.replace("CUT", "[:, 0]"), encoding="utf-8")
    spec = tiny_spec(network="flat.py:build", network_options={})
    message = r"it must return a tensor of shape \(examples, outputs\) = \(3, 1\), not \(3,\)$"
    with pytest.raises(UserError, match=message):
        check_own_network(spec, prepared(tmp_path / "data", "one"), CPU)


# ------------------------------------------------------------------ what has no meaning


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_smoothing": 0.1}, "label_smoothing: 0.1 is for classes, and the data set has numbers to predict"),
        ({"stop_at_accuracy": 0.9}, "stop_at_accuracy: 0.9 is for classes, and the data set has numbers to predict"),
        ({"augmentation": "crop_flip"}, "augmentation: crop_flip is for pictures, and the data set holds none"),
    ],
)
def test_settings_that_have_no_meaning(tmp_path, changes, message):
    data = prepared(tmp_path / "data", "one")
    with pytest.raises(UserError, match=f"^{message}$"):
        train(tiny_spec(**MLP, **changes), data, tmp_path / "run", tmp_path / "state", CPU)


def test_predictions_are_of_classes(case):
    kind, _, data, run = case
    if kind == "classes":
        measure_predictions(run, data, run / "predictions.safetensors", CPU)
        return
    with pytest.raises(UserError, match=r"^predictions: the data set has numbers to predict"):
        measure_predictions(run, data, run / "predictions.safetensors", CPU)


# ------------------------------------------------------------------ all stages


@dataclass(frozen=True)
class Regression(Pipeline):
    """All stages but those of predictions."""

    def spec(self, number=0):
        return tiny_spec(network="mlp", network_options={"hidden": [5]}, learning_rate=RATES[number], steps=self.steps)

    def prepare(self):
        made = splits("one", standardise=True)
        made = replace(made, validation_inputs=made.test_inputs, validation_labels=made.test_labels)
        write(made, DATASET, self.data, 0.3, 0, None, None)

    def run_stages(self, number):
        always = (self.train, self.covariance, self.hessian, self.stability, self.assumptions, self.locate)
        for stage in (*always, self.density, self.sharpness):
            stage(number)

    def embed(self, study=STUDY.name):
        """Nothing."""


def test_through_all_stages(tmp_path):
    made = Regression(tmp_path)
    made.everything()
    for figure in ("training_curves", "generalization", "maxima", "break_even", "lambda_K"):
        made.plot(figure)
    runs = pd.read_csv(made.tables() / "runs.csv")
    assert runs[["final_train_accuracy", "final_test_accuracy", "final_validation_accuracy"]].isna().all(axis=None)
    assert runs["threshold_epoch"].isna().all() and runs[["max_lambda_K", "max_lambda_H"]].gt(0).all(axis=None)
    drawn = pd.read_csv(made.results / "figures/rates/training_curves.csv")
    assert set(drawn["quantity"]) == {"train_loss", "test_loss", "validation_loss"}
    assert "no values" not in (made.results / "figures/rates/training_curves.svg").read_text()
    quantities = set(pd.read_csv(made.tables() / "trajectories.csv")["quantity"])
    assert {"train_loss", "test_loss", "validation_loss"} < quantities
    assert not any("accuracy" in quantity for quantity in quantities)
    claims = pd.read_csv(made.results / "tables/claims.csv")
    of_accuracy = claims["quantity"].str.contains("accuracy", na=False)
    reason = "the data set has numbers to predict and no classes, so that there is no accuracy"
    assert set(claims["note"][of_accuracy]) == {reason} and of_accuracy.sum() == 8
    assert not claims["note"][~of_accuracy].str.contains("numbers to predict").any()
    assert (claims["verdict"] == "inconclusive")[of_accuracy].all()
    assert (made.results / "report.html").is_file()
