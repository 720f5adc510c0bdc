"""Inner products of gradients of embeddings by words in common, against those of ordinary gradients of each example."""

import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from breakeven.spectra.per_example.embedding_factors import embedding_inner_products, same_word
from breakeven.spectra.per_example.gram import per_example_gram
from breakeven.spectra.per_example.positions import over_positions
from breakeven.spectra.per_example.routes import make_plan
from breakeven.store.errors import MeasurementError
from tests.spectra.per_example.test_gram import PLENTY, assert_exact, assert_same, dense_rows

WORDS, NUMBERS, CLASSES = 9, 4, 3


class Reader(nn.Module):
    """Words, embedding, something that is not linear, classes; ``tied``: the embedding's vectors are used once more."""

    def __init__(self, words=WORDS, tied=False, **options):
        super().__init__()
        self.embedding, self.output = nn.Embedding(words, NUMBERS, **options), nn.Linear(NUMBERS, CLASSES)
        self.tied = tied

    def forward(self, words):
        x = self.embedding(words).reshape(len(words), -1, NUMBERS)
        x = (x * torch.linspace(1, 2, x.shape[1], dtype=x.dtype)[:, None]).tanh()
        if self.tied:
            x = linear(x, self.embedding.weight) @ self.embedding.weight
        return self.output(x.sum(dim=1))


def batch(shape, words=WORDS, count=8):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randint(0, words, (count, *shape), generator=generator)
    return inputs, torch.randint(0, CLASSES, (count,), generator=generator)


def made(**options):
    torch.manual_seed(0)
    return Reader(**options).double()


def way(model, inputs, targets):
    plan = make_plan(model, inputs, targets)
    assert plan is not None
    [layer] = [layer for layer in plan.layers if layer.module is model.embedding] or [None]
    assert (layer is None) == ("embedding.weight" in plan.rest)
    return "directly" if layer is None else "factors" if layer.factored else "gradients"


@pytest.mark.parametrize("shape", [(), (1,), (6,), (2, 3)], ids=str)
@pytest.mark.parametrize("padding", [None, 0, -1])
def test_equals_ordinary_gradients(shape, padding):
    """With words that an example repeats, that none has, and with none in common."""
    model, (inputs, targets) = made(padding_idx=padding), batch(shape)
    inputs[0] = 3  # the same word everywhere
    inputs[1] = WORDS - 1
    assert way(model, inputs, targets) == "factors"
    assert_exact(model, inputs, targets)


def test_few_words_and_many_positions_keep_gradients():
    for padding in (None, 1):
        model, (inputs, targets) = made(words=2, padding_idx=padding), batch((6,), words=2)
        assert way(model, inputs, targets) == "gradients"
        assert_exact(model, inputs, targets)


def test_a_tied_embedding_goes_directly():
    model, (inputs, targets) = made(tied=True), batch((6,))
    assert way(model, inputs, targets) == "directly"
    assert_exact(model, inputs, targets)


def test_gradients_that_depend_on_the_mini_batch_are_refused():
    """A word's gradient is divided by how often the mini-batch has it."""
    model, (inputs, targets) = made(scale_grad_by_freq=True), batch((6,))
    assert way(model, inputs, targets) == "directly"
    with pytest.raises(MeasurementError, match="contradict the gradient of a weighted sum"):
        per_example_gram(model, inputs, targets, PLENTY)


def test_an_embedding_that_is_used_twice():
    class Twice(Reader):
        def forward(self, words):
            return super().forward(words[:, :3]) * super().forward(words[:, 1:])

    torch.manual_seed(0)
    model, (inputs, targets) = Twice(padding_idx=2).double(), batch((6,))
    assert way(model, inputs, targets) == "factors"
    assert_exact(model, inputs, targets)


def test_within_any_memory_limit_and_in_float32():
    model, (inputs, targets) = made(padding_idx=0), batch((6,), count=11)
    rows = dense_rows(model, inputs, targets)
    for limit in (0.012, 0.02, 0.03):
        assert_same(per_example_gram(model, inputs, targets, limit), rows @ rows.T)
    assert_same(per_example_gram(model.float(), inputs, targets, PLENTY), rows @ rows.T, 1e-5)


def test_two_blocks_by_the_double_sum():
    generator = torch.Generator().manual_seed(0)
    words = [torch.randint(0, 5, (count, 7), generator=generator) for count in (4, 3)]
    deltas = [torch.randn(count, 7, 2, generator=generator, dtype=torch.float64) for count in (4, 3)]
    (w, v), (delta, epsilon) = words, deltas
    same = (w[:, None, :, None] == v[None, :, None, :]).double()
    expected = torch.einsum("ijst,isd,jtd->ij", same, delta, epsilon)
    torch.testing.assert_close(embedding_inner_products((w, delta), (v, epsilon), 1e6), expected)
    square = embedding_inner_products((w, delta), (w, delta), 1e6)
    other = embedding_inner_products((w, delta), (w.clone(), delta), 1e6)
    torch.testing.assert_close(square, other)


@pytest.mark.parametrize("slice_bytes", [1, 4000, 20000, 1e9])
def test_all_pairs_of_positions(slice_bytes):
    """As on a GPU: in any number of pieces, and in half of them where both blocks are the same."""
    generator = torch.Generator().manual_seed(0)
    w, v = (torch.randint(0, 5, (count, 7), generator=generator) for count in (11, 5))
    delta, epsilon = (torch.randn(count, 7, 2, generator=generator, dtype=torch.float64) for count in (11, 5))
    for others, their_deltas in ((v, epsilon), (w, delta)):
        same = (w[:, None, :, None] == others[None, :, None, :]).double()
        expected = torch.einsum("ijst,isd,jtd->ij", same, delta, their_deltas)
        found = over_positions((w, others), (delta, their_deltas), same_word, slice_bytes)
        torch.testing.assert_close(found, expected)
