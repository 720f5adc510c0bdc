"""Which switches of its learning rate a run reached, and why it did not reach the others; from its ``training.json``."""

from collections.abc import Iterator
from typing import Any

from breakeven.config.run_spec import Switch


def first_switch(training: dict[str, Any]) -> int | None:
    """The step of the first switch that the run reached; None where it reached none."""
    return min((step for step, _ in training["learning_rates"][1:] if not _ended_before(training, step)), default=None)


def unreached(training: dict[str, Any]) -> Iterator[str]:
    """A sentence on each switch of the run's schedule that it never reached."""
    switches = [Switch(**switch) for switch in training["spec"].get("schedule", [])]
    counted = [switch for switch in switches if switch.unit == "break_even"]
    per_unit = {"step": 1, "epoch": training["steps_per_epoch"]}
    steps = {switch: int(switch.at) * per_unit[switch.unit] for switch in switches if switch.unit in per_unit}
    # what is left are the steps of those that count in break-even points
    others = [list(pair) for pair in training["learning_rates"][1:]]
    for switch, step in steps.items():
        if [step, switch.learning_rate] in others:
            others.remove([step, switch.learning_rate])
    came = sorted(counted, key=lambda switch: switch.at)[: len(others)]  # the run is too short for the later ones
    steps |= dict(zip(came, sorted(step for step, _ in others), strict=True))
    for switch in switches:
        if switch in steps:
            reason = _ended_before(training, steps[switch])
        elif came:
            reason = f"{switch.at:g} times as far as the break-even point is after the end of the run"
        elif min(counted, key=lambda switch: switch.at).at <= 1:  # which any break-even point would be early enough for
            reason = "there is no break-even point to switch at"
        else:
            reason = f"there is no break-even point, or {switch.at:g} times as far is after the end of the run"
        if reason:
            yield f"the learning rate never switches to {switch.learning_rate:g}: {reason}"


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
