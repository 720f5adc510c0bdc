import gc
import weakref

import pytest
import torch
from torch.nn import Linear

from breakeven.spectra import hessian as module
from breakeven.spectra.graph_memory import graph_bytes
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import largest_eigenpairs
from breakeven.spectra.per_example.routes import make_plan
from breakeven.store.errors import UserError
from tests.spectra.oracles import dense_hessian, examples
from tests.spectra.test_gram_spectrum import same_network


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_eigenvalues_equal_those_of_the_dense_matrix(batch_norm, dtype, tolerance):
    model, oracle = same_network(batch_norm, dtype)
    inputs, targets = examples(23)
    exact = list(zip(inputs.split(10), targets.split(10), strict=True))  # the last one is shorter
    dense = torch.linalg.eigvalsh(dense_hessian(oracle, exact)).flip(0)

    h = Hessian(model, [(x.to(dtype), y) for x, y in exact])
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(2, len(h.gradient), generator=generator).to(dtype)
    pairs = largest_eigenpairs(h.matvec, start, 5, tolerance / 10, 300, generator)

    assert pairs.converged
    assert pairs.values[0].item() == pytest.approx(dense[0].item(), rel=tolerance)
    assert torch.allclose(pairs.values, dense[:5], rtol=0, atol=tolerance * float(dense[0]))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_products_equal_those_of_the_dense_matrix(batch_norm):
    model, oracle = same_network(batch_norm, torch.float64)
    batches = [examples(7)]
    dense = dense_hessian(oracle, batches)
    h = Hessian(model, batches)
    vector = torch.randn(len(dense), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(h.matvec(vector), dense @ vector, atol=1e-12)
    assert torch.allclose(h.matvec(vector), h.matvec(vector), rtol=0, atol=0)


def test_batches_change_nothing_without_batch_norm():
    model, _ = same_network(False, torch.float64)
    inputs, targets = examples(23)
    vector = torch.randn(
        sum(p.numel() for p in model.parameters()), dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    order = torch.randperm(23, generator=torch.Generator().manual_seed(4))
    whole = Hessian(model, [(inputs, targets)])
    for size, permutation in [(10, torch.arange(23)), (1, torch.arange(23)), (7, order)]:
        parts = list(zip(inputs[permutation].split(size), targets[permutation].split(size), strict=True))
        cut = Hessian(model, parts)
        assert torch.allclose(cut.matvec(vector), whole.matvec(vector), atol=1e-13)
        assert torch.allclose(cut.gradient, whole.gradient, atol=1e-14)


def test_softmax_regression_in_closed_form():
    """H = (1/n) Σ x xᵀ ⊗ (diag(p) − p pᵀ) for logits W x; here with a bias, as an input of one."""
    inputs, targets = examples(12, shape=(4,))
    model = Linear(4, 3).double()
    extended = torch.cat([inputs, torch.ones(12, 1, dtype=torch.float64)], dim=1)
    p = model(inputs).softmax(dim=1).detach()
    expected = sum(
        torch.kron(torch.diag(q) - torch.outer(q, q), torch.outer(x, x)) for q, x in zip(p, extended, strict=True)
    ) / len(inputs)
    # ours orders the weights (class by class) before the biases
    weights = [c * 5 + i for c in range(3) for i in range(4)]
    order = torch.tensor(weights + [c * 5 + 4 for c in range(3)])
    h = Hessian(model, [(inputs, targets)])
    ours = torch.stack([h.matvec(column) for column in torch.eye(15, dtype=torch.float64)])
    assert torch.allclose(ours, expected[order][:, order], atol=1e-14)


def test_measuring_leaves_the_running_averages_alone():
    model, _ = same_network(True, torch.float64)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    h = Hessian(model, [examples(7)])
    h.matvec(torch.ones_like(h.gradient))
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


# ------------------------------------------------------------------ within a memory limit


@pytest.mark.parametrize("limit_of_examples", [1, 2.5, 10, 22])
def test_the_memory_limit_changes_nothing(limit_of_examples):
    """Graphs of so many examples fit: the gradient is built again at each product, in pieces, with the same result."""
    model, _ = same_network(False, torch.float64)
    inputs, targets = examples(23)
    batches = list(zip(inputs.split(10), targets.split(10), strict=True))
    whole = Hessian(model, batches)
    one = 2 * graph_bytes(model, inputs[:4], targets[:4]) / 4 / 2**20
    limited = Hessian(model, batches, memory_mb=limit_of_examples * one * 1.001)
    assert whole.kept and not limited.kept
    vector = torch.randn(whole.gradient.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(limited.gradient, whole.gradient, atol=1e-14)
    assert torch.allclose(limited.matvec(vector), whole.matvec(vector), atol=1e-13)
    spectra = []
    for h in (whole, limited):
        draws = torch.Generator().manual_seed(0)
        start = torch.randn(2, len(vector), generator=draws, dtype=torch.float64)
        spectra.append(largest_eigenpairs(h.matvec, start, 5, 1e-9, 300, draws).values)
    assert torch.allclose(*spectra, rtol=1e-10)


def test_mini_batches_of_batch_norm_are_not_cut():
    model, _ = same_network(True, torch.float64)
    inputs, targets = examples(20)
    batches = list(zip(inputs.split(10), targets.split(10), strict=True))
    one = 2 * graph_bytes(model, inputs[:4], targets[:4]) / 4 / 2**20
    whole, limited = Hessian(model, batches), Hessian(model, batches, memory_mb=11 * one)
    assert not limited.kept
    vector = torch.ones_like(whole.gradient)
    assert torch.allclose(limited.matvec(vector), whole.matvec(vector), atol=1e-12)
    with pytest.raises(
        UserError, match=r"^memory_mb: .* mini-batch of 10 examples, which takes about \d+ MB: raise it, or"
    ):
        Hessian(model, batches, memory_mb=9 * one)


def test_a_limit_below_one_example_is_refused():
    model, _ = same_network(False, torch.float64)
    with pytest.raises(
        UserError, match=r"^memory_mb: 0.001 is too small .* one example, which takes about 1 MB: raise it$"
    ):
        Hessian(model, [examples(3)], memory_mb=0.001)


def test_graph_bytes_grow_with_the_examples():
    model, _ = same_network(False, torch.float32)
    inputs, targets = examples(32)
    few, many = (graph_bytes(model, inputs[:n].float(), targets[:n]) for n in (8, 32))
    assert many == pytest.approx(4 * few, rel=0.05)
    activations = 8 * 4 * (2 * 64 + 2 * 64)  # 8 examples in float32, at least the outputs of the first two convolutions
    assert few > activations


def living_tensors():
    gc.collect()
    return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())


@pytest.mark.parametrize("count", [graph_bytes, make_plan])
def test_a_counted_graph_is_freed(count):
    """One that its own hooks kept alive was 5 MB for each snapshot of a ResNet-32."""
    model, _ = same_network(False, torch.float64)
    inputs, targets = examples(4)
    before = living_tensors()
    for _ in range(3):
        count(model, inputs, targets)
    assert living_tensors() <= before


def test_a_single_product_keeps_no_graph(monkeypatch):
    """The same numbers as those of the operator, with one mini-batch's graph in memory at a time."""
    model, _ = same_network(False, torch.float64)
    inputs, targets = examples(23)
    batches = list(zip(inputs.split(10), targets.split(10), strict=True))
    vector = torch.randn(
        sum(p.numel() for p in model.parameters()), dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    expected = Hessian(model, batches).matvec(vector)
    ends = []  # of the graphs

    def noted(*arguments):
        assert not [end for end in ends if end() is not None]
        gradient = original(*arguments)
        ends.append(weakref.ref(gradient))
        return gradient

    original = module._gradient
    monkeypatch.setattr(module, "_gradient", noted)
    assert torch.equal(module.product(model, batches, vector), expected)
    assert len(ends) == len(batches) == 3
