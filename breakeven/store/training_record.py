"""What the train stage recorded of a run, ``training.json``, for the stages that read it.

Its specification is in ``run.yaml`` beside it, see `breakeven.specs.run_file`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN, read_json, write_json

FILE, HISTORY_FILE, SNAPSHOTS = "training.json", "history.csv", "snapshots"
KEPT_FILE = "kept_snapshots.json"  # of the stage thin
WHAT = "record of a training"


@dataclass(frozen=True)
class SnapshotEntry:
    """A snapshot: its file in the folder ``snapshots``, and the learning rate η of the update from its step to the next."""

    step: int
    file: str
    sha256: str
    learning_rate: float


@dataclass(frozen=True)
class SwitchAtStep:
    """A switch of the learning rate: it is ``learning_rate``, times what multiplies it, from ``step`` on.

    ``step`` may lie behind the end of the run; None where it counts in a break-even point that never comes.
    """

    step: int | None
    learning_rate: float


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of a run that was trained.

    ``key``: the digest of all that it depends on. ``steps``: its length as declared. ``diverged_step``: the first step t at which
    the loss of the mini-batch or a weight of θ_t is not finite; ``stopped_step``: where it stopped before its end, since it was
    accurate enough. ``switches``: as declared, also those that were not reached. ``snapshots``: in the order of their steps.
    ``never``: the kinds of multipliers of its schedule that count in a break-even point that never comes. ``sampling``: how its
    mini-batches were drawn.
    ``break_even_step``: of the run whose break-even point the schedule counts in; None where it counts in none, or there is none.
    """

    key: str
    steps: int
    steps_per_epoch: int
    train_examples: int
    diverged_step: int | None
    stopped_step: int | None
    switches: tuple[SwitchAtStep, ...]
    snapshots: tuple[SnapshotEntry, ...]
    never: tuple[str, ...] = ()
    sampling: str = "reshuffle"
    break_even_step: int | None = None

    @property
    def measured_steps(self) -> list[int]:
        """The steps of the snapshots."""
        return [entry.step for entry in self.snapshots]

    @property
    def diverged(self) -> bool:
        """Whether the run diverged."""
        return self.diverged_step is not None


def write_training(run: Path, record: TrainingRecord) -> None:
    """Write the record of the run in folder ``run``."""
    write_json(run / FILE, asdict(record))


def read_training(run: Path) -> TrainingRecord:
    """The record of the run in folder ``run``."""
    path = run / FILE
    content = read_json(path, WHAT)
    try:
        switches = tuple(SwitchAtStep(**switch) for switch in content.pop("switches"))
        snapshots = tuple(SnapshotEntry(**entry) for entry in content.pop("snapshots"))
        never = tuple(content.pop("never", ()))
        return TrainingRecord(**content, switches=switches, snapshots=snapshots, never=never)
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"'{path}' is no {WHAT} ({error!r}): delete it, {AGAIN}") from error
