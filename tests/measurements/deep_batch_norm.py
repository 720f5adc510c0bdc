"""Batch normalization of maps of one pixel, again and again: of two examples it divides by almost nothing."""

from torch import nn

from breakeven.networks.batch_norm import BatchNorm2d


def build(input_shape: tuple[int, ...], classes: int, *, depth: int = 6) -> nn.Module:
    """The network of a config."""
    numbers = input_shape[0] * input_shape[1] * input_shape[2]
    layers: list[nn.Module] = [nn.Flatten(), nn.Unflatten(1, (numbers, 1, 1))]
    for _ in range(depth):
        layers += [nn.Conv2d(numbers, 32, 1), BatchNorm2d(32), nn.ReLU()]
        numbers = 32
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, classes))
