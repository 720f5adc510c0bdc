"""What could not be computed of a run, or is doubtful, in words, from the notes in its tables."""

from collections.abc import Collection, Iterator

import pandas as pd

from breakeven.store.notes import Note, notes_of
from breakeven.store.training_record import TrainingRecord
from breakeven.summary.switches import unreached

SPLITS = {"train": "training", "test": "test", "validation": "validation"}
STEPS_NAMED = 3  # beyond which they are counted
# not that K of so few mini-batches has few eigenvalues
OF_K = (Note.K_NOT_FINITE, Note.K_ZERO, Note.K_NO_TOP_PART, Note.K_COARSE)
OF_H = (Note.H_NOT_FINITE, Note.H_FEW_PRODUCTS, Note.H_ZERO, Note.H_ONLY_ROUNDING, Note.H_NOT_POSITIVE)
# not what is said of the whole run where its break-even point is missing, nor what follows from the note on H
OF_LHS = (Note.NO_CURVATURE, Note.CURVATURES_NOT_FINITE, Note.ONLY_ROUNDING, Note.TOO_COARSE)
OF_DELTA_LOSS = (Note.LOSS_NOT_FINITE, Note.NEXT_LOSS_NOT_FINITE)


def remarks(
    training: TrainingRecord,
    history: pd.DataFrame,
    covariance: pd.DataFrame,
    hessian: pd.DataFrame,
    stability: pd.DataFrame,
) -> str:
    """The remarks on a run; empty where everything was computed. That it diverged is said elsewhere."""
    found: list[str] = []
    for split, words in SPLITS.items():
        lost = history["step"][(history["split"] == split) & history["loss"].isna()]
        found += [f"{words} loss at {_steps(lost.tolist())}: not finite"] if len(lost) else []
    found += _of(covariance, "K", OF_K)
    found += _of(hessian, "H", OF_H)
    found += _of(stability, "Eq. 1", OF_LHS)
    found += _of(stability, "ΔL", OF_DELTA_LOSS)
    found += unreached(training)
    return "; ".join(found)


def _of(table: pd.DataFrame, what: str, wanted: Collection[Note]) -> Iterator[str]:
    """A remark for each of the ``wanted`` notes in a table, in the order in which they first come, with their steps."""
    steps: dict[Note, list[int]] = {}
    for step, cell in zip(table["step"], table["note"], strict=True):
        for note in notes_of(cell):
            if note in wanted:
                steps.setdefault(note, []).append(step)
    for note, at in steps.items():
        yield f"{what} at {_steps(at)}: {note.sentence}"


def _steps(steps: list[int]) -> str:
    if len(steps) > STEPS_NAMED:
        return f"{len(steps)} measured steps"
    return f"step{'s' if len(steps) > 1 else ''} {', '.join(map(str, steps))}"
