import pytest
import torch

from breakeven.spectra.trace import hutchinson
from tests.spectra.test_lanczos import SPECTRA, matrix


@pytest.mark.parametrize("name", ["decaying", "negative", "bulk"])
def test_unbiased_with_an_honest_error(name):
    """Over 300 estimates: the mean is the trace, and the stated errors are the spread."""
    h = matrix(SPECTRA[name])
    basis = torch.linalg.qr(torch.randn(len(h), 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))[
        0
    ].T
    projected = basis @ h @ basis.T
    found = [
        hutchinson(lambda v: h @ v, basis, projected, 8, torch.Generator().manual_seed(seed)) for seed in range(300)
    ]
    estimates = torch.tensor([estimate for estimate, _ in found])
    errors = torch.tensor([error for _, error in found])
    spread = estimates.std()
    assert abs(estimates.mean() - h.trace()) < 4 * spread / 300**0.5
    assert errors.square().mean().sqrt() == pytest.approx(spread.item(), rel=0.15)


def test_exact_where_the_rest_is_zero():
    h = matrix(SPECTRA["low rank"])
    _, vectors = torch.linalg.eigh(h)
    basis = vectors[:, -2:].T
    estimate, error = hutchinson(lambda v: h @ v, basis, basis @ h @ basis.T, 5, torch.Generator().manual_seed(0))
    assert estimate == pytest.approx(5.0, abs=1e-12) and error < 1e-12


def test_exact_where_the_basis_is_everything():
    h = matrix([3.0, 2.0, -1.0])
    basis = torch.eye(3, dtype=torch.float64)
    assert hutchinson(lambda v: h @ v, basis, h, 5, torch.Generator()) == (pytest.approx(4.0), 0.0)
