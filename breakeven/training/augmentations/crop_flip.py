"""Random crop and flip of a mini-batch of pictures, on the device that holds them."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PADDING = 4


def draw(count: int, generator: torch.Generator) -> Tensor:
    """For each of ``count`` pictures, int64 (3, count): top and left of its window, and 1 where it is mirrored."""
    offsets = torch.randint(0, 2 * PADDING + 1, (2, count), generator=generator)
    flipped = torch.rand(count, generator=generator) < 0.5
    return torch.cat([offsets, flipped[None].to(torch.int64)])


def augment(images: Tensor, draws: Tensor) -> Tensor:
    """Pad by four zero pixels, cut out a random window of the old size, and mirror with probability 1/2.

    ``images``: uint8 (batch, channels, height, width). ``draws``: see `draw`.
    """
    count, channels, height, width = images.shape
    top, left, flipped = draws
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    columns = torch.where(flipped[:, None] > 0, columns.flip(1), columns)
    index = (rows[:, :, None] * (width + 2 * PADDING) + columns[:, None, :]).reshape(count, 1, -1)
    padded = pad(images, (PADDING,) * 4).flatten(2)
    return padded.gather(2, index.expand(-1, channels, -1)).reshape(images.shape)
