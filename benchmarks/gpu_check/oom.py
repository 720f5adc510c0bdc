"""Trainings on a GPU that has too little memory end in one sentence, without a traceback.

First PyTorch's own allocator is given a limit; then another process leaves so little of the GPU that CUDA, cuBLAS or cuDNN find
no room to start. On a CPU the same training must succeed, which only tries this phase.
"""

import subprocess
import sys

from gpu_check.check import Check
from gpu_check.whole_runs import finished, last_line, training

LARGE = {
    "batch_size": 1024,
    "steps": 3,
    "snapshots": [{"every": 1}],
    "network_options": {"channels": [128, 256], "dense": 64},
}
LIMITED = """
import sys, torch
torch.cuda.set_per_process_memory_fraction(24 * 2**20 / torch.cuda.get_device_properties(0).total_memory)
from breakeven.__main__ import main
sys.exit(main())
"""
LEAVE = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
kept = torch.empty(max(1, free - int(sys.argv[1]) * 2**20), dtype=torch.uint8, device="cuda")
print("ready", flush=True)
sys.stdin.readline()
"""
MEGABYTES_LEFT = (100, 400, 600)


def run(check: Check) -> None:
    """A row for the allocator's limit, and one for each amount that is left."""
    if not check.on_gpu:
        done = finished(
            training(check, "large", check.device, **(LARGE | {"batch_size": 64} if check.quick else LARGE))
        )
        check.tell("a large training on the CPU", f"exit code {done.returncode}", done.returncode == 0)
        return
    done = finished([sys.executable, "-c", LIMITED, *training(check, "limited", check.device, **LARGE)[3:]])
    check.tell("24 MiB for PyTorch", said(done), done.returncode == 1 and in_a_sentence(done))
    for left in MEGABYTES_LEFT:
        other = subprocess.Popen(
            [sys.executable, "-c", LEAVE, str(left)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert other.stdout is not None and other.stdout.readline() == "ready\n", "the GPU could not be filled"
            done = finished(training(check, f"left{left}", check.device, **LARGE))
            check.tell(f"{left} MiB left of the GPU", said(done), done.returncode == 0 or in_a_sentence(done))
        finally:
            other.communicate("\n")


def in_a_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether it failed as it should."""
    return done.returncode == 1 and "Traceback" not in done.stderr and "out of memory" in last_line(done.stderr)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """How it ended."""
    return f"exit code {done.returncode}: {last_line(done.stderr)}"
