"""How long a training step takes, beside a bare one, by turns; and how long the GPU is busy in it.

Ours is `steps_taken`; the bare step is that of ``step.py``: forward, backward and update of mini-batches that are ready. The
weights of the two must be equal to the bit at the end. Busy is the time in which a kernel or a copy runs, by torch.profiler.
"""

import statistics
from collections.abc import Iterable

import common
import step
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from breakeven.training.training import Training
from gpu_check.check import Check
from gpu_check.trainings import pictures, steps_taken

SIZES = {"simple_cnn": (8, 32, 128, 512), "resnet32": (128,)}
QUICK_SIZES = {"simple_cnn": (8, 32)}
COUNT, REPEATS = 20, 8  # steps at a time, and how often


def run(check: Check) -> None:
    """Rows for each network and batch size."""
    device = check.torch_device()
    examples = pictures(256 if check.quick else 8192, device)
    for network, sizes in (QUICK_SIZES if check.quick else SIZES).items():
        for size in sizes:
            with check.attempt(f"{network}, S = {size}"):
                compare(check, network, size, examples)


def compare(check: Check, network: str, size: int, examples: common.Examples) -> None:
    """Time both, and compare their weights."""
    count, repeats = (2, 2) if check.quick else (COUNT, REPEATS)
    options = step.TINY if check.quick else {}
    ours, bare = (step.training(examples, options, size, network=network) for _ in range(2))
    batches = [step.mini_batch(bare, number) for number in range(count * (repeats + 1))]

    def bare_steps() -> None:
        for _ in range(count):
            step.bare_step(bare, *batches[bare.step])

    times = common.by_turns({"ours": lambda: steps_taken(ours, count), "bare": bare_steps}, repeats, ours.device)
    what = f"{network}, S = {size}"
    for name, seconds in times.items():
        check.tell(f"{what}: {name}", f"{statistics.median(seconds) / count * 1e6:.0f} µs a step")
    check.tell(f"{what}: ours / bare", common.ratio_text(times["ours"], times["bare"]))
    equal = all(map(torch.equal, ours.model.parameters(), bare.model.parameters()))
    check.tell(f"{what}: as a CUDA graph", ours.replayed, ours.replayed == check.on_gpu)
    check.tell(f"{what}: equal to the bit", f"after {ours.step} steps: {equal}", equal and ours.step == bare.step)
    if check.on_gpu:
        check.tell(f"{what}: GPU busy", kernels(ours))


def kernels(training: Training) -> str:
    """What runs on the GPU in a step."""
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
        steps_taken(training, COUNT)
        common.synchronise(training.device)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profiled.events()
        if event.device_type == DeviceType.CUDA and not getattr(event, "is_user_annotation", False)
    ]
    return f"{covered(spans) / COUNT:.0f} µs a step, in {len(spans) / COUNT:.0f} kernels and copies"


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of ``spans``."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
