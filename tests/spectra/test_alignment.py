"""How a direction lies to K, against the dense K and its eigenvectors."""

import math

import pytest
import torch

from breakeven.spectra.alignment import alignment
from tests.spectra.oracles import dense_covariance


def rows_and_direction(count=7, dimension=11, seed=0):
    draws = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, dimension, generator=draws, dtype=torch.float64) + 3
    e = torch.randn(dimension, generator=draws, dtype=torch.float64)
    return rows, e / e.norm()


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_dense_covariance(seed):
    rows, e = rows_and_direction(seed=seed)
    k = dense_covariance(rows)
    values, vectors = torch.linalg.eigh(k)
    found = alignment(rows @ rows.T, rows @ e)
    assert found.variance == pytest.approx(float(e @ k @ e), rel=1e-10)
    assert found.lambda_1 == pytest.approx(float(values[-1]), rel=1e-10)
    assert found.cosine == pytest.approx(abs(float(vectors[:, -1] @ e)), rel=1e-8)


def test_the_top_eigenvector_is_aligned_with_itself_and_its_opposite():
    rows, _ = rows_and_direction()
    top = torch.linalg.eigh(dense_covariance(rows))[1][:, -1]
    for e in (top, -top):
        found = alignment(rows @ rows.T, rows @ e)
        assert found.cosine == pytest.approx(1, abs=1e-9) and found.variance == pytest.approx(found.lambda_1, rel=1e-9)


def test_without_variance_there_is_no_direction():
    found = alignment(torch.full((4, 4), 2.0, dtype=torch.float64), torch.ones(4))
    assert math.isnan(found.cosine) and found.variance == 0 and found.lambda_1 == 0


def test_what_is_not_finite_is_not_computed():
    gram = torch.full((4, 4), 2.0, dtype=torch.float64)
    gram[0, 0] = math.inf
    found = alignment(gram, torch.ones(4))
    assert math.isnan(found.cosine) and math.isnan(found.lambda_1)
