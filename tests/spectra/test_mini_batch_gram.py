import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout

from breakeven.spectra import mini_batch_gram as mini_batch
from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.store.errors import MeasurementError, UserError
from tests.spectra.networks import CASES, case
from tests.spectra.oracles import dense_covariance, dense_gradients, examples


def halves(made):
    """Mini-batches of two, the last one short."""
    return list(zip(made.inputs.split(2), made.targets.split(2), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_equals_dense_gradients(name):
    made = case(name, 17)
    rows = dense_gradients(made.oracle, halves(made))
    gram = mini_batch_gram(made.model, halves(made), 100)
    torch.testing.assert_close(gram, rows @ rows.T, rtol=1e-10, atol=1e-12 * float((rows @ rows.T).max()))
    dense = torch.linalg.eigvalsh(dense_covariance(rows)).flip(0)
    torch.testing.assert_close(spectrum(gram).eigenvalues, dense[:8], rtol=1e-8, atol=1e-13 * float(dense[0]))


@pytest.mark.parametrize("name", ["cnn_bn-smooth", "lstm-smooth"])
def test_the_memory_limit_changes_nothing_but_rounding(name, monkeypatch):
    made = case(name, 18)
    whole = mini_batch_gram(made.model, halves(made), 100)
    with pytest.raises(UserError, match=r"memory_mb: 0.001 is too small for the gradients of mini-batches") as error:
        mini_batch_gram(made.model, halves(made), 0.001)
    least = float(str(error.value).partition("about ")[2].partition(";")[0])
    capacities, blocked_gram = [], mini_batch.blocked_gram
    monkeypatch.setattr(mini_batch, "blocked_gram", lambda *a: capacities.append(a[3]) or blocked_gram(*a))
    for limit in (least * factor for factor in (1.06, 1.5, 2, 3)):
        cut = mini_batch_gram(made.model, halves(made), limit)
        torch.testing.assert_close(cut, whole, rtol=1e-13, atol=1e-13 * float(whole.abs().max()))
    assert capacities[0] == 2 and len(set(capacities)) >= 3, capacities


class Alive(nn.Module):
    """``how``: what makes its outputs others each time, or leaves a parameter out of some mini-batches."""

    def __init__(self, how):
        super().__init__()
        self.first, self.second, self.how, self.calls = nn.Linear(4, 3), nn.Linear(4, 3), how, 0

    def forward(self, x):
        self.calls += 1
        match self.how:
            case "draws":
                return self.first(dropout(x, 0.5, training=True))
            case "counts":
                return self.first(x) * (1 + self.calls / 1000)
            case "chooses":
                return self.first(x) if x[0, 0] > 0 else self.second(x)


@pytest.mark.parametrize("how", ["draws", "counts"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_outputs_that_are_others_each_time_are_refused(how, dtype):
    inputs, targets = examples(24, shape=(4,))
    batches = list(zip(inputs.to(dtype).split(4), targets.split(4), strict=True))
    torch.manual_seed(0)
    with pytest.raises(MeasurementError, match=r"other outputs when the same mini-batch comes again.* self\.training"):
        mini_batch_gram(Alive(how).to(dtype), batches, 100)


def test_parameters_that_some_mini_batches_do_not_use():
    """Such a gradient is 0."""
    inputs, targets = examples(24, shape=(4,))
    batches = list(zip(inputs.split(4), targets.split(4), strict=True))
    assert len({bool(x[0, 0] > 0) for x, _ in batches}) == 2
    model = Alive("chooses").double()
    rows = []
    for given, wanted in batches:
        model.zero_grad(set_to_none=False)
        cross_entropy(model(given), wanted).backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        rows.append(torch.cat([grad.reshape(-1) for grad in grads]).clone())
    rows = torch.stack(rows)
    torch.testing.assert_close(mini_batch_gram(model, batches, 100), rows @ rows.T)


def test_float32_rows_have_inner_products_in_float64():
    made = case("mlp-smooth", 18)
    gram = mini_batch_gram(made.model.float(), [(x.float(), y) for x, y in halves(made)], 100)
    assert gram.dtype == torch.float64
    assert (torch.linalg.eigvalsh(gram) > -1e-14 * gram.trace()).all()
