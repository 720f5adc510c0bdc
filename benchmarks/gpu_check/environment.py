"""The machine: versions, what is not installed, and the most that the device can do: bytes copied, products of matrices."""

import importlib.util
import platform

import common
import torch

from gpu_check.check import Check

PACKAGES = ("numpy", "pandas", "safetensors", "scikit-learn", "scipy", "torchvision", "transformers")
OPTIONAL = ("altair", "jsonschema", "pydantic", "snakemake", "vl_convert")  # no phase needs them
REPEATS = 5


def run(check: Check) -> None:
    """Tell all of it."""
    check.tell("kernel", platform.platform())
    check.tell("versions", ", ".join(f"{name} {common.version_of(name) or 'MISSING'}" for name in PACKAGES))
    missing = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    check.tell("not installed", ", ".join(missing) or "nothing")
    device = check.torch_device()
    check.tell("machine", common.machine(device))
    if check.on_gpu:
        check.tell("GPU", of_gpu(device))
    check.tell("copy, read and written", f"{copied(check, device) / 1e12:.3f} TB/s")
    for dtype in (torch.float32, torch.float64):
        check.tell(f"matrix products in {dtype}", f"{products(check, device, dtype) / 1e12:.3f} TFLOP/s")


def of_gpu(device: torch.device) -> str:
    """Size, and what a process takes before it does anything."""
    torch.zeros(1, device=device)
    free, total = torch.cuda.mem_get_info(device)
    properties = torch.cuda.get_device_properties(device)
    return (
        f"{properties.multi_processor_count} multiprocessors, {total / 2**30:.0f} GiB, of which {(total - free) / 2**20:.0f} MiB "
        f"are taken by an empty process and others; CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    )


def copied(check: Check, device: torch.device) -> float:
    """Bytes a second from memory of the device to memory of the device."""
    source = torch.ones(2**24 if check.quick else 2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * len(source) / seconds(lambda: target.copy_(source), device)


def products(check: Check, device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second."""
    matrix = torch.randn(256 if check.quick else 4096, 256 if check.quick else 4096, device=device).to(dtype)
    torch.backends.cuda.matmul.allow_tf32 = False
    return 2 * len(matrix) ** 3 / seconds(lambda: matrix @ matrix, device)


def seconds(function, device: torch.device) -> float:
    """The least of a few calls, after one that is not timed."""
    return min(common.by_turns({"": function}, REPEATS, device)[""])
