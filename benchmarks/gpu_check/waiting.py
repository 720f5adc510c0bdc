"""How much of a GPU's memory a job holds while it waits for a slot: none, or several jobs that wait would fill it.

This process has the only slot, and looks at the GPU's free memory before and while a training waits for it.
"""

import subprocess
import time

import torch

from breakeven.jobs.device import choose_device
from gpu_check.check import Check
from gpu_check.whole_runs import training

SECONDS = 3.0  # after it said that it waits
MOST_MB = 50


def run(check: Check) -> None:
    """One row."""
    if not check.on_gpu:
        check.tell("a job that waits", "none, on a CPU")
        return
    command = training(check, "waiting", check.device)
    device = choose_device(check.device, 1, 1)
    torch.ones(1, device=device)  # all that CUDA takes for this process
    before, _ = torch.cuda.mem_get_info()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = next((line for line in process.stderr if "waiting for a free slot" in line), "")
        time.sleep(SECONDS)
        after, _ = torch.cuda.mem_get_info()
    finally:
        process.kill()
        process.wait()
    held = (before - after) >> 20
    check.tell(
        "memory of a job that waits", f"{held} MiB" if said else "it did not wait", bool(said) and held < MOST_MB
    )
