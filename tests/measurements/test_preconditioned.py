"""Runs of Adam, AdamW and RMSprop: the preconditioned spectrum and Eq. 1 against dense matrices in float64."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.func import hessian

from breakeven.data.dataset import load
from breakeven.measurements.hessian import columns, measure_hessian
from breakeven.measurements.measured import measured_snapshots
from breakeven.measurements.stability import measure_stability
from breakeven.specs.run import run_id
from breakeven.store.errors import UserError
from breakeven.store.notes import Note
from breakeven.training.train import train
from tests.spectra.oracles import dense_hessian, loss_of_vector, theta_of
from tests.tiny import TRAIN, tiny_dataset, tiny_spec

CPU = torch.device("cpu")
RATE, ALPHA, EPS = 0.003, 0.99, 1e-8
SETTINGS = {"eigenvalues": 3, "tolerance": 1e-8, "max_matvecs": 600, "trace_probes": 2, "batch_size": 8}
OPTIMIZERS = {
    "adam": {},
    "adam with weight decay": {"optimizer": "adam", "weight_decay": 0.3},
    "adamw": {"weight_decay": 0.3},
    "rmsprop": {"momentum": 0.8},
}


def made(folder, optimizer, **changes):
    """Train and measure a run; its specification, folder and data."""
    settings = {"optimizer": optimizer, "precision": "float64", "learning_rate": RATE, "steps": 4}
    spec = tiny_spec(**settings | OPTIMIZERS.get(optimizer, {}) | changes)
    data, run = tiny_dataset(folder / "data"), folder / run_id(spec)
    train(spec, data, run, folder / "state", CPU, "")
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, precision="float64", **SETTINGS)
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=SETTINGS["batch_size"], precision="float64")
    return spec, run, data


def tables(run):
    return pd.read_csv(run / "hessian.csv"), pd.read_csv(run / "stability.csv")


def p_by_hand(spec, measured):
    """P, (D,), by the formulas of the papers, from what PyTorch's optimizer keeps."""
    parts, snapshot, step = [], measured.snapshot, measured.step
    for name, weight in measured.model.named_parameters():
        if spec.optimizer == "rmsprop":
            part = snapshot.optimizer[f"{name}/square_avg"].sqrt() + EPS
        else:
            assert snapshot.optimizer[f"{name}/step"] == step + 1
            average = snapshot.optimizer[f"{name}/exp_avg_sq"] / (1 - 0.999 ** (step + 1))
            part = (1 - 0.9 ** (step + 1)) * (average.sqrt() + EPS)
        assert part.shape == weight.shape
        parts.append(part.reshape(-1))
    return torch.cat(parts)


@pytest.fixture(scope="module", params=OPTIMIZERS)
def measured(request, tmp_path_factory):
    return made(tmp_path_factory.mktemp("run"), request.param)


def test_every_snapshot_against_the_dense_matrix(measured):
    spec, run, data = measured
    found, _ = tables(run)
    assert list(found.columns) == columns(3, preconditioned=True)
    assert found["preconditioned_converged"].all() and found["note"].isna().all()
    for each, row in zip(measured_snapshots(run, data, "float64", CPU, "test"), found.to_dict("records"), strict=True):
        p = p_by_hand(spec, each)
        raw = dense_hessian(each.model, each.batches(8))
        dense = torch.linalg.eigvalsh(raw / p.outer(p).sqrt()).flip(0)
        for i in range(3):
            assert row[f"preconditioned_lambda_{i + 1}"] == pytest.approx(float(dense[i]), abs=2e-8 * float(dense[0]))
        # by another way of differentiating, and as the eigenvalues of P⁻¹H
        twice = hessian(loss_of_vector(each.model, each.inputs, each.targets))(theta_of(each.model))
        largest = torch.linalg.eigvals(twice / p[:, None]).real.max()
        assert row["preconditioned_lambda_1"] == pytest.approx(float(largest), rel=1e-6)
        assert row["lambda_1"] == pytest.approx(float(torch.linalg.eigvalsh(raw)[-1]), rel=1e-6)


