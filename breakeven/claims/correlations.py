"""Are two numbers correlated, along a run or across the runs of a seed?"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, from_seeds
from breakeven.claims.hypothesis_tests import MIN_RUNS, MIN_STEPS, pearson_z, t_test
from breakeven.claims.study_tables import RAW_AND_SMOOTHED, StudyTables, column, early_spearman_z, logarithms, maxima
from breakeven.claims.words import joined, maximum, smallest_to_largest, symbol
from breakeven.specs.measurements import QUANTITIES

CORRELATION = {1: "positive correlation", -1: "negative correlation"}
# columns of runs.csv in which the early phase of a run ends, and what happens there
ENDS = {"break_even_epoch": "the break-even point", "threshold_epoch": "the accuracy threshold"}
ALONG_RUNS = {each.name for each in QUANTITIES}


@dataclass(frozen=True)
class EarlyCorrelation:
    """Two quantities along the early phase of each run, which ends at the epoch in column ``until`` of ``runs.csv``.

    Effect: Spearman's ρ along each run, averaged over runs and seeds as Fisher's z.
    """

    x: str
    y: str
    until: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row, of all runs."""
        runs, notes = complete(tables.runs, tables.study.compared)
        z = early_spearman_z(tables, self.x, self.y, self.until)[runs.index]
        end = ENDS[self.until]
        why = f"left out: {end} is never reached, or in fewer than {MIN_STEPS} measured steps"
        yield from_seeds(
            f"{symbol(self.x)} and {symbol(self.y)} until {end}",
            by_seed(z, runs),
            t_test,
            scale=math.tanh,
            our_value=smallest_to_largest(np.tanh(z.dropna().to_numpy(float)), "runs"),
            notes=[*notes, *lacking(z, why)],
        )


@dataclass(frozen=True)
class PredictedMaximum:
    """The largest λ_H^1 along each run against λ_H^1 at which Eq. 1 predicts its break-even point, across a study.

    Effect: Pearson's correlation of the logarithms over the runs of each seed, averaged over seeds as Fisher's z. Not where
    the learning rate switches: the maximum may belong to the one, the break-even point to the other.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "sweeps something other than the schedule"

    def applies(self, compared: Collection[str]) -> bool:
        """On any sweep but of schedules."""
        return bool(compared) and "schedule" not in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row of the raw maxima and one of the smoothed."""
        predicted = logarithms(column(tables, "predicted_lambda_H"))
        for smoothed in RAW_AND_SMOOTHED:
            quantity = f"{maximum('lambda_H_1', smoothed)}, and its prediction by Eq. 1"
            largest = logarithms(maxima(tables, "lambda_H_1", smoothed))
            yield _across_runs(tables, tables.runs, quantity, predicted, largest)


@dataclass(frozen=True)
class Generalization:
    """The final test accuracy against the logarithm of a quantity, across the runs that a study sweeps.

    ``quantity``: along a run, whose largest value is taken, raw and smoothed; or a column of ``runs.csv``. Effect: Pearson's
    correlation over the runs of each seed, averaged over seeds as Fisher's z.
    """

    quantity: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    needs: ClassVar[str] = "sweeps the learning rate, the batch size or the schedule"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of how SGD runs."""
        return bool({"learning_rate", "batch_size", "schedule"} & set(compared))

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row at each combination of the swept hyperparameters that are not of SGD."""
        accuracy = column(tables, "final_test_accuracy")
        for name, values in self._explaining(tables):
            for others, runs in combinations(tables, without=["learning_rate", "batch_size", "schedule"]):
                quantity = joined([f"{symbol('final_test_accuracy')} and {name}", others])
                yield _across_runs(tables, runs, quantity, logarithms(values), accuracy)

    def _explaining(self, tables: StudyTables) -> Iterator[tuple[str, pd.Series]]:
        """What the accuracy is compared with: its name and its values."""
        if self.quantity not in ALONG_RUNS:
            yield symbol(self.quantity), column(tables, self.quantity)
            return
        for smoothed in RAW_AND_SMOOTHED:
            yield maximum(self.quantity, smoothed), maxima(tables, self.quantity, smoothed)


def _across_runs(tables: StudyTables, runs: pd.DataFrame, quantity: str, x: pd.Series, y: pd.Series) -> Evidence:
    """The correlation of ``x`` and ``y`` over the runs of each seed."""
    pair = pd.DataFrame({"x": x, "y": y})
    runs, notes = complete(runs, tables.study.compared, pair["x"], pair["y"])
    seeds = runs.join(pair).groupby("seed")
    z = np.array([pearson_z(rows["x"].to_numpy(float), rows["y"].to_numpy(float)) for _, rows in seeds])
    known = z[np.isfinite(z)]
    if len(known) < len(z):
        few = f"fewer than {MIN_RUNS} runs, or all equal"
        notes.append(f"no correlation for {len(z) - len(known)} of {len(z)} seeds: {few}")
    our_value = smallest_to_largest(np.tanh(known), "seeds")
    return from_seeds(quantity, known, t_test, scale=math.tanh, our_value=our_value, notes=notes)
