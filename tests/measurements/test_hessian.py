"""The stage on a tiny run, and where the eigensolver starts."""

import math

import pandas as pd
import pytest
import torch

from breakeven.measurements import hessian as stage
from breakeven.measurements.hessian import columns, measure_hessian, start_vectors
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.run import run_id
from breakeven.spectra.graph_memory import graph_bytes
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.store.errors import MeasurementError
from breakeven.store.notes import Note
from breakeven.training.train import train
from tests.spectra.oracles import dense_hessian
from tests.tiny import tiny_dataset, tiny_spec

CPU = torch.device("cpu")
SETTINGS = {"tolerance": 1e-6, "max_matvecs": 400, "trace_probes": 2, "batch_size": 8, "precision": "float64"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder, spec = tmp_path_factory.mktemp("trained"), tiny_spec(learning_rate=0.4)
    data, run = tiny_dataset(folder / "data"), folder / run_id(spec)
    train(spec, data, run, folder / "state", CPU, "")
    return run, data


def table(trained, eigenvalues, memory_mb=math.inf, **settings):
    run, data = trained
    measure_hessian(run, data, run / "hessian.csv", CPU, memory_mb, eigenvalues=eigenvalues, **SETTINGS | settings)
    return pd.read_csv(run / "hessian.csv")


@pytest.mark.parametrize("eigenvalues", [1, 4])
def test_every_snapshot_against_the_dense_matrix(trained, eigenvalues):
    run, data = trained
    found = table(trained, eigenvalues)
    assert list(found.columns) == columns(eigenvalues)
    assert found["converged"].all()
    for measured, row in zip(
        measured_snapshots(run, data, "float64", CPU, "test"), found.to_dict("records"), strict=True
    ):
        dense = torch.linalg.eigvalsh(dense_hessian(measured.model, measured.batches(8))).flip(0)
        for i in range(eigenvalues):
            assert row[f"lambda_{i + 1}"] == pytest.approx(dense[i].item(), abs=2e-6 * dense[0].item())


def test_the_conditioning_of_h_by_the_paper_and_by_the_estimated_trace(trained):
    """Against the dense matrix; the estimated trace within its error."""
    run, data = trained
    found = table(trained, 5, trace_probes=60)
    for measured, row in zip(
        measured_snapshots(run, data, "float64", CPU, "test"), found.to_dict("records"), strict=True
    ):
        dense = torch.linalg.eigvalsh(dense_hessian(measured.model, measured.batches(8))).flip(0)
        assert row["trace_top_5_over_lambda_1"] == pytest.approx(float(dense[:5].sum() / dense[0]), rel=1e-5)
        error = row["trace_error"] / float(dense[0])
        assert abs(row["trace_over_lambda_1"] - float(dense.sum() / dense[0])) <= 4 * error + 1e-6
    assert table(trained, 4)["trace_top_5_over_lambda_1"].isna().all()


def test_where_the_largest_eigenvalue_is_not_positive_there_is_no_conditioning(trained, monkeypatch):
    """H is −diag(1, 2, 3, …), of a loss that curves downward everywhere."""
    monkeypatch.setattr(stage.Hessian, "matvec", lambda self, vector: -torch.arange(1, len(vector) + 1) * vector)
    found = table(trained, 5, max_matvecs=10_000)
    assert (found["lambda_1"] < 0).all() and found["trace"].notna().all()
    assert found[["trace_over_lambda_1", "trace_top_5_over_lambda_1"]].isna().all(axis=None)
    assert (found["note"] == Note.H_NOT_POSITIVE.code).all()


def test_the_memory_limit_changes_nothing(trained):
    run, data = trained
    measured = next(iter(measured_snapshots(run, data, "float64", CPU, "test")))
    one = 2 * graph_bytes(measured.model, measured.inputs[:4], measured.targets[:4]) / 4 / 2**20
    whole, limited = table(trained, 4), table(trained, 4, memory_mb=3 * one)
    pd.testing.assert_frame_equal(whole, limited, rtol=1e-8)


def test_what_did_not_converge_says_so(trained):
    found = table(trained, 4, max_matvecs=5)
    assert (found["matvecs"] == 5).all() and not found["converged"].any()
    assert (found["residual_4"] > 0).all()


def test_start_vectors():
    draws = torch.Generator().manual_seed(0)
    previous = torch.linalg.qr(torch.randn(500, 7, generator=draws))[0].T
    gradient = torch.randn(500, generator=draws)
    direction = gradient / gradient.norm()
    cold, warm = start_vectors(None, gradient, draws), start_vectors(previous, gradient, draws)
    assert cold.shape == (4, 500) and (cold.norm(dim=1) > 0.9).all(), (
        "so many random vectors hardly ever lack an eigenvector"
    )
    assert warm.shape == (2, 500) and warm[-1] @ direction > 0.5 and cold[-1] @ direction > 0.5
    assert ((warm @ previous.T).abs().max(dim=0).values > 0.5).all(), "each Ritz vector is in one of them"
    assert (start_vectors(previous[:3], gradient, draws) @ previous[1] > 0.5).tolist() == [False, True]
    for scale in (1e-30, 1e30):  # whose squares are no numbers in float32
        start = start_vectors(previous, scale * gradient, torch.Generator().manual_seed(1))
        assert torch.allclose(start, start_vectors(previous, gradient, torch.Generator().manual_seed(1)), atol=1e-6)
    assert (start_vectors(previous, torch.zeros(500), draws).norm(dim=1) > 0).all()  # a stationary point


def test_errors_are_written_and_what_is_asymmetric_is_refused(trained, monkeypatch):
    found = table(trained, 4)
    scale = SETTINGS["tolerance"] * found["lambda_1"]
    assert all((found[f"error_{i}"] <= scale).all() for i in (1, 2, 3, 4))
    product = Hessian.matvec
    monkeypatch.setattr(Hessian, "matvec", lambda self, v: product(self, v) + 0.1 * product(self, v.roll(1)))
    with pytest.raises(MeasurementError, match=r"H is not symmetric .*weight_norm"):
        table(trained, 4)


def test_an_eigenvalue_that_nothing_points_to():
    """2.6, along which neither the snapshot before nor the gradient has a part, above 2.0015, which both point to."""
    diagonal = torch.tensor(
        [2.0015, 2.6, *(0.4 * ((37 * i) % 100) / 100 - 0.1 for i in range(298))], dtype=torch.float64
    )
    identity = torch.eye(300, dtype=torch.float64)
    wrong = 0
    for seed in range(100):
        draws = torch.Generator().manual_seed(seed)
        start = start_vectors(identity[[0, 2, 3]], identity[0], draws)
        pairs = largest_eigenpairs(lambda v: diagonal * v, start, 1, 1e-3, 200, draws)
        wrong += abs(float(pairs.values[0]) - 2.6) > 2.6e-3
    assert wrong <= 4, "one product fewer: 20; a start of one vector: all"
