"""One random generator per purpose, all from the run's seed.

A generator is made anew from (seed, purpose, indices), for instance the order of epoch 3 or the crops of step 812.
So there is no generator state to save: an interrupted training goes on with the same numbers.
"""

import numpy as np
import torch

from breakeven.specs.purposes import PURPOSES


def derived_seed(seed: int, purpose: str, *indices: int) -> int:
    """A 63-bit seed for (seed, purpose, indices); different arguments give independent streams."""
    words = np.random.SeedSequence([seed, PURPOSES[purpose], *indices]).generate_state(2, np.uint32)
    return (int(words[0]) << 31) ^ int(words[1])


def generator(seed: int, purpose: str, *indices: int) -> torch.Generator:
    """A CPU generator for (seed, purpose, indices): on the CPU, so that every device draws the same numbers."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, *indices))