def test_curvatures_along_the_preconditioned_eigenvector_and_eq_1(measured):
    spec, run, data = measured
    found, stability = tables(run)
    assert list(stability["lambda_1"]) == list(found["preconditioned_lambda_1"]) and stability["note"].isna().all()
    loaded = load(data, CPU)
    inputs, targets = loaded.measured_examples(torch.float64)
    beta = {"adam": 0.9, "adamw": 0.9, "rmsprop": 0.8}[spec.optimizer]
    scale = 1 if spec.optimizer == "rmsprop" else 1 - beta
    for each, row in zip(
        measured_snapshots(run, data, "float64", CPU, "test"), stability.to_dict("records"), strict=True
    ):
        p = p_by_hand(spec, each)
        values, vectors = torch.linalg.eigh(dense_hessian(each.model, each.batches(8)) / p.outer(p).sqrt())
        d = vectors[:, -1] / p.sqrt()
        stored = load_file(run / "eigenvectors" / f"step-{each.step:08d}.safetensors")
        sign = torch.sign(stored["preconditioned"].double() @ d)
        torch.testing.assert_close(
            stored["preconditioned"].double() * sign, d, rtol=1e-3, atol=1e-3 * float(d.abs().max())
        )
        h = []
        for x, y in zip(inputs, targets, strict=True):
            theta = theta_of(each.model)
            h.append(float(d @ hessian(loss_of_vector(each.model, x[None], y[None]))(theta) @ d))
        h = torch.tensor(h, dtype=torch.float64)
        assert float(h.mean()) == pytest.approx(float(values[-1]), rel=1e-9)
        assert row["curvature_variance"] == pytest.approx(float(h.var(correction=0)), rel=1e-3)
        # heavy ball with η (1 − β₁) and β₁
        nu = (TRAIN - 8) / (8 * (TRAIN - 1))
        w = spec.weight_decay * float(d @ d) if spec.optimizer == "adam" else 0.0
        c, tau = RATE * scale * (row["lambda_1"] + w), (RATE * scale) ** 2 * row["curvature_variance"] * nu
        if spec.optimizer != "adamw":
            expected = 1 - 2 * (1 + beta) * c + c**2 + tau * (1 + beta) / (1 - beta)
            assert row["stability_lhs"] == pytest.approx(expected, rel=1e-5)
            assert row["threshold"] == pytest.approx(2 * (1 + beta) / (RATE * scale) - w, rel=1e-5)
        else:  # the weights lose η w of themselves at each step
            assert row["threshold"] == pytest.approx((2 - RATE * 0.3) * 1.9 / (RATE * 0.1), rel=1e-7)


def test_plain_sgd_and_momentum_have_no_such_columns(tmp_path):
    for name, changes in {"sgd": {}, "momentum": {"momentum": 0.9}}.items():
        _, run, _ = made(tmp_path / name, "sgd", **changes)
        found, stability = tables(run)
        assert list(found.columns) == columns(3) and not any("preconditioned" in name for name in found.columns)
        assert list(stability["lambda_1"]) == list(found["lambda_1"])
        assert load_file(run / "eigenvectors" / "step-00000000.safetensors").keys() == {"e_H_1", "step"}


def test_float32_is_close_to_float64(tmp_path):
    _, run, data = made(tmp_path, "adam")
    exact, stable = tables(run)
    single = SETTINGS | {"tolerance": 1e-4}
    measure_hessian(run, data, run / "hessian.csv", CPU, math.inf, precision="float32", **single)
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=SETTINGS["batch_size"], precision="float32")
    found, stability = tables(run)
    assert list(found["preconditioned_lambda_1"]) == pytest.approx(list(exact["preconditioned_lambda_1"]), rel=1e-3)
    assert list(stability["curvature_variance"]) == pytest.approx(list(stable["curvature_variance"]), rel=0.02)


