"""Tiny networks, each twice: of what the package measures, and of PyTorch's own layers with the same weights, as oracle.

``CASES`` names them all, ``case(name)`` builds one in float64. Those in ``SMOOTH`` have no kinks, for finite differences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from breakeven.networks.batch_norm import BatchNorm2d, set_measuring
from breakeven.networks.layer_norm import LayerNorm
from tests.spectra.oracles import examples

CLASSES, TOKENS, LENGTH, WIDTH = 3, 7, 5, 4


@dataclass(frozen=True)
class Case:
    """``same``: the oracle's name of each parameter of the model, where the two differ; pairs of prefixes."""

    model: nn.Module
    oracle: nn.Module
    inputs: Tensor
    targets: Tensor
    same: dict[str, str]

    def oracle_name(self, name: str) -> str:
        for ours, theirs in self.same.items():
            if name.startswith(ours):
                return theirs + name.removeprefix(ours)
        return name

    def order(self) -> Tensor:
        """Where in the oracle's flat vector of parameters each entry of the model's stands."""
        first, places = 0, {}
        for name, parameter in self.oracle.named_parameters():
            places[name] = torch.arange(first, first := first + parameter.numel())
        return torch.cat([places[self.oracle_name(name)] for name, _ in self.model.named_parameters()])


def _case(model: nn.Module, oracle: nn.Module, inputs: Tensor, targets: Tensor, same: dict[str, str] | None = None):
    """The oracle's weights are drawn, all of them away from zero and one; the model's are set to them."""
    made = Case(model.double(), oracle.double(), inputs, targets, same or {})
    generator = torch.Generator().manual_seed(7)
    theirs = dict(oracle.named_parameters())
    with torch.no_grad():
        for parameter in theirs.values():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for name, parameter in model.named_parameters():
            parameter.copy_(theirs.pop(made.oracle_name(name)).view_as(parameter))
    assert not theirs
    set_measuring(model)
    return made


def tokens(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    words = torch.randint(0, TOKENS, (count, LENGTH), generator=generator)
    return words, torch.randint(0, CLASSES, (count,), generator=generator)


def mlp(smooth: bool, count: int) -> Case:
    def build() -> nn.Module:
        bend = nn.Tanh if smooth else nn.ReLU
        layers = [nn.Linear(6, 5), bend(), nn.Linear(5, 5, bias=False), bend(), nn.Linear(5, CLASSES)]
        return nn.Sequential(*layers)

    return _case(build(), build(), *examples(count, shape=(6,)))


def cnn(smooth: bool, count: int) -> Case:
    return _case(_cnn(smooth, None), _cnn(smooth, None), *examples(count))


def cnn_bn(smooth: bool, count: int) -> Case:
    torch_norm = _cnn(smooth, lambda channels: nn.BatchNorm2d(channels, track_running_stats=False))
    return _case(_cnn(smooth, BatchNorm2d), torch_norm, *examples(count))


def _cnn(smooth: bool, norm: Callable[[int], nn.Module] | None) -> nn.Module:
    """Of all sorts of convolutions; the last one is of few positions and many channels."""
    bend, pool = (nn.Tanh, nn.AvgPool2d) if smooth else (nn.ReLU, nn.MaxPool2d)
    layers: list[nn.Module] = []
    for convolution in (
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2), bias=False),
        nn.Conv2d(3, 3, (3, 1), padding="same"),
    ):
        layers += [convolution, *([norm(convolution.out_channels)] if norm else []), bend()]
    layers += [pool((2, 4)), nn.Conv2d(3, 12, 1, padding="valid"), bend(), nn.Flatten(), nn.Linear(24, CLASSES)]
    return nn.Sequential(*layers)


