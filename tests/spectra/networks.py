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
from breakeven.networks.bert import Bert
from breakeven.networks.layer_norm import LayerNorm
from breakeven.networks.lstm import lstm as keras_lstm
from breakeven.networks.primitive import with_primitive_operations
from breakeven.specs.torchvision_import import torchvision_module
from tests.networks.tiny_bert import pieces
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


class TorchLSTM(nn.Module):
    """PyTorch's LSTM with one bias, as Keras has it, on embedded words; the last state, classes."""

    def __init__(self):
        super().__init__()
        self.embedding, self.output = nn.Embedding(TOKENS, 3), nn.Linear(WIDTH, CLASSES)
        self.lstm = nn.LSTM(3, WIDTH, batch_first=True)
        del self.lstm.bias_hh_l0
        self.lstm.register_buffer("bias_hh_l0", torch.zeros(4 * WIDTH))

    def forward(self, words: Tensor) -> Tensor:
        return self.output(self.lstm(self.embedding(words))[0][:, -1])


def lstm_keras(smooth: bool, count: int) -> Case:
    """The package's LSTM."""
    model = keras_lstm((LENGTH, TOKENS), CLASSES, embedding=3, hidden=WIDTH)
    return _case(model, TorchLSTM(), *tokens(count), OF_LINEAR)


class TorchBert(nn.Module):
    """Transformers' own, with the mask that it makes and PyTorch's layer normalization."""

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer = transformer

    def forward(self, inputs: Tensor) -> Tensor:
        ids, mask, types = inputs.unbind(1)
        return self.transformer(input_ids=ids, attention_mask=mask, token_type_ids=types).logits


def bert(smooth: bool, count: int) -> Case:
    """The package's BERT: two layers, exact GELU, padded sequences of two sentences."""
    transformers = torchvision_module("transformers")
    sizes = {"vocab_size": TOKENS, "max_position_embeddings": LENGTH, "hidden_size": WIDTH, "intermediate_size": 5}
    config = transformers.BertConfig(
        **sizes, num_hidden_layers=2, num_attention_heads=2, num_labels=CLASSES, attn_implementation="eager"
    )
    model, oracle = (transformers.BertForSequenceClassification(config).eval() for _ in range(2))
    return _case(
        with_primitive_operations(Bert(model)), TorchBert(oracle), pieces(count, LENGTH, TOKENS), tokens(count)[1]
    )


def densenet(smooth: bool, count: int) -> Case:
    """Torchvision's DenseNet with two blocks, and its BatchNorm2d in the oracle."""
    model, oracle = _densenet(), _densenet()
    for module in oracle.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics of the batch, and no running averages to change
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return _case(with_primitive_operations(model), oracle, *examples(count))


def _densenet() -> nn.Module:
    torchvision = torchvision_module("torchvision.models")
    made = torchvision.DenseNet(growth_rate=2, block_config=(2, 1), num_init_features=2, bn_size=1, num_classes=CLASSES)
    made.features.conv0 = nn.Conv2d(1, 2, 3, padding=1, bias=False)
    return made


BUILDERS: dict[str, Callable[[bool, int], Case]] = {
    f.__name__: f
    for f in (
        *(mlp, cnn, cnn_bn, densenet),
        *(lstm_linear, lstm_cell, lstm, lstm_keras),
        *(attention, attention_heads, attention_torch, bert),
    )
}
SMOOTH = [f"{name}-smooth" for name in BUILDERS if name != "densenet"]
KINKED = [f"{name}-kinked" for name in BUILDERS if not name.startswith("lstm") and name != "bert"]
CASES = SMOOTH + KINKED


def case(name: str, count: int = 11) -> Case:
    """One of ``CASES`` with ``count`` examples, in measuring mode."""
    builder, _, kind = name.partition("-")
    torch.manual_seed(0)
    return BUILDERS[builder](kind == "smooth", count)
