import pytest
import torch

from breakeven.spectra.lanczos import largest_eigenpairs

SPECTRA = {
    "decaying": [100 * 0.7**i for i in range(60)],
    "negative": [-50.0, -20.0, 10.0, 9.0, 8.0, 7.0, *(0.01 * i for i in range(100))],
    "all negative": [-float(i) for i in range(1, 50)],
    "close pair": [10.0, 10 - 1e-5, 5.0, 4.0, 3.0, *(0.3 * ((37 * i) % 100) / 100 for i in range(100))],
    "double": [5.0, 5.0, 3.0, 1.0, 0.5, *(0.01 * i for i in range(30))],
    "bulk": [2 * ((61 * i) % 200) / 200 - 1 for i in range(200)],
    "zero": [0.0] * 10,
    "low rank": [3.0, 2.0, *([0.0] * 40)],
}


def matrix(spectrum, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = len(spectrum)
    orthogonal, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return orthogonal @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ orthogonal.T


def solve(h, count, tolerance=1e-3, start=None, block=2, max_matvecs=500, seed=1):
    generator = torch.Generator().manual_seed(seed)
    if start is None:
        start = torch.randn(block, len(h), generator=generator, dtype=h.dtype)
    calls = []

    def matvec(vector):
        calls.append(1)
        return h @ vector

    pairs = largest_eigenpairs(matvec, start, count, tolerance, max_matvecs, generator)
    assert pairs.matvecs == len(calls)
    return pairs


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-9])
def test_known_spectra(name, count, tolerance):
    h = matrix(SPECTRA[name])
    expected = torch.tensor(sorted(SPECTRA[name], reverse=True)[:count], dtype=torch.float64)
    pairs = solve(h, count, tolerance)
    scale = max(float(expected.abs().max()), 1e-300)
    assert pairs.converged
    # the gap to the rest of the spectrum is itself an estimate, so that the error may be a little more than estimated
    assert ((pairs.values - expected).abs() <= 1.5 * tolerance * scale + 1e-13).all()
    if name == "decaying":
        assert pairs.matvecs < 35, "it is stopped by the error, not by the size"


@pytest.mark.parametrize("name", SPECTRA)
def test_residuals_and_vectors_are_what_they_are_said_to_be(name):
    h = matrix(SPECTRA[name])
    pairs = solve(h, 5, tolerance=1e-2)
    true = (pairs.vectors @ h - pairs.values[:, None] * pairs.vectors).norm(dim=1)
    assert torch.allclose(true, pairs.residuals, atol=1e-10)
    assert torch.allclose(pairs.vectors @ pairs.vectors.T, torch.eye(5, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(pairs.basis @ h @ pairs.basis.T, pairs.projected, atol=1e-10)


@pytest.mark.parametrize("seed", range(30))
def test_estimated_errors_bound_the_true_ones(seed):
    """On random matrices with a decaying spectrum, whenever it says so: within the tolerance."""
    generator = torch.Generator().manual_seed(seed)
    spectrum = (torch.randn(80, generator=generator) ** 3).tolist()
    expected = torch.tensor(sorted(spectrum, reverse=True)[:3], dtype=torch.float64)
    pairs = solve(matrix(spectrum, seed), 3, tolerance=1e-3, seed=seed + 100)
    assert pairs.converged
    assert ((pairs.values - expected).abs() <= 1e-3 * expected[0]).all()


def test_float32_products():
    h = matrix(SPECTRA["decaying"]).float()
    pairs = solve(h, 5, tolerance=1e-4)
    expected = torch.tensor(SPECTRA["decaying"][:5], dtype=torch.float64)
    assert pairs.converged and pairs.values.dtype == torch.float64
    assert ((pairs.values - expected).abs() < 1e-4 * 100).all()


@pytest.mark.parametrize("scale", [1e-30, 1e-25, 1e-24, 1e-22, 1.0, 1e22, 1e36])
def test_float32_products_whose_squares_are_no_numbers(scale):
    """A diagonal matrix, whose eigenvalues are known; squares of its products under- or overflow in float32."""
    expected = scale * torch.tensor(SPECTRA["decaying"], dtype=torch.float64)
    pairs = solve(torch.diag(expected.float()), 5, tolerance=1e-4)
    assert pairs.converged
    assert ((pairs.values - expected[:5]).abs() < 2e-4 * expected[0]).all()
    assert (pairs.residuals > 0).all() and (pairs.residuals < 0.1 * expected[0]).all()


def test_warm_start_costs_less():
    h = matrix(SPECTRA["decaying"])
    cold = solve(h, 3, tolerance=1e-6)
    neighbour = h + 1e-3 * matrix(SPECTRA["bulk"][:60], seed=5)
    warm = solve(neighbour, 3, tolerance=1e-6, start=cold.vectors)
    assert warm.converged and warm.matvecs < solve(neighbour, 3, tolerance=1e-6).matvecs


def test_what_does_not_converge_says_so():
    pairs = solve(matrix(SPECTRA["bulk"]), 5, tolerance=1e-9, max_matvecs=20)
    assert not pairs.converged and pairs.matvecs == 20
    assert (pairs.errors > 1e-9).any()


def test_product_that_is_not_finite():
    pairs = largest_eigenpairs(
        lambda v: v * float("nan"), torch.ones(1, 8), 3, 1e-3, 50, torch.Generator().manual_seed(0)
    )
    assert not pairs.converged and pairs.matvecs == 1
    assert pairs.values.isnan().all() and len(pairs.values) == 3


def test_smaller_than_wanted():
    pairs = solve(torch.diag(torch.tensor([2.0, -1.0], dtype=torch.float64)), 5)
    assert pairs.converged and torch.allclose(pairs.values, torch.tensor([2.0, -1.0], dtype=torch.float64))
