"""Stage ``thin``: delete the snapshots of a run that need not be kept, and their eigenvectors, once all is measured."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from breakeven.store.files import write_json
from breakeven.store.progress import say
from breakeven.store.record import leave_out
from breakeven.store.training_record import FILE, SNAPSHOTS, read_training

# folders with a file of each snapshot, and the results that they are of
OF_SNAPSHOTS = {SNAPSHOTS: FILE, "eigenvectors": "hessian.csv"}
Each = TypeVar("Each")


def thin(run: Path, state: Path, keep: int, out: Path) -> None:
    """Keep each ``keep``-th snapshot of the run in folder ``run``, and the last one; none where it is 0.

    The eigenvectors e_H^1 there, and the run's checkpoints in ``state``, which hold the same files, go with them. The records say
    from then on that results are whole without what was deleted. ``out`` lists the steps of the snapshots that are there.
    """
    entries = read_training(run).snapshots
    stay = kept(entries, keep)
    gone = [entry.file for entry in entries if entry not in stay]
    for folder, result in OF_SNAPSHOTS.items():
        leave_out(run / result, [f"{folder}/{file}" for file in gone])  # first: killed in between, nothing is missing
        for file in gone:
            (run / folder / file).unlink(missing_ok=True)
    shutil.rmtree(state, ignore_errors=True)
    steps = [entry.step for entry in entries if (run / SNAPSHOTS / entry.file).exists()]
    write_json(out, {"kept": steps})
    say(f"kept {len(steps)} of {len(entries)} snapshots")


def kept(snapshots: Sequence[Each], keep: int) -> list[Each]:
    """Those of all ``snapshots`` that stay: each ``keep``-th and the last one; none where it is 0."""
    return [*snapshots[:-1:keep], *snapshots[-1:]] if keep else []
