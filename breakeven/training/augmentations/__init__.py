"""How mini-batches are augmented, one module for each way: an `Augmentation`.

The random numbers are drawn apart from their use: on the CPU, where they are the same for every device, and so that a GPU can be
given those of many steps at once.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Augmentation(Protocol):
    """What a module of this package holds."""

    def draw(self, count: int, generator: "Generator") -> "Tensor":
        """All random numbers for ``count`` inputs, from the CPU ``generator``, as one tensor, always of the same shape."""

    def augment(self, raw: "Tensor", draws: "Tensor") -> "Tensor":
        """Stored inputs, changed by what was drawn, on the device that holds them; nothing there waits for the host."""
