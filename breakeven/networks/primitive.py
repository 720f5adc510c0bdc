"""PyTorch's normalisation layers replaced by those in primitive operations, through which every derivative is right."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from breakeven.networks.batch_norm import BatchNorm2d
from breakeven.networks.layer_norm import LayerNorm
from breakeven.store.errors import UserError


def with_primitive_normalisation(model: nn.Module) -> nn.Module:
    """``model`` with each `torch.nn.BatchNorm2d` and `torch.nn.LayerNorm` replaced in place by ours; the new root.

    Parameters and running averages are the same objects under the same names; only ``num_batches_tracked`` is gone.
    Group and RMS normalization stay, whose derivatives are right. Refused are the normalisations whose derivatives are
    wrong and that have no replacement: one- and three-dimensional, synchronised and instance normalization, and
    subclasses, since what they do instead is not known.
    """
    return _replaced(model, "", {})


def _replaced(module: nn.Module, path: str, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """The replacement of ``module``, the same one wherever the module is used again."""
    if module not in done:
        done[module] = _primitive(module, path)
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = _replaced(child, f"{path}.{name}" if path else name, done)
    return done[module]


def _primitive(module: nn.Module, path: str) -> nn.Module:
    if type(module) is nn.BatchNorm2d:
        return _batch_norm(module, path)
    if type(module) is nn.LayerNorm:
        return _layer_norm(module)
    if isinstance(module, _NormBase | nn.LayerNorm):
        raise _refusal(module, path, "whose second derivatives PyTorch gets wrong")
    return module


def _batch_norm(theirs: nn.BatchNorm2d, path: str) -> BatchNorm2d:
    if theirs.weight is None or theirs.running_mean is None or theirs.running_var is None or theirs.momentum is None:
        raise _refusal(theirs, path, "without weight, running averages or momentum")
    ours = BatchNorm2d(theirs.num_features, theirs.eps, theirs.momentum)
    ours.weight, ours.bias = theirs.weight, theirs.bias
    ours.running_mean, ours.running_var = theirs.running_mean, theirs.running_var
    return ours.train(theirs.training)


def _layer_norm(theirs: nn.LayerNorm) -> LayerNorm:
    ours = LayerNorm(theirs.normalized_shape, theirs.eps)
    ours.weight, ours.bias = theirs.weight, theirs.bias
    return ours.train(theirs.training)


def _refusal(module: nn.Module, path: str, what: str) -> UserError:
    name = f"layer '{path}'" if path else "the network"
    return UserError(
        f"{name} is a torch.nn {type(module).__name__} {what}: it can't be measured; "
        "use BatchNorm2d, LayerNorm, GroupNorm or RMSNorm as they are"
    )
