import numpy as np
import pytest
import torch
from torch.nn.utils import vector_to_parameters

from breakeven.networks.batch_norm import set_measuring
from breakeven.networks.simple_cnn import simple_cnn, simple_cnn_bn
from breakeven.spectra import gram_spectrum as covariance
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from tests.spectra.oracles import dense_covariance, dense_gradients, examples, theta_of, tiny_cnn


def same_network(batch_norm: bool, dtype: torch.dtype):
    """Our SimpleCNN and the oracle's, built of PyTorch's own layers, with the same weights."""
    oracle = tiny_cnn(batch_norm).double()
    builder = simple_cnn_bn if batch_norm else simple_cnn
    model = builder((1, 8, 8), 3, channels=(2, 3), dense=4).to(dtype)
    vector_to_parameters(theta_of(oracle).to(dtype), model.parameters())
    set_measuring(model)
    return model, oracle


def gram(rows):
    return rows.double() @ rows.double().T


def batches_of(size: int, count: int, dtype: torch.dtype = torch.float64):
    inputs, targets = examples(size * count)
    return list(zip(inputs.to(dtype).split(size), targets.split(size), strict=True))


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_spectrum_equals_that_of_the_dense_matrix(batch_norm, dtype, tolerance):
    model, oracle = same_network(batch_norm, dtype)
    rows = dense_gradients(oracle, batches_of(5, 7))
    dense = torch.linalg.eigvalsh(dense_covariance(rows)).flip(0)

    ours = covariance.spectrum(mini_batch_gram(model, batches_of(5, 7, dtype), 100))

    assert len(ours.eigenvalues) == 6
    assert torch.allclose(ours.eigenvalues, dense[:6], rtol=tolerance, atol=tolerance * 1e-3 * float(dense[0]))
    assert ours.eigenvalues[0].item() == pytest.approx(dense[0].item(), rel=tolerance)
    assert ours.lambda_star == pytest.approx(dense[5].item(), rel=tolerance)
    assert ours.trace == pytest.approx(dense.sum().item(), rel=tolerance)
    assert dense[6:].abs().max() < 1e-12 * dense[0], "K of L gradients has at most L - 1 non-zero eigenvalues"


@pytest.mark.parametrize("count", [7, 4])
def test_g_over_g5_equals_the_projection_on_dense_eigenvectors(count):
    model, oracle = same_network(False, torch.float64)
    rows = dense_gradients(oracle, batches_of(5, count))
    vectors = np.linalg.eigh(dense_covariance(rows).numpy())[1][:, ::-1][:, : min(5, count - 1)]
    projected = rows.numpy() @ vectors @ vectors.T
    expected = np.mean(np.linalg.norm(rows.numpy(), axis=1) / np.linalg.norm(projected, axis=1))

    ours = covariance.spectrum(mini_batch_gram(model, batches_of(5, count), 100))

    assert ours.g_over_g5 == pytest.approx(expected, rel=1e-9)
    assert ours.g_over_g5 >= 1


@pytest.mark.parametrize("seed", range(20))
def test_properties_of_random_gradients(seed):
    """Positive semidefinite, at most L - 1 values, invariant under order and a common shift."""
    generator = torch.Generator().manual_seed(seed)
    count = int(torch.randint(2, 12, (1,), generator=generator))
    rows = torch.randn(count, 30, generator=generator, dtype=torch.float64)
    found = covariance.spectrum(gram(rows))

    assert len(found.eigenvalues) == count - 1
    assert (found.eigenvalues >= 0).all()
    assert found.trace == pytest.approx(rows.var(dim=0, correction=0).sum().item(), rel=1e-12)
    reordered = covariance.spectrum(gram(rows[torch.randperm(count, generator=generator)]))
    assert torch.allclose(reordered.eigenvalues, found.eigenvalues, rtol=1e-9, atol=1e-13)
    shifted = covariance.spectrum(gram(rows + torch.randn(30, generator=generator, dtype=torch.float64)))
    assert torch.allclose(shifted.eigenvalues, found.eigenvalues, rtol=1e-8, atol=1e-12)


def test_eigenvalues_below_rounding_are_zero():
    """Of six gradients in a plane, K has two eigenvalues; what rounding leaves of the others is no number of theirs."""
    plane = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(torch.randn(30, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    found = covariance.spectrum(gram(plane @ basis.T))
    assert (found.eigenvalues[:2] > 0.01).all() and found.eigenvalues[2:].tolist() == [0, 0, 0]
    assert found.lambda_star == 0 and found.trace == pytest.approx(plane.var(dim=0, correction=0).sum().item())
    assert found.g_over_g5 == pytest.approx(1)


def test_equal_gradients_have_no_spectrum_and_no_ratio():
    found = covariance.spectrum(gram(torch.ones(4, 10, dtype=torch.float64)))
    assert found.eigenvalues.tolist() == [0, 0, 0]
    assert found.trace == 0
    assert np.isnan(found.g_over_g5)


def test_gradients_that_overflow_give_nan():
    rows = torch.tensor([[1.0, float("inf")], [2.0, 3.0], [0.0, 1.0]])
    found = covariance.spectrum(gram(rows))
    assert found.eigenvalues.isnan().all() and len(found.eigenvalues) == 2
    assert np.isnan(found.trace) and np.isnan(found.lambda_star)
