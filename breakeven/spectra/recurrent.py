"""PyTorch's LSTM and GRU, written out in primitive operations that have all derivatives.

On a GPU, PyTorch's own are fused kernels without forward mode (``_thnn_fused_lstm_cell``, ``_thnn_fused_gru_cell``).
Arguments, order of the gates and results are those of `torch.lstm`, `torch.gru`, `torch.lstm_cell` and `torch.gru_cell`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

State = tuple[Tensor, ...]  # (h, c) of an LSTM, (h,) of a GRU
Step = Callable[[Tensor, Tensor, State], State]  # W_ih x + b_ih, W_hh h + b_hh and the state before: the state after


def _lstm_step(of_input: Tensor, of_hidden: Tensor, state: State) -> State:
    """C' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'), of gates i, f, g, o."""
    i, f, g, o = (of_input + of_hidden).chunk(4, -1)
    c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(of_input: Tensor, of_hidden: Tensor, state: State) -> State:
    """H' = n + σ(z) (h − n), n = tanh(n_x + σ(r) n_h), of gates r, z, n."""
    (r_x, z_x, n_x), (r_h, z_h, n_h) = of_input.chunk(3, -1), of_hidden.chunk(3, -1)
    n = (n_x + (r_x + r_h).sigmoid() * n_h).tanh()
    return (n + (z_x + z_h).sigmoid() * (state[0] - n),)


def lstm_cell(x: Tensor, state: State, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> State:
    """`torch.lstm_cell`."""
    return _lstm_step(linear(x, w_ih, b_ih), linear(state[0], w_hh, b_hh), state)


def gru_cell(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
    """`torch.gru_cell`."""
    return _gru_step(linear(x, w_ih, b_ih), linear(h, w_hh, b_hh), (h,))[0]


def lstm(x: Tensor, start: State, weights: Sequence[Tensor], *how: Any) -> State:
    """`torch.lstm`, where `supported`."""
    return _layers(_lstm_step, x, start, weights, *how)


def gru(x: Tensor, start: Tensor, weights: Sequence[Tensor], *how: Any) -> State:
    """`torch.gru`, where `supported`."""
    return _layers(_gru_step, x, (start,), weights, *how)


def packed(arguments: Sequence[Any]) -> bool:
    """Whether `torch.lstm` or `torch.gru` is given sequences of several lengths, in one row, with their number at each step."""
    return len(arguments) > 3 and not isinstance(arguments[3], bool)


def supported(arguments: Sequence[Any]) -> bool:
    """Whether `torch.lstm` or `torch.gru` of a sequence that is not `packed` can be had here: no projection or dropout."""
    if len(arguments) != 9:
        return False
    _, _, weights, biases, layers, dropout, train, both_ways, _ = arguments
    return len(weights) == layers * (1 + both_ways) * (4 if biases else 2) and not (train and dropout)


def _layers(
    step: Step,
    x: Tensor,
    start: State,
    weights: Sequence[Tensor],
    biases: bool,
    layers: int,
    _dropout: float,
    _train: bool,
    both_ways: bool,
    batch_first: bool,
) -> State:
    """All outputs, and the last state of each layer and direction."""
    count, ends = 4 if biases else 2, []
    x = x.transpose(0, 1) if batch_first else x
    for layer in range(layers):
        outputs = []
        for way in range(1 + both_ways):
            index = layer * (1 + both_ways) + way
            w_ih, w_hh, *bias = weights[index * count :][:count]
            b_ih, b_hh = bias or (None, None)
            state: State = tuple(part[index] for part in start)
            passed = []
            for of_input in linear(x, w_ih, b_ih).unbind(0)[:: -1 if way else 1]:
                state = step(of_input, linear(state[0], w_hh, b_hh), state)
                passed.append(state[0].unsqueeze(0))
            outputs.append(torch.cat(passed[:: -1 if way else 1]))
            ends.append(state)
        x = torch.cat(outputs, -1) if both_ways else outputs[0]
    last = (torch.cat([part.unsqueeze(0) for part in parts]) for parts in zip(*ends, strict=True))
    return x.transpose(0, 1) if batch_first else x, *last
