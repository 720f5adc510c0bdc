"""What the loss compares a network's outputs with: labels, smoothed labels, or numbers."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from breakeven.store.errors import UserError


def training_targets(labels: Tensor, classes: int, label_smoothing: float, dtype: torch.dtype) -> Tensor:
    """The targets of the loss for ``labels`` (n,): themselves without smoothing; numbers (n, outputs) in ``dtype``.

    With label smoothing ε, probabilities (n, classes): 1 − ε + ε/C for the label and ε/C for each other class (Szegedy et
    al., 2016). The training loss is the cross-entropy with these, and so are the losses whose K and H are measured.
    """
    if labels.is_floating_point():
        if label_smoothing:
            raise UserError(
                f"label_smoothing: {label_smoothing} is for classes, and the data set has numbers to predict"
            )
        return labels.to(dtype)
    if label_smoothing == 0:
        return labels
    return one_hot(labels, classes).to(dtype) * (1 - label_smoothing) + label_smoothing / classes
