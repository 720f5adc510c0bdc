"""Each rule and the general way against nested forward mode of the whole function, and against closed forms."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, jvp
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten

from breakeven.spectra import taylor
from breakeven.spectra.taylor import Jet, NoForwardMode
from breakeven.store.errors import UserError


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whole(function, x, x1, x2):
    """Value and two derivatives of ``function`` along x + a x1 + a²/2 x2, by nested forward mode in a."""

    def path(a):
        return function(x + a * x1 + a * a / 2 * x2)

    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)

    def slope(a):
        return jvp(path, (a,), (one,))[1]

    return path(zero), slope(zero), jvp(slope, (zero,), (one,))[1]


W, K = draw(4, 6, seed=8), draw(3, 2, 3, 3, seed=9)
FUNCTIONS = {
    "linear in x": lambda x: F.linear(x, W, W[:, 0]),
    "linear in all": lambda x: F.linear(x, x[:4], x[:4, 0]),
    "linear by names": lambda x: F.linear(input=x, weight=W),
    "matmul": lambda x: x @ x.T,
    "torch.matmul": lambda x: torch.matmul(x, x.transpose(0, 1)),
    "conv2d": lambda x: F.conv2d(x.reshape(1, 2, 3, 5), K, K[:, 0, 0, 0], padding=1),
    "conv2d of its own": lambda x: F.conv2d(x.reshape(1, 2, 3, 5), x.reshape(1, 2, 3, 5), stride=1, padding="same"),
    "relu": lambda x: F.relu(x) + torch.relu(x * x) + x.relu(),
    "max_pool2d": lambda x: F.max_pool2d((x * x).reshape(1, 2, 3, 5), 2),
    "max_pool2d with overlap": lambda x: F.max_pool2d((x * x).reshape(1, 2, 3, 5), 3, stride=1, padding=1),
    "elementwise": lambda x: x.tanh() * torch.exp(-x) / (1 + x * x) - x.sigmoid() ** 3,
    "shapes": lambda x: x.view(6, 5).flatten()[3:].reshape(-1, 3).mean(dim=0) + x.shape[0] * x.size(1),
    "several tensors": lambda x: torch.cat([a * b for a, b in zip(x.chunk(5), x.split(1), strict=True)]),
    "two outputs": lambda x: x.square().max(dim=1).values,
    "normalisation": lambda x: (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True) + 1e-3),
    "softmax": lambda x: F.log_softmax(x, dim=1),
    "cross entropy": lambda x: F.cross_entropy(x, torch.arange(5), reduction="none"),
    "in place": lambda x: (2 * x).add_(x.square()).mul_(x),
    "sums": lambda x: torch.add(x, x[:, :1] - 2) - (3 - x) + torch.sub(x[0], x.square()) + torch.add(x, x, alpha=2),
    "products of numbers": lambda x: 2 * x * x[:, :1] * torch.mul(W[:1, :6], x) * 3,
    "gates": lambda x: x.tanh() * torch.sigmoid(x * x) + torch.tanh(x).sigmoid(),
    "gelu": lambda x: F.gelu(x * x) + F.gelu(x, approximate="tanh"),
    "rsqrt": lambda x: torch.rsqrt(1 + x.square()) + (2 + x * x).rsqrt(),
    "softmax along an axis": lambda x: F.softmax(x * x, dim=0) * F.softmax(x, dim=-1),
    "pieces": lambda x: x.unbind(1)[3] * x.chunk(2)[0][1, 2] + torch.cat([part * part for part in torch.unbind(x)])[:5],
    "joined with what is constant": lambda x: torch.cat([x * x, W, x[:1]], dim=0),
    "axes": lambda x: x.view(5, 2, 3).permute(2, 0, 1).transpose(0, 1).contiguous().view(15, 2).unsqueeze(0).sum(dim=2),
    "average pooling": lambda x: F.avg_pool2d((x * x)[None], 2) * F.adaptive_avg_pool2d(x[None], (1, 1)),
    "dropout": lambda x: F.dropout(x * x, 0.5, training=False) + torch.nn.Dropout(0.5).eval()(x),
    "another precision": lambda x: (x * x).to(torch.float64) * x.to(torch.int64),
    "embedding": lambda x: F.embedding(torch.tensor([[0, 4], [4, 4]]), x).square(),
    "max_pool2d with places": lambda x: F.max_pool2d((x * x)[None], 2, return_indices=True)[0],
    "augmented": lambda x: augmented(x),
    "constant": lambda x: x * 0 + 3,
    "by names": lambda x: (
        torch.cat(tensors=torch.chunk(input=x * x, chunks=5))
        + torch.flatten(input=x[None], start_dim=0, end_dim=1)
        + torch.stack(torch.unbind(input=x)).view(size=(5, 6)) * torch.relu(input=x)
        + F.softmax(input=x, dim=1)
    ),
    "relu in place": lambda x: in_place(F.relu, x),
    "leaky relu in place": lambda x: in_place(F.leaky_relu, x),
    "a constant, in the type of what moves": lambda x: torch.arange(6).to(x) * x + x.to(x),
}


def in_place(function, x):
    """The old name means the new value."""
    y = x * x - 0.5
    return function(y, inplace=True) * y + y


def augmented(x):
    y = x.square()
    z = y  # another name of the same tensor
    y += x
    y *= x
    return y + z


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("with_second", [True, False])
def test_every_kind_of_operation(name, with_second):
    x, x1, x2 = draw(5, 6), draw(5, 6, seed=1), draw(5, 6, seed=2) * with_second
    expected = whole(FUNCTIONS[name], x, x1, x2)
    found = FUNCTIONS[name](Jet(x, x1, x2 if with_second else None))
    for part, other in zip((found.value, found.first, found.second), expected, strict=True):
        part = torch.zeros_like(other) if part is None else part
        torch.testing.assert_close(part, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True}, {"batch_first": True}, {"bias": False, "bidirectional": True}]
)
def test_a_recurrent_layer_of_pytorch(kind, layers, options, monkeypatch):
    """Outputs and last states, as inputs and weights move; the oracle differentiates PyTorch's own kernels."""
    layer = getattr(nn, kind)(6, 3, layers, **options).double()
    x = draw(5, 2, 6)
    along = {name: draw(*weight.shape, seed=4) for name, weight in layer.named_parameters()}
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    outputs = whole_layer(
        lambda a: functional_call(layer, {n: w + a * along[n] for n, w in weights.items()}, (x + a * x.sin(),))
    )
    jets = {name: Jet(weight, along[name], None) for name, weight in weights.items()}
    monkeypatch.setattr(taylor, "jvp", not_on_a_gpu)
    found, _ = tree_flatten(functional_call(layer, jets, (Jet(x, x.sin(), None),)))
    assert len(found) == len(outputs) > 1
    for jet, expected in zip(found, outputs, strict=True):
        torch.testing.assert_close(torch.stack([jet.value, jet.first, jet.second]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_recurrent_cell_of_pytorch(kind, bias, monkeypatch):
    cell = getattr(nn, kind)(6, 3, bias).double()
    x = draw(2, 6)
    along = {name: draw(*weight.shape, seed=4) for name, weight in cell.named_parameters()}
    weights = {name: weight.detach() for name, weight in cell.named_parameters()}

    def twice(given, x):
        return functional_call(cell, given, (x, functional_call(cell, given, (x,))))

    outputs = whole_layer(lambda a: twice({n: w + a * along[n] for n, w in weights.items()}, x + a * x.sin()))
    jets = {name: Jet(weight, along[name], None) for name, weight in weights.items()}
    monkeypatch.setattr(taylor, "jvp", not_on_a_gpu)
    found, _ = tree_flatten(twice(jets, Jet(x, x.sin(), None)))
    for jet, expected in zip(found, outputs, strict=True):
        torch.testing.assert_close(torch.stack([jet.value, jet.first, jet.second]), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_a_packed_sequence_is_told(kind):
    layer = getattr(nn, kind)(6, 3).double()
    jets = {name: Jet(weight.detach(), torch.ones_like(weight), None) for name, weight in layer.named_parameters()}
    packed = nn.utils.rnn.pack_padded_sequence(draw(5, 2, 6), torch.tensor([5, 3]))
    with pytest.raises(NoForwardMode, match=f"gives a packed sequence to '{kind.lower()}'"):
        functional_call(layer, jets, (packed,))


def test_an_lstm_with_a_projection_goes_through_pytorchs_kernel():
    layer = nn.LSTM(6, 3, 2, proj_size=2).double()
    x = draw(5, 2, 6)
    along = {name: draw(*weight.shape, seed=4) for name, weight in layer.named_parameters()}
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}
    outputs = whole_layer(lambda a: functional_call(layer, {n: w + a * along[n] for n, w in weights.items()}, (x,)))
    jets = {name: Jet(weight, along[name], None) for name, weight in weights.items()}
    found, _ = tree_flatten(functional_call(layer, jets, (x,)))
    for jet, expected in zip(found, outputs, strict=True):
        torch.testing.assert_close(torch.stack([jet.value, jet.first, jet.second]), expected, rtol=1e-12, atol=1e-12)


def test_dropout_between_layers_is_not_left_out_in_training(monkeypatch):
    layer = nn.LSTM(6, 3, 2, dropout=0.5).double()
    jets = {name: Jet(weight.detach(), torch.ones_like(weight), None) for name, weight in layer.named_parameters()}
    monkeypatch.setattr(taylor, "jvp", not_on_a_gpu)
    with pytest.raises(AssertionError, match="forward mode through PyTorch's kernel"):
        functional_call(layer, jets, (draw(5, 2, 6),))
    functional_call(layer.eval(), jets, (draw(5, 2, 6),))


def not_on_a_gpu(*_):
    """Forward mode of a whole layer, which fused kernels have not."""
    raise AssertionError("forward mode through PyTorch's kernel")


def whole_layer(outputs_at):
    """Value and two derivatives of all outputs in a, (3, ...) each."""
    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)

    def flat(a):
        return tuple(tree_flatten(outputs_at(a))[0])

    def slope(a):
        return jvp(flat, (a,), (one,))[1]

    return [torch.stack(parts) for parts in zip(flat(zero), slope(zero), jvp(slope, (zero,), (one,))[1], strict=True)]


def test_a_bias_alone_moves():
    """Its derivatives have the shape of the output, for whatever comes next."""
    x, b, b1 = draw(5, 6), draw(4), draw(4, seed=1)
    expected = whole(lambda b: F.linear(x, W, b).view(20).square(), b, b1, torch.zeros(4))
    jet = F.linear(x, W, Jet(b, b1, None))
    assert jet.first.shape == jet.shape
    found = jet.view(20).square()
    for part, other in zip((found.value, found.first, found.second), expected, strict=True):
        torch.testing.assert_close(part, other)


@pytest.mark.parametrize("padding", [0, 2, -1])
def test_the_vector_of_padding_is_constant(padding):
    """The oracle is reverse mode; PyTorch's forward mode moves it. If that fails, PyTorch is repaired."""
    words, weight, along = torch.tensor([[0, 2, 2], [4, 1, 0]]), draw(5, 3), draw(5, 3, seed=1)

    def loss(w):
        return F.embedding(words, w, padding_idx=padding).exp().prod(dim=2).sum()

    w = weight.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(w), w, create_graph=True)
    first = (gradient * along).sum()
    second = (torch.autograd.grad(first, w)[0] * along).sum()
    found = loss(Jet(weight, along, None))
    torch.testing.assert_close(torch.stack([found.first, found.second]), torch.stack([first, second]).detach())
    assert not torch.isclose(jvp(loss, (weight,), (along,))[1], first.detach())


