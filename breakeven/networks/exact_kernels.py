"""Kernels that have all derivatives, in place of fused ones that have not."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Attention in primitive operations inside the block: the fused kernels have neither forward mode nor double backward.

    They raise and do not mislead, but PyTorch chooses them by itself: `torch.nn.functional.scaled_dot_product_attention`
    in general, and `torch.nn.MultiheadAttention` its own where no gradient is recorded.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
