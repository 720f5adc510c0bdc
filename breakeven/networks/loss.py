"""The loss of an example, in one place: training, evaluation and every measurement take it from here.

The cross-entropy of the outputs z, in nats, with a label or with probabilities y, which smoothed labels are; or, of a network
that predicts numbers y, the squared loss ½‖z − y‖², summed over the outputs. That of a mini-batch is the mean over its examples.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

MARK = "breakeven_predicts_numbers"  # an attribute of the network


def set_predicts_numbers(model: nn.Module, predicts_numbers: bool) -> None:
    """Say whether ``model`` predicts numbers, by the squared loss; one of which nothing is said predicts classes."""
    setattr(model, MARK, predicts_numbers)


def predicts_numbers(model: nn.Module) -> bool:
    """Whether the loss of ``model`` is the squared one."""
    return bool(getattr(model, MARK, False))


def losses(model: nn.Module, outputs: Tensor, targets: Tensor) -> Tensor:
    """The loss of each example, (n,)."""
    if not predicts_numbers(model):
        return cross_entropy(outputs, targets, reduction="none")
    return _squares(outputs, targets).sum(dim=1) / 2


def mean_loss(model: nn.Module, outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over the examples."""
    if not predicts_numbers(model):
        return cross_entropy(outputs, targets)
    return _squares(outputs, targets).sum() / (2 * len(targets))


def summed_loss(model: nn.Module, outputs: Tensor, targets: Tensor) -> Tensor:
    """The sum over the examples."""
    if not predicts_numbers(model):
        return cross_entropy(outputs, targets, reduction="sum")
    return _squares(outputs, targets).sum() / 2


def curvatures(model: nn.Module, z: Tensor, first: Tensor, second: Tensor, targets: Tensor) -> Tensor:
    """d²ℓ_i/da², (n,), where the outputs z have the derivatives z' (``first``) and z'' (``second``).

    Of the cross-entropy: the variance of z' under p = softmax(z), and (p − y)·z''. Of the squared loss: z'·z' and (z − y)·z''.
    """
    if predicts_numbers(model):
        return first.square().sum(dim=1) + ((z - targets) * second).sum(dim=1)
    p = z.softmax(dim=1)
    y = targets if targets.is_floating_point() else one_hot(targets, z.shape[1]).to(p)
    centred = first - (p * first).sum(dim=1, keepdim=True)
    return (p * centred.square()).sum(dim=1) + ((p - y) * second).sum(dim=1)


def curvature_scales(model: nn.Module, z: Tensor, first: Tensor, second: Tensor, targets: Tensor) -> Tensor:
    """The size, (n,), of what `curvatures` adds up, of which rounding leaves a part."""
    if predicts_numbers(model):
        size = z.abs().amax(dim=1) + targets.abs().amax(dim=1)
        return first.square().sum(dim=1) + size * second.abs().sum(dim=1)
    return first.abs().amax(dim=1).square() + second.abs().amax(dim=1)


def _squares(outputs: Tensor, targets: Tensor) -> Tensor:
    if outputs.shape != targets.shape:  # which PyTorch would broadcast
        raise ValueError(f"outputs of shape {tuple(outputs.shape)} for numbers of shape {tuple(targets.shape)}")
    return torch.square(outputs - targets)
