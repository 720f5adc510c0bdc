"""A training that SIGTERM ends, then SIGKILL, and that is finished then: its snapshots are those of one that was left alone."""

import signal
import subprocess
import time

from gpu_check.check import Check
from gpu_check.whole_runs import snapshots, state_of, succeeded, training

ENDED = {signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGKILL: -signal.SIGKILL}  # exit codes of what a signal ended
MORE = 2  # snapshots, before the signal comes
SECONDS = 60


def run(check: Check) -> None:
    """A row for each signal, and one for the bytes."""
    succeeded(training(check, "whole", check.device))
    for number, code in ENDED.items():
        ended, text = interrupted(check, number)
        said = [line for line in text.splitlines() if "ended by" in line or "from step" in line]
        check.tell(f"after {number.name}", f"exit code {ended}; {'; '.join(said)}", ended == code)
    succeeded(training(check, "interrupted", check.device))
    whole, found = snapshots(check, "whole"), snapshots(check, "interrupted")
    equal = sum(map(str.__eq__, whole, found))
    check.tell("snapshots equal to the byte", f"{equal} of {len(whole)}", whole == found)


def interrupted(check: Check, number: signal.Signals) -> tuple[int, str]:
    """Start the training, and send the signal when it has saved some snapshots more; its exit code, and what it said."""
    folder = state_of(check, "interrupted") / "snapshots"
    there = len(list(folder.glob("step-*.safetensors")))
    process = subprocess.Popen(training(check, "interrupted", check.device), stderr=subprocess.PIPE, text=True)
    start = time.monotonic()
    while process.poll() is None and time.monotonic() - start < SECONDS:
        if len(list(folder.glob("step-*.safetensors"))) >= there + MORE:
            break
        time.sleep(0.005)
    process.send_signal(number)
    _, said = process.communicate()
    print(said)
    return process.returncode, said
