"""What could not be computed of a run, or is doubtful, in words, from the notes in its tables."""

from collections.abc import Collection, Iterator, Mapping

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
# not that its error is larger than wished, which its column says
OF_SHARPNESS = (Note.SHARPNESS_NOT_FINITE, Note.SHARPNESS_ZERO_GRADIENT, Note.BATCH_LAMBDA_1_UNCONVERGED)
# the table of a measurement, what is said to be missing at its steps, and the notes that say so
OF_TABLES = (
    ("covariance", "K", OF_K),
    ("hessian", "H", OF_H),
    ("stability", "Eq. 1", OF_LHS),
    ("stability", "ΔL", OF_DELTA_LOSS),
    ("sharpness", "batch sharpness", OF_SHARPNESS),
)


def remarks(training: TrainingRecord, history: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> str:
    """The remarks on a run; empty where everything was computed. That it diverged is said elsewhere."""
    found: list[str] = []
    for split, words in SPLITS.items():
        lost = history["step"][(history["split"] == split) & history["loss"].isna()]
        found += [f"{words} loss at {_steps(lost.tolist())}: not finite"] if len(lost) else []
    for table, what, wanted in OF_TABLES:
        found += _of(tables[table], what, wanted) if table in tables else []
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
