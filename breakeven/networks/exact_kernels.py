"""Kernels that have all derivatives, in place of fused ones that have not."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def exact_kernels(model: nn.Module | None = None) -> Iterator[None]:
    """Attention in primitive operations inside the block: the fused kernels have neither forward mode nor double backward.

    They raise and do not mislead, but PyTorch chooses them by itself: `torch.nn.functional.scaled_dot_product_attention`
    in general, and `torch.nn.MultiheadAttention` its own where no gradient is recorded. Where ``model`` has recurrent layers
    of PyTorch's own, cuDNN is off as well, whose recurrent kernels have no double backward; convolutions of other networks
    keep it. What `torch.compile` compiled, which has no double backward, runs as it was written.
    """
    recurrent = model is not None and any(isinstance(module, nn.RNNBase) for module in model.modules())
    fast_path, cudnn = torch.backends.mha.get_fastpath_enabled(), torch.backends.cudnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    torch.backends.cudnn.enabled = cudnn and not recurrent
    try:
        # where nothing is compiled, the compiler isn't imported, which takes seconds
        written = torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
        with sdpa_kernel(SDPBackend.MATH), written:
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        torch.backends.cudnn.enabled = cudnn