class Recurrent(nn.Module):
    """Tokens, embedding, an LSTM of some kind, the last state, classes."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        self.embedding = nn.Embedding(TOKENS, 3)
        if kind == "linear":
            self.from_input, self.from_state = nn.Linear(3, 4 * WIDTH), nn.Linear(WIDTH, 4 * WIDTH)
        elif kind == "cell":
            self.cell = nn.LSTMCell(3, WIDTH)
        else:
            self.lstm = nn.LSTM(3, WIDTH, batch_first=True)
        self.output = nn.Linear(WIDTH, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embedding(words)
        if self.kind == "lstm":
            return self.output(self.lstm(x)[0][:, -1])
        h = c = x.new_zeros(len(x), WIDTH)
        for step in range(LENGTH):
            if self.kind == "cell":
                h, c = self.cell(x[:, step], (h, c))
                continue
            gates = self.from_input(x[:, step]) + self.from_state(h)
            i, f, g, o = gates.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return self.output(h)


OF_LSTM = {f"lstm.{kind}_{way}_l0": f"cell.{kind}_{way}" for kind in ("weight", "bias") for way in ("ih", "hh")}
OF_LINEAR = {
    f"{ours}.{kind}": f"lstm.{kind}_{theirs}_l0"
    for ours, theirs in (("from_input", "ih"), ("from_state", "hh"))
    for kind in ("weight", "bias")
}


def lstm_linear(smooth: bool, count: int) -> Case:
    return _case(Recurrent("linear"), Recurrent("lstm"), *tokens(count), OF_LINEAR)


def lstm_cell(smooth: bool, count: int) -> Case:
    return _case(Recurrent("cell"), Recurrent("lstm"), *tokens(count), {v: k for k, v in OF_LSTM.items()})


def lstm(smooth: bool, count: int) -> Case:
    return _case(Recurrent("lstm"), Recurrent("cell"), *tokens(count), OF_LSTM)


class Attention(nn.Module):
    """Self-attention written out, by the kernel that has all derivatives."""

    def __init__(self, heads: int):
        super().__init__()
        self.heads = heads
        self.queries_keys_values, self.mixed = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.queries_keys_values(x).view(len(x), LENGTH, 3, self.heads, WIDTH // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        with sdpa_kernel(SDPBackend.MATH):
            y = scaled_dot_product_attention(q, k, v)
        return self.mixed(y.transpose(1, 2).reshape(x.shape))


class TorchAttention(nn.Module):
    """PyTorch's own, by its way with weights (``weights``: explicit products, no kernel), or by the MATH kernel."""

    def __init__(self, heads: int, weights: bool):
        super().__init__()
        self.attention, self.weights = nn.MultiheadAttention(WIDTH, heads, batch_first=True), weights

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return self.attention(x, x, x, need_weights=self.weights)[0]


class Transformer(nn.Module):
    """Tokens, embedding, positions, one block with layer normalization, mean, classes."""

    def __init__(self, smooth: bool, attention: nn.Module, norm: Callable[[int], nn.Module]):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.positions = nn.Parameter(torch.zeros(LENGTH, WIDTH))
        self.attention = attention
        self.norms = nn.ModuleList([norm(WIDTH) for _ in range(2)])
        bend = nn.GELU(approximate="tanh") if smooth else nn.ReLU()
        self.dense = nn.Sequential(nn.Linear(WIDTH, 6), bend, nn.Linear(6, WIDTH))
        self.output = nn.Linear(WIDTH, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        x = self.embedding(words) + self.positions
        x = x + self.attention(self.norms[0](x))
        x = x + self.dense(self.norms[1](x))
        return self.output(x.mean(dim=1))


OF_ATTENTION = {
    "attention.queries_keys_values.": "attention.attention.in_proj_",
    "attention.mixed.": "attention.attention.out_proj.",
}


def attention(smooth: bool, count: int) -> Case:
    return _attention(smooth, 1, count)


def attention_heads(smooth: bool, count: int) -> Case:
    return _attention(smooth, 2, count)


def _attention(smooth: bool, heads: int, count: int) -> Case:
    model = Transformer(smooth, Attention(heads), LayerNorm)
    oracle = Transformer(smooth, TorchAttention(heads, weights=True), nn.LayerNorm)
    return _case(model, oracle, *tokens(count), OF_ATTENTION)


def attention_torch(smooth: bool, count: int) -> Case:
    """The model of PyTorch's own attention, whose output layer's weights are used without calling that layer."""
    model = Transformer(smooth, TorchAttention(2, weights=False), LayerNorm)
    oracle = Transformer(smooth, Attention(2), nn.LayerNorm)
    return _case(model, oracle, *tokens(count), {v: k for k, v in OF_ATTENTION.items()})


BUILDERS: dict[str, Callable[[bool, int], Case]] = {
    f.__name__: f for f in (mlp, cnn, cnn_bn, lstm_linear, lstm_cell, lstm, attention, attention_heads, attention_torch)
}
SMOOTH = [f"{name}-smooth" for name in BUILDERS]
KINKED = [f"{name}-kinked" for name in BUILDERS if not name.startswith("lstm")]
CASES = SMOOTH + KINKED


def case(name: str, count: int = 11) -> Case:
    """One of ``CASES`` with ``count`` examples, in measuring mode."""
    builder, _, kind = name.partition("-")
    torch.manual_seed(0)
    return BUILDERS[builder](kind == "smooth", count)
