"""Two trainings at once on one GPU: with one slot the second waits for the first, with two neither waits."""

import subprocess
import time

from gpu_check.check import Check
from gpu_check.whole_runs import last_line, prepared, training


def run(check: Check) -> None:
    """A row for one slot and for two. The locks are in the folder of this phase, so that no other one takes the slots."""
    prepared(check)
    for slots in (1, 2):
        start = time.perf_counter()
        commands = [training(check, f"slots{slots}-{seed}", check.device, slots, seed=seed) for seed in (0, 1)]
        trainings = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
        said = [each.communicate()[1] for each in trainings]
        print(*said, sep="\n")
        codes = [each.returncode for each in trainings]
        waited = sum("waiting for a free slot" in text for text in said)
        expected = 1 if check.on_gpu and slots == 1 else 0
        found = f"{waited} waited, {time.perf_counter() - start:.1f} s"
        if any(codes):
            found += f"; ended with {codes}: {[last_line(text) for text in said]}"
        check.tell(f"two trainings, {slots} slot{'s'[: slots - 1]}", found, codes == [0, 0] and waited == expected)
