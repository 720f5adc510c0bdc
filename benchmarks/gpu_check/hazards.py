"""Where the host waits for the GPU in ten training steps: file and line of each synchronisation, by CUDA's own warnings.

One is expected: of who asks at the end whether all was finite.

On a CPU there are none; there the steps are only taken.
"""

import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import step
import torch

import breakeven
from breakeven.training.device_steps import COMPARED, PLAIN
from gpu_check.check import Check
from gpu_check.trainings import pictures, steps_taken

PACKAGE = Path(breakeven.__file__).parent
CASES: dict[str, tuple[dict[str, object], dict[str, object]]] = {  # options of SimpleCNN, changes of the run
    "plain": ({}, {}),
    "crop_flip": ({}, {"augmentation": "crop_flip"}),
    "momentum and weight decay": ({}, {"momentum": 0.9, "weight_decay": 1e-3}),
    "label smoothing": ({}, {"label_smoothing": 0.1}),
    "dropout": ({"dropout": 0.5}, {}),
    "bfloat16": ({}, {"precision": "bfloat16"}),
}
STEPS = 10
EXPECTED = 1


def run(check: Check) -> None:
    """A row for each kind of training."""
    device = check.torch_device()
    examples = pictures(128 if check.quick else 1024, device)
    for name, (options, changes) in CASES.items():
        with check.attempt(name):
            training = step.training(examples, options | (step.TINY if check.quick else {}), 32, **changes)
            steps_taken(
                training, PLAIN + COMPARED + 1
            )  # recording and comparing wait; they are done once a learning rate
            if check.on_gpu:
                torch.cuda.synchronize(device)
                torch.cuda.set_sync_debug_mode("warn")
            try:
                places = synchronisations(lambda: steps_taken(training, STEPS))  # noqa: B023
            finally:
                if check.on_gpu:
                    torch.cuda.set_sync_debug_mode("default")
            where = ", ".join(f"{place} {count} times" for place, count in places.items())
            found = f"{places.total()}: {where or 'nowhere'}" if check.on_gpu else "taken"
            right = places.total() <= EXPECTED if check.on_gpu else None
            check.tell(f"synchronisations in {STEPS} steps, {name}", found, right)


def synchronisations(function: Callable[[], object]) -> Counter[str]:
    """How often each line of the package synchronised; a line elsewhere where none of the package led to it."""
    places: Counter[str] = Counter()

    def note(message: Warning | str, category: type, filename: str, lineno: int, *_: object) -> None:
        if "called a synchronizing" not in str(message):
            return
        frames = [frame for frame in traceback.extract_stack() if PACKAGE in Path(frame.filename).parents]
        inner = (frames[-1].filename, frames[-1].lineno) if frames else (filename, lineno)
        places[f"{Path(inner[0]).name}:{inner[1]}"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note  # type: ignore[assignment]
        function()
    return places