def test_closed_form():
    """sin(x + a): derivatives cos and −sin, by one Jet from the other."""
    x = draw(7)
    found = torch.sin(Jet(x, torch.ones_like(x), None))
    torch.testing.assert_close(found.first, x.cos())
    torch.testing.assert_close(found.second, -x.sin())


def test_products_with_zero_are_not_computed():
    """Where the speed comes from: moving weights and constant inputs have no second derivative and no place for one."""
    found = F.conv2d(draw(1, 2, 5, 5), Jet(K, draw(3, 2, 3, 3), None))
    assert found.second is None
    torch.testing.assert_close(found.first, F.conv2d(draw(1, 2, 5, 5), draw(3, 2, 3, 3)))


def test_what_pytorch_can_not_differentiate_is_told():
    words = torch.tensor([[0, 1], [1, 4]])
    with pytest.raises(
        UserError, match="the network uses 'embedding_bag', of which PyTorch has no second derivative"
    ) as told:
        F.embedding_bag(words, Jet(draw(5, 6), draw(5, 6, seed=1), None))
    assert "Eq. 1 can't be measured" in str(told.value)


def test_assigning_to_a_part_is_refused():
    x = Jet(draw(5, 6), draw(5, 6, seed=1), None)
    with pytest.raises(NoForwardMode, match="assigns to a part of a tensor"):
        x[0] = 1.0


def test_what_is_no_number_passes_through():
    x = Jet(draw(5, 6), draw(5, 6, seed=1), None)
    assert x.shape == (5, 6) and x.dtype == torch.float64 and x.dim() == 2 and len(x) == 5
    assert not isinstance(x.argmax(dim=1), Jet) and torch.equal(x.argmax(dim=1), x.value.argmax(dim=1))
    assert not isinstance(x > 0, Jet)
