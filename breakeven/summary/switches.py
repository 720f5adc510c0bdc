"""Which switches of its learning rate a run reached, and why it did not reach the others; from its ``training.json``."""

from collections.abc import Iterator
from typing import Any


def first_switch(training: dict[str, Any]) -> int | None:
    """The step of the first switch that the run reached; None where it reached none."""
    return min((step for step, _ in training["learning_rates"][1:] if not _ended_before(training, step)), default=None)


def unreached(training: dict[str, Any]) -> Iterator[str]:
    """A sentence on each switch of the run's schedule that it never reached."""
    schedule, switches = training["spec"].get("schedule", []), training["learning_rates"][1:]
    pointless = len(switches) < len(
        schedule
    )  # where there is no break-even point, none of the switches that count in it is
    steps = iter(switches)
    for switch in schedule:
        if pointless and switch.get("unit") == "break_even":
            reason = "there is no break-even point to switch at"
        else:
            reason = _ended_before(training, next(steps)[0])
        if reason:
            yield f"the learning rate never switches to {switch['learning_rate']:g}: {reason}"


def _ended_before(training: dict[str, Any], step: int) -> str:
    """How the run ended before the SGD step from θ at ``step``, where a switch takes effect; empty where it took that step.

    A run that stops, or ends, still takes the step from there, whose result is in its last snapshot; one that diverges doesn't.
    """
    diverged, stopped = training["diverged_step"], training["stopped_step"]
    ends = {
        f"the run diverged at step {diverged}": diverged is not None and step >= diverged,
        f"the run stopped at step {stopped}": stopped is not None and step > stopped,
        f"the run ends at step {training['steps']}": step > training["steps"],
    }
    return next((f"{words}, before the switch at step {step}" for words, ended in ends.items() if ended), "")