OWN = """
import torch
from breakeven.specs.condition import Condition

def build(parameters, *, beta: float = 0.9, power: float = 0.5):
    return torch.optim.Adam([tensor for _, tensor in parameters], betas=(beta, 0.999))
"""
CONDITION = """
def condition(*, beta: float):
    return Condition(momentum=beta, scale=1 - beta)
"""
PRECONDITIONER = """
def preconditioner(state, *, beta: float, power: float):
    t = float(state["step"])
    return (1 - beta**t) * ((state["exp_avg_sq"] / (1 - 0.999**t)) ** power + 1e-8)
"""


def own(folder, monkeypatch, text, file="my.py", **changes):
    """As `made`, with the optimizer of this ``file``, whose options are read once in a process."""
    monkeypatch.chdir(folder)
    (folder / file).write_text(text)
    return made(folder, f"{file}:build", **changes)


def test_one_of_the_users_own_is_the_same_where_it_says_the_same(tmp_path, monkeypatch):
    _, run, _ = own(tmp_path, monkeypatch, OWN + CONDITION + PRECONDITIONER)
    _, adam, _ = made(tmp_path / "adam", "adam")
    for ours, theirs in zip(tables(run), tables(adam), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12)


def test_the_one_in_the_documentation(tmp_path, monkeypatch):
    """Adam with β₁ = β₂."""
    text = Path(__file__).parents[2].joinpath("docs/examples/own_optimizer.py").read_text(encoding="utf-8")
    _, run, _ = own(tmp_path, monkeypatch, text, file="documented.py")
    _, adam, _ = made(tmp_path / "adam", "adam", optimizer_options={"beta2": 0.9})
    for ours, theirs in zip(tables(run), tables(adam), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12)


def test_one_of_the_users_own_with_other_options(tmp_path, monkeypatch):
    _, run, _ = own(tmp_path, monkeypatch, OWN + CONDITION + PRECONDITIONER, optimizer_options={"beta": 0.5})
    _, stability = tables(run)
    assert list(stability["threshold"]) == pytest.approx([2 * 1.5 / (RATE * 0.5)] * len(stability))


def test_without_a_condition_there_is_no_left_hand_side_but_a_reason(tmp_path, monkeypatch):
    _, run, _ = own(tmp_path, monkeypatch, OWN)
    found, stability = tables(run)
    assert list(found.columns) == columns(3) and stability["stability_lhs"].isna().all()
    assert (stability["note"] == Note.NO_CONDITION.code).all() and stability["threshold"].isna().all()
    assert stability["curvature_variance"].notna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            OWN + CONDITION.replace("return", "return 1 or"),
            "optimizer 'my.py:build': 'condition' returned a int; allowed: a breakeven.specs.condition.Condition",
        ),
        (
            OWN + PRECONDITIONER.replace("return", "return 0 *"),
            r"the optimizer's preconditioner of '0.weight' is not above 0; allowed: numbers above 0, one for each weight",
        ),
        (
            OWN + PRECONDITIONER.replace("exp_avg_sq", "square"),
            "optimizer 'my.py:build', in line 10: KeyError: 'square'",
        ),
        (
            OWN.replace("torch.optim.Adam(", "dict(x=").replace(", betas=(beta, 0.999)", ""),
            "optimizer 'my.py:build': it returned a dict; allowed: a torch.optim.Optimizer",
        ),
        (
            OWN.replace("Adam(", "LBFGS(").replace(", betas=(beta, 0.999)", ""),
            "optimizer 'my.py:build': the step of LBFGS needs a closure; allowed: one that takes none",
        ),
        (
            OWN.replace("[tensor for _, tensor in parameters]", "[torch.zeros(2, requires_grad=True)]"),
            "optimizer 'my.py:build': it moves something that is no parameter of the network",
        ),
        (OWN.replace("beta, 0.999", "beta, 2.0"), "optimizer 'my.py:build', in line 6: ValueError: Invalid beta"),
    ],
)
def test_a_mistake_in_ones_own_is_a_sentence(tmp_path, monkeypatch, text, message):
    with pytest.raises(UserError, match=message):
        own(tmp_path, monkeypatch, text)
