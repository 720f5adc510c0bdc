"""The stage on a tiny run, and where the eigensolver starts."""

import math

import pandas as pd
import pytest
import torch

from breakeven.measurements.hessian import columns, measure_hessian, start_vectors
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.run import run_id
from breakeven.spectra.graph_memory import graph_bytes
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
