"""The five largest eigenvalues of H and K of SimpleCNN against other libraries: curvlinops with SciPy, and PyHessian."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import eigsh

from breakeven.networks.simple_cnn import simple_cnn
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs

COUNT = 5


@pytest.fixture(scope="module")
def problem():
    """SimpleCNN, small enough for float64, on random pictures; trained a little, so that some eigenvalues stand out."""
    torch.manual_seed(0)
    model = simple_cnn((3, 8, 8), 4, channels=(4, 6), dense=8).double()
    draws = torch.Generator().manual_seed(1)
    inputs = torch.randn(40, 3, 8, 8, generator=draws, dtype=torch.float64)
    targets = torch.randint(0, 4, (40,), generator=draws)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
    model.zero_grad()
    return model, inputs, targets


@pytest.fixture(scope="module")
def ours(problem):
    model, inputs, targets = problem
    h = Hessian(model, [(inputs[:25], targets[:25]), (inputs[25:], targets[25:])])  # the last one is shorter
    draws = torch.Generator().manual_seed(2)
    start = torch.randn(2, len(h.gradient), generator=draws, dtype=torch.float64)
    pairs = largest_eigenpairs(h.matvec, start, COUNT, 1e-9, 500, draws)
    assert pairs.converged
    return pairs.values.numpy()


def test_curvlinops(problem, ours):
    from curvlinops import HessianLinearOperator

    model, inputs, targets = problem
    operator = HessianLinearOperator(
        model, torch.nn.CrossEntropyLoss(), list(model.parameters()), [(inputs, targets)], progressbar=False
    )
    theirs = eigsh(operator.to_scipy(), k=COUNT, which="LA", tol=1e-10, return_eigenvectors=False)
    np.testing.assert_allclose(ours, np.sort(theirs)[::-1], rtol=1e-8)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pyhessian(problem, ours):
    """Its power iteration finds the largest by magnitude: of eight, the largest five are the algebraically largest here."""
    from pyhessian import hessian

    model, inputs, targets = problem
    torch.manual_seed(3)
    found, _ = hessian(model, torch.nn.CrossEntropyLoss(), data=(inputs, targets), cuda=False).eigenvalues(
        maxIter=3000, tol=1e-9, top_n=8
    )
    model.zero_grad()
    np.testing.assert_allclose(ours, np.sort(found)[::-1][:COUNT], rtol=1e-4)
