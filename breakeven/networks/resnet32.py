"""ResNet-32 for CIFAR-10 (He, Zhang, Ren, Sun, 2015, section 4.2), with batch normalization and without.

A 3×3 convolution, three stages of five basic blocks with 16, 32 and 64 channels, the second and third at half of the
resolution before, global average pooling, one linear layer; 464,154 parameters with batch normalization. Shortcuts have no
parameters (option A): where a stage begins, every second pixel, and zeros for the new channels. Without batch
normalization the convolutions have biases instead, and the second convolution of each block starts at zero, so that the
network starts as the identity and can be trained at all (as in Zhang, Dauphin, Ma, "Fixup", ICLR 2019).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from breakeven.networks.batch_norm import BatchNorm2d

CHANNELS = (16, 32, 64)
BLOCKS = 5  # in each stage


def resnet32(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """ResNet-32 without batch normalization."""
    return _resnet(input_shape, classes, batch_norm=False)


def resnet32_bn(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """ResNet-32 with batch normalization after each convolution, as published."""
    return _resnet(input_shape, classes, batch_norm=True)


class Block(nn.Module):
    """relu(shortcut(x) + conv(relu(conv(x)))), both convolutions 3×3, the first with the stride."""

    def __init__(self, channels_in: int, channels: int, stride: int, batch_norm: bool):
        super().__init__()
        self.first = _convolution(channels_in, channels, stride, batch_norm)
        self.second = _convolution(channels, channels, 1, batch_norm)
        self.stride, self.new_channels = stride, channels - channels_in
        if not batch_norm:
            nn.init.zeros_(self.second.get_parameter("0.weight"))

    def forward(self, x: Tensor) -> Tensor:
        """``x``: (batch, channels, height, width)."""
        shortcut = x[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            before = self.new_channels // 2
            shortcut = pad(shortcut, (0, 0, 0, 0, before, self.new_channels - before))
        return torch.relu(shortcut + self.second(torch.relu(self.first(x))))


def _convolution(channels_in: int, channels: int, stride: int, batch_norm: bool) -> nn.Sequential:
    convolution = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=not batch_norm)
    nn.init.kaiming_normal_(convolution.weight)
    if not batch_norm:
        nn.init.zeros_(convolution.get_parameter("bias"))
    return nn.Sequential(convolution, *([BatchNorm2d(channels)] if batch_norm else []))


def _resnet(input_shape: tuple[int, int, int], classes: int, batch_norm: bool) -> nn.Module:
    channels_in = CHANNELS[0]
    layers: list[nn.Module] = [_convolution(input_shape[0], channels_in, 1, batch_norm), nn.ReLU()]
    for stage, channels in enumerate(CHANNELS):
        for block in range(BLOCKS):
            layers.append(Block(channels_in, channels, 2 if stage and not block else 1, batch_norm))
            channels_in = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, classes))
