"""An LSTM for sequences of words, in the shape of the Keras IMDB example (paper, section 4).

Embedding, LSTM, one linear layer on the last state; on IMDB 20,000 words, 80 tokens, embedding 128 and 128 hidden numbers:
2,691,842 parameters, which are Keras' 2,691,713 with one more output, since it has a sigmoid for two classes where we have
a softmax. Weights start as Keras starts them: embedding uniform in ±0.05, Glorot uniform, an orthogonal recurrent kernel,
the forget gate's bias one and all other biases zero.

Written out in two linear layers and not `torch.nn.LSTM`: it has one bias as in Keras and not two, works under
`torch.func.vmap`, gives the gradients of single examples by the factors of its layers, and has all derivatives on a GPU,
where cuDNN's has no double backward (Hochreiter and Schmidhuber, 1997, with forget gates of Gers et al., 2000).
"""

import torch
from torch import Tensor, nn


def lstm(
    input_shape: tuple[int, int], classes: int, *, embedding: int = 128, hidden: int = 128, dropout: float = 0.0
) -> nn.Module:
    """An LSTM for ``input_shape`` (tokens, words): sequences of that length of numbers below ``words``.

    ``dropout``: of the embedded words and of the last state.
    """
    if len(input_shape) != 2:
        raise ValueError(f"it reads sequences of words, and inputs of the shape {tuple(input_shape)} are none")
    return LSTM(input_shape[1], classes, embedding, hidden, dropout)


class LSTM(nn.Module):
    """c ← σ(f) c + σ(i) tanh(g), h ← σ(o) tanh(c) for each token, with gates in the order i, f, g, o, as in PyTorch.

    (i, f, g, o) = W_x x + b + W_h h; ``from_input`` is W_x and b, ``from_state`` W_h. It starts from h = c = 0.
    """

    def __init__(self, words: int, classes: int, embedding: int, hidden: int, dropout: float):
        super().__init__()
        self.embedding = nn.Embedding(words, embedding)
        self.from_input = nn.Linear(embedding, 4 * hidden)
        self.from_state = nn.Linear(hidden, 4 * hidden, bias=False)
        self.output = nn.Linear(hidden, classes)
        self.hidden, self.dropout = hidden, nn.Dropout(dropout)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        nn.init.orthogonal_(self.from_state.weight)
        for layer in (self.from_input, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.ones_(self.from_input.bias[hidden : 2 * hidden])

    def forward(self, words: Tensor) -> Tensor:
        """The logits of ``words``, int64 (batch, tokens). Under autocast the cell c keeps the parameters' precision."""
        gates_of_inputs = self.from_input(self.dropout(self.embedding(words)))
        h = c = torch.zeros(len(words), self.hidden, dtype=self.output.weight.dtype, device=words.device)
        for gates_of_input in gates_of_inputs.unbind(1):
            i, f, g, o = (gates_of_input + self.from_state(h)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        logits: Tensor = self.output(self.dropout(h))
        return logits
