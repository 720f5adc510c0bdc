"""The floating-point precision that a training computes in; its weights and its measurements are apart from it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from breakeven.store.errors import UserError

# of the weights, by the precision of the computation
WEIGHTS = {
    "float32": torch.float32,
    "float64": torch.float64,
    "tf32": torch.float32,
    "bfloat16": torch.float32,
}


def computing(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Forward and backward passes inside the block compute in ``precision``.

    ``tf32``: matrix products and convolutions of float32 numbers are rounded to TF32's 10 bits, which only CUDA devices
    have: an error elsewhere. ``bfloat16``: PyTorch's autocast, with weights, sums and losses in float32.
    """
    if precision == "tf32":
        if device.type != "cuda":
            raise UserError(f"precision: 'tf32' needs a CUDA device, and this run trains on '{device}'")
        return _tf32()
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def _tf32() -> Iterator[None]:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
