"""Bad luck on a machine is one sentence with what to do, exit code 1; a mistake of ours is still a traceback."""

import errno
import os
import subprocess
import sys
from argparse import Namespace

import pytest
import torch
from safetensors import SafetensorError

from breakeven import __main__ as module
from breakeven.jobs.trouble import sentence
from breakeven.stages import STAGE
from tests.tiny import tiny_dataset

CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB of which 1.06 GiB is free. "
    "Process 7 has 78.12 GiB memory in use."
)
FULL = """CUDA error: out of memory
Search for `cudaErrorMemoryAllocation' in https://docs.nvidia.com/cuda/cuda-runtime-api for more information.
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""
CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)
TOLD = {
    "no space": (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/a.csv"),
        "train",
        "train: no space is left on the disk for 'results/a.csv'; make room and type the same command again: nothing is lost",
    ),
    "quota, told by safetensors": (
        SafetensorError(f"Error while serializing: I/O error: Disk quota exceeded (os error {errno.EDQUOT})"),
        "hessian",
        "hessian: no space is left on the disk; make room and type the same command again: nothing is lost",
    ),
    "read-only": (
        OSError(errno.EROFS, os.strerror(errno.EROFS), "results/a.csv"),
        "plot",
        "plot: no permission for 'results/a.csv' (Read-only file system); you must be able to read data sets, and to "
        "write into results: and, for downloads, root:",
    ),
    "a data set of somebody else": (
        OSError(errno.EACCES, os.strerror(errno.EACCES), "/data/mnist"),
        "prepare",
        "prepare: no permission for '/data/mnist' (Permission denied); you must be able to read data sets, and to "
        "write into results: and, for downloads, root:",
    ),
    "a disk without locks": (
        OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), "results/a.lock"),
        "train",
        "train: the file system has no locks for 'results/a.lock'; results: (or, for a slot of a GPU, TMPDIR) must be a "
        "folder of one with flock",
    ),
    "a broken disk": (
        OSError(errno.EIO, os.strerror(errno.EIO), "data/x"),
        "prepare",
        "prepare: Input/output error for 'data/x'",
    ),
    "the GPU's memory, training": (
        torch.OutOfMemoryError(CUDA),
        "train",
        "train: the GPU is out of memory (Tried to allocate 2.00 GiB); lower batch_size, or slots_per_gpu if several jobs "
        "share a GPU",
    ),
    "a GPU that is full at the start": (
        torch.AcceleratorError(FULL),
        "train",
        "train: the GPU is out of memory (CUDA error: out of memory); lower batch_size, or slots_per_gpu if several jobs "
        "share a GPU",
    ),
    "a GPU without room for cuBLAS": (
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        "stability",
        "stability: the GPU is out of memory (CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`); "
        "lower memory_mb or the batch_size of that measurement, or slots_per_gpu if several jobs share a GPU",
    ),
    "the GPU's memory, measuring": (
        torch.OutOfMemoryError(CUDA),
        "hessian",
        "hessian: the GPU is out of memory (Tried to allocate 2.00 GiB); lower memory_mb or the batch_size of that "
        "measurement, or slots_per_gpu if several jobs share a GPU",
    ),
    "torch's memory": (
        RuntimeError(CPU),
        "covariance",
        "covariance: out of memory (Tried to allocate 4000000000000 bytes); ",
    ),
    **{
        f"a GPU without room, {status}": (
            RuntimeError(status),
            "train",
            f"train: the GPU is out of memory ({status}); lower batch_size, or slots_per_gpu",
        )
        for status in (
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR",
            "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED",
            "CUDA driver error: out of memory",
        )
    },
    "more than there are addresses": (
        RuntimeError("Storage size calculation overflowed with sizes=[1000000000, 1000000000, 3, 3]"),
        "train",
        "train: out of memory (Storage size calculation overflowed with sizes=[1000000000, 1000000000, 3, 3]); ",
    ),
    "Python's memory": (MemoryError(), "embed", "embed: out of memory (MemoryError); lower memory_mb"),
}


@pytest.mark.parametrize("trouble", TOLD)
def test_the_sentence(trouble, monkeypatch, capsys, tmp_path):
    error, stage, words = TOLD[trouble]

    def fail(*arguments):
        raise error

    monkeypatch.setattr(module, "parse", lambda arguments: Namespace(stage=STAGE[stage]))
    monkeypatch.setattr(module, "call", fail)
    monkeypatch.setattr(module, "end_on_signals", lambda: None)
    assert module.main([]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {words}") and told.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        ValueError("CUDA error: out of memory"),
        RuntimeError("shapes do not match"),
        SafetensorError("header"),
    ],
)
def test_a_mistake_of_ours_is_no_sentence(error):
    assert sentence(error, "train") is None


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 300 kB that is full of other things but for what ``room`` says."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", folder]).returncode:
        pytest.skip("no small disk can be mounted here: that needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def train(data, folder):
    """The train stage as its rule calls it, on the tiny data set."""
    from breakeven.specs.run import canonical_json
    from tests.tiny import tiny_spec

    spec = canonical_json(tiny_spec(network_options={"channels": [8, 16], "dense": 64}, steps=20))
    where = ["--data", data, "--out", folder / "out", "--state", folder / "state", "--device", "cpu"]
    command = [sys.executable, "-m", "breakeven", "train", "--spec", spec, *where]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_full_disk_is_told_and_nothing_is_lost(small_disk, tmp_path):
    data = tiny_dataset(tmp_path / "data")
    (small_disk / "other").write_bytes(bytes(100_000))
    full = train(data, small_disk)
    assert full.returncode == 1, full.stderr
    assert full.stderr.splitlines()[-1].startswith("error: train: no space is left on the disk")
    assert "Traceback" not in full.stderr
    assert not list(small_disk.rglob("*.tmp*")) and not (small_disk / "out/training.json").exists()
    (small_disk / "other").unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)  # room was made
    assert train(data, small_disk).returncode == 0
    assert train(data, tmp_path).returncode == 0
    for name in ("history.csv", "training.json"):
        assert (small_disk / "out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_a_read_only_folder_is_told(small_disk, tmp_path):
    data = tiny_dataset(tmp_path / "data")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    refused = train(data, small_disk)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith("error: train: no permission for") and "(Read-only file system)" in line
