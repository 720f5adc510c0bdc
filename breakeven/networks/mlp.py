"""A multilayer perceptron, as the paper's appendix trains on FashionMNIST.

The paper gives no widths: ours are two hidden layers of 300 and 100, LeNet-300-100 (LeCun et al., 1998), with ReLU. Weights
start as Keras starts them, Glorot uniform with biases of zero.
"""

import math

from torch import nn


def mlp(
    input_shape: tuple[int, ...], classes: int, *, hidden: tuple[int, ...] = (300, 100), dropout: float = 0.0
) -> nn.Module:
    """An MLP on all numbers of an input of ``input_shape``, with hidden layers of these widths; ``dropout``: after each."""
    layers: list[nn.Module] = [nn.Flatten()]
    width = math.prod(input_shape)
    for next_width in hidden:
        layers += [nn.Linear(width, next_width), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        width = next_width
    layers.append(nn.Linear(width, classes))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)
