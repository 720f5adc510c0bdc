"""1, 2 and 4 trainings of SimpleCNN on one device at once: steps a second of all of them together.

``python -m gpu_check.processes DEVICE quick|whole S SECONDS`` is one of them. It says "ready"; then it trains for so many seconds
for each line that it is given, and says its steps a second. Those that are given none wait, and do nothing.
"""

import subprocess
import sys
import time
from contextlib import ExitStack

import common
import step

from breakeven.jobs.device import choose_device
from gpu_check.check import AT_ONCE, Check
from gpu_check.trainings import pictures, steps_taken

COUNT = 20  # steps between two looks at the clock


def run(check: Check) -> None:
    """A row for each batch size and number of processes."""
    numbers = (1, 2) if check.quick else (1, 2, 4)
    for size in (32,) if check.quick else (32, 128):
        with check.attempt(f"S = {size}"), ExitStack() as ended:
            workers = [ended.enter_context(started(check, size)) for _ in range(max(numbers))]
            for worker in workers:
                assert answer(worker) == "ready", "a training did not start"
            for number in numbers:
                check.tell(f"S = {size}, at once: {number}", f"{steps_per_second(workers[:number]):.0f} steps/s")


def started(check: Check, size: int) -> subprocess.Popen[str]:
    """A process that waits; it ends when its input does."""
    given = [check.device, "quick" if check.quick else "whole", str(size), "0.5" if check.quick else "2"]
    command = [sys.executable, "-m", "gpu_check.processes", *given]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def steps_per_second(workers: list[subprocess.Popen[str]]) -> float:
    """Of all of them together, in the same seconds."""
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return sum(float(answer(worker)) for worker in workers)


def answer(worker: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def main(device_name: str, size: str, batch_size: str, seconds: str) -> None:
    """Be one of the processes."""
    device = choose_device(device_name, 1, AT_ONCE)
    training = step.training(pictures(1024, device), step.TINY if size == "quick" else {}, int(batch_size))
    steps_taken(training, COUNT)
    common.synchronise(device)
    print("ready", flush=True)
    for _ in sys.stdin:
        first, start = training.step, time.perf_counter()
        while time.perf_counter() - start < float(seconds):
            steps_taken(training, COUNT)
            common.synchronise(device)
        print((training.step - first) / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
