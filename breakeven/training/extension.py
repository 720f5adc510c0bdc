"""A run goes on from where a shorter one ended that took the same steps up to there; it has the bytes of one trained at one go.

The shorter run took step T, its last one, as the longer one does, and kept its state after it. What the longer run would have
recorded up to there is taken from it, and no more: not its evaluation and snapshot at T, where the longer one has none.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from breakeven.specs.run import RunSpec, begins_as, run_id, source_of
from breakeven.specs.run_file import read_spec
from breakeven.specs.schedule import snapshot_steps, total_steps
from breakeven.store import snapshots
from breakeven.store.errors import UserError
from breakeven.store.progress import say
from breakeven.store.record import is_current, recorded_key
from breakeven.store.training_record import FILE, SNAPSHOTS, SnapshotEntry, read_training
from breakeven.training.checkpoint_file import read_last_state
from breakeven.training.schedules import schedule
from breakeven.training.training import Training, TrainingState


def extend(training: Training, family: str, out: Path, state: Path) -> bool:
    """Let ``training``, which has not begun, go on from the longest run beside ``out`` that it continues; whether there is one.

    ``family``: the digest of all that they have in common. The last state of a run lies beside ``state``, by its name; the
    snapshots are written into ``state``.
    """
    if not family:
        return False
    for run in _shorter(training, out):
        try:
            last = _last_state(run, family, state.with_name(run.name))
            if last is None:
                continue
            entries = _taken(training, last, run, state)
        except (UserError, FileNotFoundError) as error:  # also where it is removed meanwhile
            say(f"does not go on from {run.name}, which is not whole: {error}")
            continue
        history = [row for row in last.history if training.is_observed(row.step)]
        training.load_state(replace(last, history=history, snapshots=entries))
        say(f"goes on from step {last.step}, after the last one of {run.name}")
        return True
    return False


def _shorter(training: Training, out: Path) -> Iterator[Path]:
    """The folders of the runs that it continues, the longest first; their names differ in the digests alone."""
    found = []
    for path in out.parent.glob(f"{run_id(training.spec).rpartition('-')[0]}-*/{FILE}"):
        try:
            spec = read_spec(path.parent)
        except UserError:
            continue
        if run_id(spec) == path.parent.name and _is_continued(training, spec):
            found.append((total_steps(spec, training.steps_per_epoch), path.parent))
    return (run for _, run in sorted(found, reverse=True))


def _is_continued(training: Training, spec: RunSpec) -> bool:
    """Whether the run of ``spec`` ends before this one, takes the same steps up to there, and saves all snapshots of this one.

    A decay to the end of the run is another one in a longer run. Where one counts in a break-even point, that of a longer run may
    be another, too.
    """
    steps = training.steps_per_epoch
    end = total_steps(spec, steps)
    if begins_as(spec) != begins_as(training.spec) or end >= training.steps:
        return False
    if source_of(spec) is not None or source_of(training.spec) is not None:
        return False
    if not {step for step in training.snapshot_steps if step <= end} <= {*snapshot_steps(spec, steps)}:
        return False
    rate = schedule.build(spec, steps, None).rate
    return all(rate(step) == training.schedule.rate(step) for step in range(end + 1))


def _last_state(run: Path, family: str, state: Path) -> TrainingState | None:
    """The state after the last step of the run in folder ``run``, if its results are of the ``family`` and as they were recorded.

    None also of one that diverged or stopped on its way.
    """
    key = recorded_key(run / FILE)
    if key is None or not is_current(run / FILE, key):
        return None
    training = read_training(run)
    last = read_last_state(state, training.key, family)
    return last if last is not None and last.step == training.steps + 1 and last.stopped_step is None else None


def _taken(training: Training, last: TrainingState, run: Path, state: Path) -> list[SnapshotEntry]:
    """Write its snapshots as those of this run, whose name they hold."""
    entries = {entry.step: entry for entry in last.snapshots}
    taken = []
    for step in sorted(step for step in training.snapshot_steps if step < last.step):
        entry = entries[step]
        snapshot = snapshots.read(run / SNAPSHOTS / entry.file, run.name, step, entry.sha256)
        taken.append(snapshots.write(state / SNAPSHOTS, run_id(training.spec), snapshot, entry.learning_rate))
    return taken
