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
    previous = torch.linalg.qr(torch.randn(50, 5, generator=draws))[0].T
    gradient = torch.randn(50, generator=draws)
    for before, count, number in ((None, 1, 1), (previous, 1, 1), (None, 5, 2), (previous, 5, 2)):
        start = start_vectors(before, gradient, count, draws)
        assert start.shape == (number, 50) and start.isfinite().all() and (start.norm(dim=1) > 0.5).all()
    alone = start_vectors(previous[:1], gradient, 1, draws)[0]
    assert alone @ previous[0] > 0.5 and alone @ gradient / gradient.norm() > 0.5
    for scale in (1e-30, 1e30):  # whose squares are no numbers in float32
        assert torch.allclose(
            start_vectors(None, scale * gradient, 1, draws) @ gradient / gradient.norm(), torch.ones(1), atol=0.1
        )
    assert start_vectors(None, torch.zeros(50), 1, draws).norm() > 0  # at a stationary point the random part is left
