"""The device a job runs on, chosen once, without silent fall-backs."""

import torch

from breakeven.errors import UserError

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def choose_device(name: str, threads: int) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device, and set torch up for reproducible numbers on it.

    On a CPU the number of threads decides the order of sums, so that it is set and not left to the machine. On CUDA,
    convolutions are deterministic and float32 is float32 (no TF32).
    """
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: 'cuda' was asked for, but torch sees no CUDA device here; allowed: auto, cpu")
    return torch.device(name)
