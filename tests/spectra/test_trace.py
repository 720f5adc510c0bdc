import pytest
import torch

from breakeven.spectra.trace import Trace, hutchinson
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
    estimates = torch.tensor([each.estimate for each in found])
    errors = torch.tensor([each.error for each in found])
    spread = estimates.std()
    assert abs(estimates.mean() - h.trace()) < 4 * spread / 300**0.5
    assert errors.square().mean().sqrt() == pytest.approx(spread.item(), rel=0.15)


def test_exact_where_the_rest_is_zero():
    h = matrix(SPECTRA["low rank"])
    _, vectors = torch.linalg.eigh(h)
    basis = vectors[:, -2:].T
    found = hutchinson(lambda v: h @ v, basis, basis @ h @ basis.T, 5, torch.Generator().manual_seed(0))
    assert found.estimate == pytest.approx(5.0, abs=1e-12) and found.error < 1e-12
    assert found.low <= found.estimate <= found.high <= found.low + 1e-11


def test_exact_where_the_basis_is_everything():
    h = matrix([3.0, 2.0, -1.0])
    basis = torch.eye(3, dtype=torch.float64)
    found = hutchinson(lambda v: h @ v, basis, h, 5, torch.Generator())
    assert found == Trace(pytest.approx(4.0), 0.0, found.estimate, found.estimate)


def outliers_above_a_bulk(draws):
    """A dense matrix whose largest eigenvalue only the basis knows: the others make the samples skewed."""
    outliers = 2 + 18 * torch.rand(8, generator=draws, dtype=torch.float64)
    values = torch.cat([outliers, 0.05 * torch.randn(112, generator=draws, dtype=torch.float64)])
    vectors = torch.linalg.qr(torch.randn(120, 120, generator=draws, dtype=torch.float64)).Q
    return (vectors * values) @ vectors.T, vectors[:, outliers.argmax(), None].T


@pytest.mark.parametrize("probes", [1, 2, 3, 5, 10])
def test_the_interval_covers_the_trace(probes):
    """Of 1,200 estimates 95 % or more; ±2 standard errors cover 62 to 88 %. `benchmarks/calibrate_trace.py` has more."""
    covered, by_errors, draws = [], [], torch.Generator().manual_seed(probes)
    for _ in range(30):
        h, basis = outliers_above_a_bulk(draws)
        for _ in range(40):
            found = hutchinson(h.mv, basis, basis @ h @ basis.T, probes, draws)
            covered.append(found.low <= float(h.trace()) <= found.high)
            by_errors.append(abs(found.estimate - float(h.trace())) <= 2 * found.error)
    assert sum(covered) >= 0.93 * len(covered)
    assert sum(by_errors) < 0.93 * len(by_errors)


def test_the_interval_is_not_wider_than_it_has_to_be():
    """Half of it is 2.5 times sqrt(2/m) ‖B‖, the standard error but for the diagonal of B."""
    h, basis = outliers_above_a_bulk(torch.Generator().manual_seed(0))
    rest = h - basis.T @ basis @ h
    exact = (2 / 6) ** 0.5 * float(rest.norm())
    found = [hutchinson(h.mv, basis, basis @ h @ basis.T, 6, torch.Generator().manual_seed(k)) for k in range(200)]
    assert sum(each.high - each.low for each in found) / 2 / 200 == pytest.approx(2.5 * exact, rel=0.05)
