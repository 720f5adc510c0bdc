"""Networks in which one example's path leads through the others of its mini-batch: K of single examples is right, or refused.

Each does so from the fourth example on, as the first three are tried out; the oracle is a loop of ordinary gradients.
"""

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from breakeven.spectra.gram_spectrum import spectrum
from breakeven.spectra.per_example import gram as per_example
from breakeven.spectra.per_example.gram import per_example_gram
from breakeven.store.errors import MeasurementError, UserError
from tests.spectra.oracles import examples
from tests.spectra.per_example.test_gram import PLENTY, assert_same, dense_rows

FEATURES, COUNT, TRIED = 6, 24, 3


class Mixing(nn.Module):
    """Two layers, and ``between`` what ``how`` does to the hidden ones of a mini-batch of more than ``after`` examples."""

    def __init__(self, how, after=TRIED):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(FEATURES, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.how, self.after, self.calls = how, after, 0

    def forward(self, x):
        self.calls += 1
        x = self.first(x).tanh()
        x = getattr(self, self.how)(x) if len(x) > self.after else self.second(x)
        return self.last(x.tanh())

    def through(self, x, order):
        """The second layer sees the examples in another order, and nothing else does."""
        return self.second(x[order])[order.argsort()]

    def sorts(self, x):
        return self.through(x, x[:, 0].argsort())

    def reverses(self, x):
        return self.through(x, torch.arange(len(x)).flip(0))

    def shifts(self, x):
        return self.through(x, torch.arange(len(x)).roll(1))

    def swaps_two(self, x):
        order = torch.arange(len(x))
        order[TRIED - 1], order[TRIED] = TRIED, TRIED - 1
        return self.through(x, order)

    def swaps_two_by_keyword(self, x):
        order = torch.arange(len(x)).roll(1)
        return self.second(input=x[order])[order.argsort()]

    def subtracts_the_mean(self, x):
        return self.second(x - x.mean(dim=0))

    def subtracts_a_constant_mean(self, x):
        return self.second(x - x.mean(dim=0).detach())

    def lets_only_gradients_through(self, x):
        mean = x.mean(dim=0)
        return self.second(x) + mean - mean.detach()

    def adds_the_place(self, x):
        return self.second(x) + torch.arange(len(x))[:, None].clamp(min=TRIED) / 10

    def counts_the_examples(self, x):
        return self.second(x) * len(x) ** 0.1

    def counts_the_calls(self, x):
        return self.second(x) + self.calls / 100

    def drops(self, x):
        return self.second(dropout(x, 0.1, training=True))

    def adds_noise(self, x):
        return self.second(x) + 0.01 * torch.randn_like(x)

    def sorts_each_by_itself(self, x):
        """Harmless."""
        return self.second(x.sort(dim=1).values)

    def repeats_and_averages(self, x):
        """Harmless."""
        return self.second(torch.cat([x, -x])).reshape(2, len(x), 5).mean(dim=0)


REORDERS = ["sorts", "reverses", "shifts", "swaps_two", "swaps_two_by_keyword", "lets_only_gradients_through"]
DEPENDS = [
    "subtracts_the_mean",
    "subtracts_a_constant_mean",
    "adds_the_place",
    "counts_the_examples",
    "counts_the_calls",
    "drops",
    "adds_noise",
]


def made(how, dtype=torch.float64, **options):
    torch.manual_seed(1)
    inputs, targets = examples(COUNT, shape=(FEATURES,))
    return Mixing(how, **options).to(dtype), inputs.to(dtype), targets


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("how", REORDERS)
@pytest.mark.parametrize("seed", range(5))
def test_other_examples_gradients_are_noticed(how, dtype, seed):
    """The outputs are right, and 1ᵀA1 is; a weighted sum is not."""
    model, inputs, targets = made(how, dtype)
    with pytest.raises(MeasurementError, match=r"a weighted sum .* reorders or mixes .*\.batch_size to 2 or more"):
        per_example_gram(model, inputs, targets, PLENTY, seed)


def test_a_sort_would_be_far_off(monkeypatch):
    """Why it matters: what would be measured without the check."""
    monkeypatch.setattr(per_example, "check_gram", lambda *_: None)
    model, inputs, targets = made("sorts")
    found = spectrum(per_example_gram(model, inputs, targets, PLENTY)).eigenvalues[0]
    rows = dense_rows(model, inputs, targets)
    assert abs(found / spectrum(rows @ rows.T).eigenvalues[0] - 1) > 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("how", DEPENDS)
def test_outputs_that_depend_on_the_mini_batch_or_on_chance_are_noticed(how, dtype):
    model, inputs, targets = made(how, dtype)
    with pytest.raises(UserError, match=r"other outputs for an example .* use at least 2"):
        per_example_gram(model, inputs, targets, PLENTY)


@pytest.mark.parametrize("how", ["sorts_each_by_itself", "repeats_and_averages"])
def test_what_each_example_does_for_itself_is_right(how):
    model, inputs, targets = made(how, after=0)
    rows = dense_rows(model, inputs, targets)
    assert_same(per_example_gram(model, inputs, targets, PLENTY), rows @ rows.T)


class Experts(nn.Module):
    """Each example goes to the expert of its largest feature, all of an expert's at once."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(FEATURES, 5) for _ in range(FEATURES))
        self.last = nn.Linear(5, 3)

    def forward(self, x):
        expert = x.argmax(dim=1)
        out = x.new_zeros(len(x), 5)
        for number, layer in enumerate(self.experts):
            chosen = (expert == number).nonzero()[:, 0]
            if len(chosen):
                out = out.index_add(0, chosen, layer(x[chosen]))
        return self.last(out.tanh())


@pytest.mark.parametrize("first", ["different", "same"])
def test_experts_that_see_only_some_examples(first, capfd):
    """Where the examples that are tried all go to one expert, it is found out later that others do not."""
    torch.manual_seed(1)
    inputs, targets = examples(COUNT, shape=(FEATURES,))
    inputs[:TRIED] += 5 * torch.eye(FEATURES)[:TRIED].double() if first == "different" else 5 * torch.eye(FEATURES)[0]
    model = Experts().double()
    rows = dense_rows(model, inputs, targets)
    assert_same(per_example_gram(model, inputs, targets, PLENTY), rows @ rows.T)
    assert ("a pass for each example" in capfd.readouterr().err) == (first == "same")


class UntilDone(nn.Module):
    """A layer as often as the mini-batch's slowest example needs it; those that are done stay as they are."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.last = nn.Linear(FEATURES, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        times = 1 + (x[:, 0] > 0) + 2 * (x[:, 1] > 0)
        x = self.first(x)
        for time in range(int(times.max())):
            x = torch.where((times > time)[:, None], self.again(x).tanh(), x)
        return self.last(x)


@pytest.mark.parametrize("chunk", [1, 2, 4, 16])
def test_a_layer_that_some_examples_use_more_often(chunk, monkeypatch):
    monkeypatch.setattr(per_example, "CHUNK", chunk)
    torch.manual_seed(1)
    inputs, targets = examples(COUNT, shape=(FEATURES,))
    model = UntilDone().double()
    rows = dense_rows(model, inputs, targets)
    assert_same(per_example_gram(model, inputs, targets, PLENTY), rows @ rows.T)


class Optional(nn.Module):
    """One layer's parameters are used only where an example is positive somewhere; its embedding for some words only."""

    def __init__(self):
        super().__init__()
        self.plain, self.extra = nn.Linear(FEATURES, 3), nn.Linear(FEATURES, 3)
        self.table = nn.Parameter(torch.randn(4, 3))

    def forward(self, x):
        return self.plain(x) + (x[:, :1] > 0) * self.extra(x).tanh() + self.table[(x[:, 1] > 0).long()]


def test_parameters_that_some_examples_do_not_use():
    torch.manual_seed(1)
    inputs, targets = examples(COUNT, shape=(FEATURES,))
    model = Optional().double()
    rows = dense_rows(model, inputs, targets)
    assert_same(per_example_gram(model, inputs, targets, PLENTY), rows @ rows.T)
