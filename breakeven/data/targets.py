"""What the loss compares a network's outputs with: labels, or smoothed labels."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def training_targets(labels: Tensor, classes: int, label_smoothing: float, dtype: torch.dtype) -> Tensor:
    """The targets of the cross-entropy for ``labels`` (n,): themselves without smoothing.

    With label smoothing ε, probabilities (n, classes): 1 − ε + ε/C for the label and ε/C for each other class (Szegedy et
    al., 2016). The training loss is the cross-entropy with these, and so are the losses whose K and H are measured.
    """
    if label_smoothing == 0:
        return labels
    return one_hot(labels, classes).to(dtype) * (1 - label_smoothing) + label_smoothing / classes
