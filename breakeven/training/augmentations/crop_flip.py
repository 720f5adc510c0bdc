"""Random crop and flip of a mini-batch of pictures, on the device that holds them."""

import torch
from torch import Tensor
from torch.nn.functional import pad

PADDING = 4


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pad by four zero pixels, cut out a random window of the old size, and mirror with probability 1/2.

    ``images``: uint8 (batch, channels, height, width). The draws come from the CPU ``generator``, so that they are
    the same on every device.
    """
    count, channels, height, width = images.shape
    top, left = torch.randint(0, 2 * PADDING + 1, (2, count), generator=generator)
    flipped = torch.rand(count, generator=generator) < 0.5
    rows = top[:, None] + torch.arange(height)
    columns = left[:, None] + torch.arange(width)
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    index = (rows[:, :, None] * (width + 2 * PADDING) + columns[:, None, :]).reshape(count, 1, -1).to(images.device)
    padded = pad(images, (PADDING,) * 4).flatten(2)
    return padded.gather(2, index.expand(-1, channels, -1)).reshape(images.shape)
