import pytest
import torch

from breakeven.spectra.density import quadrature
from tests.spectra.test_lanczos import SPECTRA, matrix


def density_of(h, probes, steps, seed=0):
    like = torch.zeros(len(h), dtype=torch.float64)
    return quadrature(lambda v: h @ v, like, probes, steps, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SPECTRA)
def test_moments_of_each_probe_are_exact(name):
    """Σ w θ^k = zᵀ H^k z for k < 2m, where z is the probe, drawn again here from the same generator."""
    h = matrix(SPECTRA[name])
    nodes, weights = density_of(h, probes=1, steps=4)
    z = torch.randint(0, 2, (len(h),), generator=torch.Generator().manual_seed(0)).mul(2).sub(1).double()
    z, scale = z / len(h) ** 0.5, max(1.0, float(h.norm()))
    for k in range(8):
        expected = float(z @ torch.linalg.matrix_power(h, k) @ z)
        assert float((weights * nodes**k).sum()) == pytest.approx(expected, rel=1e-8, abs=1e-10 * scale**k)


@pytest.mark.parametrize("name", ["negative", "bulk"])
def test_the_cumulative_density_is_that_of_the_eigenvalues(name):
    """The share of eigenvalues below any level, to the statistical error."""
    h = matrix(SPECTRA[name])
    nodes, weights = density_of(h, probes=60, steps=40)
    eigenvalues = torch.linalg.eigvalsh(h)
    levels = (eigenvalues[1:] + eigenvalues[:-1]) / 2
    for level in levels[:: len(levels) // 8]:
        share = float((eigenvalues < level).double().mean())
        assert float(weights[nodes < level].sum()) == pytest.approx(share, abs=0.04)


def test_weights_add_up_to_one_and_estimate_the_trace():
    h = matrix(SPECTRA["bulk"]) + torch.eye(200, dtype=torch.float64)
    nodes, weights = density_of(h, probes=60, steps=10)
    assert float(weights.sum()) == pytest.approx(1, rel=1e-12)
    assert (weights >= 0).all() and nodes.shape == weights.shape == (60, 10)
    assert float((weights * nodes).sum()) == pytest.approx(float(h.trace()) / 200, rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_but_zeros(dtype):
    nodes, weights = quadrature(lambda v: 0 * v, torch.zeros(10, dtype=dtype), 3, 4, torch.Generator())
    assert nodes.shape == weights.shape == (3, 4)
    assert (nodes == 0).all() and float(weights.sum()) == pytest.approx(1)


def test_a_product_that_is_not_finite():
    nodes, _ = quadrature(lambda v: v * torch.nan, torch.zeros(5), 2, 3, torch.Generator())
    assert nodes.isnan().all()
