"""What could not be computed of a run, in words, from the notes in its tables."""

from collections.abc import Iterator

import pandas as pd

from breakeven.spectra.equation_1 import PLAIN_SGD
from breakeven.store.training_record import TrainingRecord
from breakeven.summary.switches import unreached

SPLITS = {"train": "training", "test": "test"}
NAMED = 3  # steps, beyond which they are counted
# said of the whole run where its break-even point is missing, and by the note on H
SAID_ELSEWHERE = (PLAIN_SGD, "e_H^1 was not found")


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
        lost = history[(history["split"] == split) & history["loss"].isna()]
        found += _grouped(f"{words} loss", lost["step"], pd.Series("not finite", index=lost.index))
    # not of eigenvalues that K of so few mini-batches does not have
    without = covariance[covariance[["lambda_1", "lambda_star_over_lambda_1", "g_over_g5"]].isna().any(axis=1)]
    found += _grouped("K", without["step"], without["note"].map(lambda note: note.split("; ")[0], na_action="ignore"))
    found += _grouped("H", hessian["step"], hessian["note"])
    without = stability[stability["stability_lhs"].isna()]
    reasons = without["note"].astype(str).str.split("[;:]").str[0]
    found += _grouped("Eq. 1", without["step"], reasons[~reasons.str.startswith(SAID_ELSEWHERE)])
    lost = stability[stability["delta_loss"].isna()]
    found += _grouped("ΔL", lost["step"], lost["note"].astype(str).str.split("; ").str[-1])
    found += unreached(training)
    return "; ".join(found)


def _grouped(what: str, steps: pd.Series, notes: pd.Series) -> Iterator[str]:
    """A remark for each reason, with the steps where it is one."""
    known = notes[notes.notna() & (notes != "")]
    for reason, rows in known.groupby(known, sort=False):
        at = [str(step) for step in steps[rows.index]]
        where = f"{len(at)} measured steps" if len(at) > NAMED else f"step{'s' if len(at) > 1 else ''} {', '.join(at)}"
        yield f"{what} at {where}: {reason}"
