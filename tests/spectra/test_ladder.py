"""Every tiny network, up the ladder of oracles: dense matrices in float64 of the network built of PyTorch's own layers."""

import pytest
import torch

from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
from tests.spectra.networks import CASES, SMOOTH, case
from tests.spectra.oracles import dense_hessian, loss_of_vector, theta_of


def halves(made):
    """Two mini-batches, the second one shorter."""
    return list(zip(made.inputs.split(6), made.targets.split(6), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_hessian_equals_the_dense_one(name):
    made = case(name)
    order = made.order()
    dense = dense_hessian(made.oracle, halves(made))[order][:, order]
    h = Hessian(made.model, halves(made))
    vectors = torch.randn(5, len(dense), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    for vector in vectors:
        torch.testing.assert_close(h.matvec(vector), dense @ vector, rtol=0, atol=1e-12 * float(dense.norm()))
    pairs = largest_eigenpairs(h.matvec, vectors[:2], 5, 1e-11, len(dense), torch.Generator().manual_seed(0))
    expected = torch.linalg.eigvalsh(dense).flip(0)[:5]
    assert pairs.converged
    torch.testing.assert_close(pairs.values, expected, rtol=0, atol=1e-10 * float(expected[0]))


@pytest.mark.parametrize("name", SMOOTH)
def test_curvature_equals_finite_differences_of_the_loss(name):
    """No derivative of PyTorch's at all: the oracle's loss at five points along a direction."""
    made = case(name)
    theta, order = theta_of(made.oracle), made.order()
    direction = torch.randn(len(theta), dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    direction /= direction.norm()

    @torch.no_grad()
    def loss(a: float) -> float:
        at = theta.index_add(0, order, a * direction)
        return sum(float(loss_of_vector(made.oracle, *b)(at)) * len(b[1]) for b in halves(made)) / len(made.targets)

    step = 2e-3
    points = zip((-2, -1, 0, 1, 2), (-1, 16, -30, 16, -1), strict=True)
    difference = sum(weight * loss(k * step) for k, weight in points) / (12 * step**2)
    h = Hessian(made.model, halves(made))
    assert float(direction @ h.matvec(direction)) == pytest.approx(difference, rel=1e-5, abs=1e-7)
