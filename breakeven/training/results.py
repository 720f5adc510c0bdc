"""The results of a training, where the pipeline expects them."""

import shutil
from dataclasses import asdict
from pathlib import Path

from breakeven.specs.run_file import FILE as RUN_FILE
from breakeven.specs.run_file import write_spec
from breakeven.store.errors import UserError
from breakeven.store.rows import write_rows
from breakeven.store.snapshots import is_intact
from breakeven.store.training_record import (
    HISTORY_FILE,
    SNAPSHOTS,
    TrainingRecord,
    read_training,
    write_training,
)
from breakeven.training.training import Training

HISTORY = ["step", "epoch", "split", "loss", "accuracy", "learning_rate"]


def is_published(out: Path, key: str) -> bool:
    """Whether the results in ``out`` are all there and of the same specification, data and code; the record is written last."""
    try:
        record = read_training(out)
    except UserError:
        return False
    there = all((out / name).is_file() for name in (RUN_FILE, HISTORY_FILE))
    return record.key == key and there and all(is_intact(out / SNAPSHOTS, entry) for entry in record.snapshots)


def publish(training: Training, key: str, out: Path, state: Path) -> None:
    """Write the results into the folder ``out``, ``training.json`` last.

    ``learning_rate`` in the history is η of the SGD step from there, also from the last one, which is taken for its snapshot, and
    from where the run diverged or stopped.
    The checkpoint and its snapshots stay in ``state``: whoever has lost the results needs no other training for them.
    """
    write_spec(out, training.spec)
    rate = training.schedule.rate
    history = [asdict(row) | {"learning_rate": rate(row.step)} for row in training.history]
    write_rows(out / HISTORY_FILE, HISTORY, history)
    shutil.rmtree(out / SNAPSHOTS, ignore_errors=True)
    (out / SNAPSHOTS).mkdir()
    for entry in training.snapshots:
        _link_or_copy(state / SNAPSHOTS / entry.file, out / SNAPSHOTS / entry.file)
    record = TrainingRecord(
        key=key,
        steps=training.steps,
        steps_per_epoch=training.steps_per_epoch,
        train_examples=training.mini_batches.examples,
        diverged_step=training.diverged_step,
        stopped_step=training.stopped_step,
        switches=training.schedule.switches,
        never=training.schedule.never,
        sampling=training.spec.sampling,
        snapshots=tuple(training.snapshots),
        break_even_step=training.break_even_step,
    )
    write_training(out, record)


def _link_or_copy(source: Path, target: Path) -> None:
    """One file under two names takes no more space; where a file system has no such thing, a copy."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
