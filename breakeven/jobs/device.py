"""The device a job runs on, chosen once, without silent fall-backs."""

import os

import torch
from filelock import FileLock

from breakeven.jobs import gpu_slots
from breakeven.store.errors import UserError

SHARE = 0.5  # of a GPU's memory; the rest is for CUDA, the bases of eigensolvers, and what the allocator can't use

_leased: list[FileLock] = []  # the slots that this process has, until it ends


def choose_device(name: str, threads: int, slots_per_gpu: int = 1) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device, with this many threads on a CPU.

    On a GPU, the process takes one of its slots, and waits until one is free, see `breakeven.jobs.gpu_slots`.
    On a CPU the number of threads decides the order of sums, so that it is set and not left to the machine.
    """
    torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device: 'cuda' was asked for, but torch sees no CUDA device here; allowed: auto, cpu")
    return torch.device(name) if name == "cpu" else _gpu(slots_per_gpu)


def memory_mb(device: torch.device, slots_per_gpu: int, on_a_cpu: int) -> int:
    """What a job may take for gradients where its config does not say, in megabytes: half of a GPU, shared by its slots.

    ``on_a_cpu``: what it may take on a CPU, whose memory others use, too.
    """
    if device.type == "cpu":
        return on_a_cpu
    return int(SHARE * torch.cuda.get_device_properties(device).total_memory / slots_per_gpu) >> 20


def _gpu(slots: int) -> torch.device:
    """A GPU with a free slot; under Slurm the one that Slurm gave to this job alone, if it sees no other.

    Of the several GPUs of an allocation that jobs share, as in ``salloc --gpus=4``, each leases one.
    """
    # so that the same numbers come out each time; read by cuBLAS when it starts
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if "SLURM_JOB_ID" in os.environ and torch.cuda.device_count() == 1:
        return torch.device("cuda")
    gpus = [_name(index) for index in range(torch.cuda.device_count())]
    index, lock = gpu_slots.lease(gpus, slots, gpu_slots.folder())
    _leased.append(lock)
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _name(index: int) -> str:
    """The same name for the same GPU in all processes, whatever CUDA_VISIBLE_DEVICES lets them see."""
    return str(torch.cuda.get_device_properties(index).uuid)
