"""When a run's snapshots are taken, and where it breaks even, in steps.

Step t is the update θ_t → θ_{t+1}; a snapshot at step t holds θ_t, so that step 0 is the initialisation and the last
one, equal to the length of the run, is the end.
"""

from collections.abc import Iterable, Sequence

from breakeven.specs.run import RunSpec, Segment
from breakeven.store.errors import UserError

MOST_SNAPSHOTS = 100_000


def total_steps(spec: RunSpec, steps_per_epoch: int) -> int:
    """The length of the run."""
    if spec.steps is not None:
        return spec.steps
    assert spec.epochs is not None, "a run has either steps or epochs"
    return spec.epochs * steps_per_epoch


def snapshot_steps(spec: RunSpec, steps_per_epoch: int) -> list[int]:
    """The steps with a snapshot, sorted: 0, every ``every`` steps from where each segment starts, and the last."""
    last = total_steps(spec, steps_per_epoch)
    ranges = segment_steps(spec.snapshots, last, steps_per_epoch)
    problem = snapshots_problem(ranges)
    if problem:
        raise UserError(f"snapshots: {problem}")
    return sorted({0, last}.union(*ranges))


def segment_steps(segments: Iterable[Segment], last: int, steps_per_epoch: int) -> list[range]:
    """The steps of each segment in a run of ``last`` steps."""
    ranges = []
    start = 0
    for segment in segments:
        end = last if segment.until is None else min(last, in_steps(segment.until, segment.unit, steps_per_epoch))
        every = in_steps(segment.every, segment.unit, steps_per_epoch)
        ranges.append(range(start + every, end + 1, every))
        start = max(start, end)
    return ranges


def snapshots_problem(ranges: Iterable[range]) -> str | None:
    """Why there can't be a snapshot at each of these steps, if so."""
    count = sum(map(len, ranges))
    if count <= MOST_SNAPSHOTS:
        return None
    return f"{count} snapshots of one run are too many; at most {MOST_SNAPSHOTS}: raise 'every'"


def in_steps(count: int, unit: str, steps_per_epoch: int) -> int:
    """A count of epochs, or of steps, in steps."""
    return count * steps_per_epoch if unit == "epoch" else count


def interval_of_break_even(
    sides: Iterable[tuple[float, ...]], from_stable: bool = False
) -> tuple[int | None, int] | None:
    """The first step whose left-hand side of Eq. 1 is at least 1, and before it the last one that is known, None where none is.

    None where there is no such step. ``from_stable``: the first that follows a stable one: with a preconditioner, which is
    made of few gradients in the first steps, almost everything is called unstable there.
    """
    before = None
    for step, side in sides:
        if side >= 1 and not (from_stable and before is None):
            return before, int(step)
        before = int(step) if side < 1 else before
    return None


def are_located(
    rows: Sequence[tuple[float, ...]], sides: Iterable[tuple[float, ...]], from_stable: bool = False
) -> bool:
    """Whether the ``rows`` of ``locate.csv`` begin and end where they must by the ``sides`` of the snapshots."""
    ends = [step for step in interval_of_break_even(sides, from_stable) or () if step is not None]
    steps = [step for step, *_ in rows]
    return [*steps[:1], *steps[1:][-1:]] == ends


def first_unstable(sides: Iterable[tuple[float, ...]]) -> int | None:
    """The break-even point of measured steps, each with its left-hand side of Eq. 1: the first where that is at least 1.

    NaN, not known, is passed over. None where there is none.
    """
    return next((int(step) for step, side in sides if side >= 1), None)
