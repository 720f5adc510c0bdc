"""When a run's snapshots are taken and its learning rate switches, in steps.

Step t is the update θ_t → θ_{t+1}; a snapshot at step t holds θ_t, so that step 0 is the initialisation and the last
one, equal to the length of the run, is the end.
"""

from breakeven.config.run_spec import RunSpec


def total_steps(spec: RunSpec, steps_per_epoch: int) -> int:
    """The length of the run."""
    if spec.steps is not None:
        return spec.steps
    assert spec.epochs is not None, "a run has either steps or epochs"
    return spec.epochs * steps_per_epoch


def snapshot_steps(spec: RunSpec, steps_per_epoch: int) -> list[int]:
    """The steps with a snapshot, sorted: 0, every ``every`` steps from where each segment starts, and the last."""
    last = total_steps(spec, steps_per_epoch)
    steps = {0, last}
    start = 0
    for segment in spec.snapshots:
        end = last if segment.until is None else min(last, _steps(segment.until, segment.unit, steps_per_epoch))
        every = _steps(segment.every, segment.unit, steps_per_epoch)
        steps.update(range(start + every, end + 1, every))
        start = max(start, end)
    return sorted(steps)


def learning_rate_at(spec: RunSpec, step: int, steps_per_epoch: int) -> float:
    """The learning rate of the update from ``step`` to the next: that of the last switch at or before ``step``."""
    learning_rate = spec.learning_rate
    for switch in spec.schedule:
        if _steps(switch.at, switch.unit, steps_per_epoch) <= step:
            learning_rate = switch.learning_rate
    return learning_rate


def _steps(count: int, unit: str, steps_per_epoch: int) -> int:
    return count * steps_per_epoch if unit == "epoch" else count
