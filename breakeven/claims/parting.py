"""Do the trajectories of two learning rates part where λ_K^1 is high? Figure 1 of the paper, right.

The trajectory of a run is that of its predictions on the test set. With d the distance from the run at the smaller rate to the
closest point of the trajectory of the larger one, of the same seed, and m the way that its own predictions have gone since the
measured step before, over a part of training

    share = Σ Δd / Σ m,

of the way that it goes, the share that leads away from the other trajectory: from −1 to 1, as d can change by m at most.
Distances are those of the predictions themselves: the paper takes them in two dimensions, after UMAP, which keeps neighbours and
no distances, and depends on all other points and a seed.

Not the correlation of d with λ_K^1, which the paper shows: both begin small and grow, so that it is there whatever they have
to do with each other. Nor that of Δd, which is large wherever predictions change much.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import combinations, complete
from breakeven.claims.evidence import Evidence, Unit, closest_to_zero, from_seeds
from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.study_tables import DISTANCE, MOVED, WINDOW, StudyTables, curve
from breakeven.claims.words import joined, symbol, with_names

HIGH = 0.5  # of the largest value, as for the first peak in runs.csv
PARTS = ("while λ_K^1 is high", "before", "after")


@dataclass(frozen=True)
class Parting:
    """Is the share larger while λ_K^1 of the run is high than before and after?

    λ_K^1, smoothed as in the paper, is high from where it first is at least half of its largest value to where it last is. The
    number of a seed: of the share meanwhile, less that before, and less that after, the one that is closer to 0, and 0 where they
    differ in sign. So a share that only rises as training goes on, or only falls, says nothing. Effect: its median over seeds.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = {
        1: "part faster while λ_K^1 is high",
        -1: "part slower while λ_K^1 is high",
    }
    findings: ClassVar[dict[int, str]] = {
        1: "while λ_K^1 is high, trajectories part faster: {size} more of the way leads away than before and after",
        -1: "while λ_K^1 is high, trajectories part more slowly: {size} less of the way leads away than before and after",
        0: "it is not clear whether trajectories part faster while λ_K^1 is high: {effect} of the way more leads away",
    }
    needs: ClassVar[str] = "sweeps the learning rate and measures predictions, for the figure trajectories_umap"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of the learning rate."""
        return "learning_rate" in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each rate but the largest, at each combination of the other hyperparameters, if predictions are measured."""
        if not any(quantity == DISTANCE for quantity, _ in tables.curves):
            return
        for others, runs in combinations(tables, without=["learning_rate"]):
            runs, notes = complete(runs, ["learning_rate"])
            *smaller, largest = sorted(set(runs["learning_rate"])) or [None]
            for rate in smaller:
                quantity = joined([f"share of the way away from η = {largest:g}, at η = {rate:g}", others])
                where = joined([f"η = {rate:g}, from η = {largest:g}", others])
                yield _parting(tables, runs[runs["learning_rate"] == rate], quantity, where, notes)


def _parting(tables: StudyTables, runs: pd.DataFrame, quantity: str, where: str, notes: list[str]) -> Evidence:
    shares, without = [], []
    for run, seed in runs["seed"].sort_values().items():
        found = shares_away(tables, str(run))
        if found is None:
            without.append(str(seed))
        else:
            shares.append(found)
    if without:
        why = f"{symbol('lambda_K_1')} does not rise above, and fall below, half of its largest value: seed"
        notes = [*notes, f"left out, {why} {', '.join(without)}"]
    table = np.array(shares).reshape(-1, len(PARTS))
    our_value = with_names(
        [(float(np.median(column)), part) for column, part in zip(table.T, PARTS, strict=True) if len(table)]
    )
    numbers = closest_to_zero(table[:, :1] - table[:, 1:])
    return from_seeds(quantity, numbers, Unit.DIFFERENCE, our_value=our_value, notes=notes, where=where)


def shares_away(tables: StudyTables, run: str) -> Numbers | None:
    """The shares while λ_K^1 is high, before, and after; None where one of these parts is missing, or a value of the run."""
    distance, moved, lambda_k = (curve(tables, run, name) for name in (DISTANCE, MOVED, "lambda_K_1"))
    if list(distance["step"]) != list(lambda_k["step"]) or list(moved["step"]) != list(distance["step"][1:]):
        return None
    smoothed = lambda_k["value"].rolling(WINDOW, center=True, min_periods=1).mean().to_numpy(float)
    between = (smoothed[1:] + smoothed[:-1]) / 2  # on the way from one measured step to the next
    high = np.flatnonzero(between >= HIGH * between.max())
    gained, gone = np.diff(distance["value"].to_numpy(float)), moved["value"].to_numpy(float)
    parts = [slice(high[0], high[-1] + 1), slice(0, high[0]), slice(high[-1] + 1, None)]
    ways = np.array([gone[part].sum() for part in parts])
    if not (ways > 0).all():
        return None
    shares: Numbers = np.array([gained[part].sum() for part in parts]) / ways
    return shares
