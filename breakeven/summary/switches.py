"""Which switches of its learning rate a run reached, and why it did not reach the others."""

from breakeven.store.training_record import SwitchAtStep, TrainingRecord


def first_switch(training: TrainingRecord) -> int | None:
    """The step of the first switch that the run reached; None where it reached none."""
    steps = [switch.step for switch in training.switches if switch.step is not None and not _why_not(training, switch)]
    return min(steps, default=None)


def unreached(training: TrainingRecord) -> list[str]:
    """A sentence on each switch of the run's schedule that it never reached, and on each multiplier that never took effect."""
    sentences = [
        f"the learning rate has no {kind}: there is no break-even point to count in" for kind in training.never
    ]
    for switch in training.switches:
        reason = _why_not(training, switch)
        if reason:
            sentences.append(f"the learning rate never switches to {switch.learning_rate:g}: {reason}")
    return sentences


def _why_not(training: TrainingRecord, switch: SwitchAtStep) -> str:
    """Why the run did not take the SGD step from θ at the step where the switch takes effect; empty where it did.

    A run that stops, or ends, still takes the step from there, whose result is in its last snapshot; one that diverges doesn't.
    """
    step, diverged, stopped = switch.step, training.diverged_step, training.stopped_step
    if step is None:
        return "there is no break-even point to switch at"
    if diverged is not None and step >= diverged:
        end = f"the run diverged at step {diverged}"
    elif stopped is not None and step > stopped:
        end = f"the run stopped at step {stopped}"
    elif step > training.steps:
        end = f"the run ends at step {training.steps}"
    else:
        return ""
    return f"{end}, before the switch at step {step}"
