"""Do two numbers go together, along a run or across the points of a sweep?"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, Unit, few, from_points, from_seeds, role_of
from breakeven.claims.hypothesis_tests import MIN_STEPS, Numbers
from breakeven.claims.peaks import Peaks, peaks
from breakeven.claims.study_tables import (
    SMOOTHED_AND_RAW,
    StudyTables,
    column,
    early_gaps,
    early_smallest,
    early_spearman_z,
    logarithms,
    predicted_curvatures,
)
from breakeven.claims.words import joined, smallest_to_largest, symbol
from breakeven.specs.measurements import QUANTITIES

CORRELATION = {1: "positive correlation", -1: "negative correlation"}
SLOPE = {1: "rises with it", -1: "falls with it"}
# columns of runs.csv in which the early phase of a run ends, and what happens there
ENDS = {"break_even_epoch": "the break-even point", "threshold_epoch": "the accuracy threshold"}
ALONG_RUNS = {each.name for each in QUANTITIES}


@dataclass(frozen=True)
class EarlyCorrelation:
    """Two quantities along the early phase of each run, which ends at the epoch in column ``until`` of ``runs.csv``.

    Effect: Spearman's ρ along each run, averaged over the runs of a seed as Fisher's z, median over seeds.
    """

    x: str
    y: str
    until: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = CORRELATION
    findings: ClassVar[dict[int, str]] = {
        1: "until {until}, {x} and {y} grow and fall together: rank correlation ρ = {effect}",
        -1: "until {until}, {y} is small where {x} is large: rank correlation ρ = {effect}",
        0: "until {until}, {x} and {y} have no clear correlation: ρ = {effect}",
    }
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row, of all runs."""
        runs, notes = complete(tables.runs, tables.study.compared)
        z = early_spearman_z(tables, self.x, self.y, self.until)[runs.index]
        end = ENDS[self.until]
        gaps = int(early_gaps(tables, self.x, self.y, self.until)[runs.index].sum())
        without = [f"{gaps} early steps left out, without a value of one of the two"] if gaps else []
        why = f"left out: {end} is never reached, or in fewer than {MIN_STEPS} measured steps"
        yield from_seeds(
            f"{symbol(self.x)} and {symbol(self.y)} until {end}",
            by_seed(z, runs),
            Unit.CORRELATION,
            our_value=joined([*self._lowest(tables, z.dropna().index), *_correlations(z.dropna().to_numpy(float))]),
            notes=[*notes, *without, *lacking(z, why)],
            places={"until": end, "x": symbol(self.x), "y": symbol(self.y)},
        )

    def _lowest(self, tables: StudyTables, runs: pd.Index) -> Iterator[str]:
        """How far the second quantity falls, where it is expected to."""
        if self.direction < 0 and len(runs):
            lowest = early_smallest(tables, self.x, self.y, self.until)[runs]
            yield f"{symbol(self.y)} falls to {lowest.median():.3g} (median of {len(runs)} runs)"


def _correlations(z: Numbers) -> list[str]:
    return [f"ρ = {smallest_to_largest(np.tanh(z))}"] if len(z) else []


@dataclass(frozen=True)
class PredictedMaximum:
    """The largest λ_H^1 along each run against λ_H^1 at which Eq. 1 predicts its break-even point, across a study.

    Effect: the slope of the one over the other, both logarithms, over the points of the sweep (1 if they are proportional). Not
    where the learning rate switches: the maximum may belong to the one, the break-even point to the other.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = SLOPE
    findings: ClassVar[dict[int, str]] = {
        1: "where Eq. 1 predicts twice the curvature, {about} is {doubled} times as large",
        -1: "where Eq. 1 predicts twice the curvature, {about} is only {doubled} times as large",
        0: "where Eq. 1 predicts twice the curvature, it is not clear that {about} is larger: {doubled} times as large",
    }
    needs: ClassVar[str] = "sweeps something other than the schedule"

    def applies(self, compared: Collection[str]) -> bool:
        """On any sweep but of schedules."""
        return bool(compared) and "schedule" not in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row of the smoothed maxima and one of the raw."""
        predicted = predicted_curvatures(tables)
        for smoothed in SMOOTHED_AND_RAW:
            largest = peaks(tables, tables.runs, "lambda_H_1", smoothed)
            quantity = f"{largest.name} over its prediction by Eq. 1, logarithms"
            row = _across_points(tables, tables.runs, quantity, predicted, largest.values, smoothed, largest)
            yield replace(row, places={"doubled": few(2**row.effect)})


@dataclass(frozen=True)
class Generalization:
    """The final test accuracy against the logarithm of a quantity, across the runs that a study sweeps.

    ``quantity``: along a run, whose largest value is taken, smoothed and raw; or a column of ``runs.csv``. Effect: the slope over
    the points of the sweep, in accuracy per factor of ten.
    """

    quantity: str
    direction: int
    outcomes: ClassVar[dict[int, str]] = SLOPE
    findings: ClassVar[dict[int, str]] = {
        1: "where {about} is ten times larger, the test accuracy is {points} percentage points higher",
        -1: "where {about} is ten times larger, the test accuracy is {points} percentage points lower",
        0: "no clear relation of the test accuracy to {about}: {signed} percentage points for ten times as much",
    }
    needs: ClassVar[str] = "sweeps the learning rate, the batch size or the schedule"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of how SGD runs."""
        return bool({"learning_rate", "batch_size", "schedule"} & set(compared))

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row at each combination of the swept hyperparameters that are not of SGD."""
        accuracy = column(tables, "final_test_accuracy")
        grids = list(combinations(tables, without=["learning_rate", "batch_size", "schedule"]))
        for smoothed in SMOOTHED_AND_RAW if self.quantity in ALONG_RUNS else (True,):
            for others, runs in grids:
                largest = self._explaining(tables, runs, smoothed)
                quantity = joined([f"{symbol('final_test_accuracy')} over log₁₀ {largest.name}", others])
                x = largest.values / math.log(10)
                row = _across_points(tables, runs, quantity, x, accuracy, smoothed, largest)
                points = {"points": few(abs(100 * row.effect)), "signed": few(100 * row.effect)}
                yield replace(row, unit=Unit.ACCURACY, where=others, places=points)

    def _explaining(self, tables: StudyTables, runs: pd.DataFrame, smoothed: bool) -> Peaks:
        """What the accuracy is compared with."""
        if self.quantity in ALONG_RUNS:
            return peaks(tables, runs, self.quantity, smoothed)
        return Peaks(symbol(self.quantity), logarithms(column(tables, self.quantity)))


def _across_points(
    tables: StudyTables, runs: pd.DataFrame, quantity: str, x: pd.Series, y: pd.Series, primary: bool, largest: Peaks
) -> Evidence:
    """How ``y`` goes with ``x`` over the points of the sweep, each the mean over its seeds.

    Points are what could have come out otherwise: all seeds of a study share them, so that more seeds are no further evidence
    that one follows from the other. ``largest``: that of the two which is a maximum.
    """
    compared = list(tables.study.compared)
    pair = pd.DataFrame({"x": x, "y": y})
    runs, notes = complete(runs, compared, pair["x"], pair["y"])
    points = runs[["seed", *compared]].join(pair).groupby(compared, dropna=False)[["x", "y"]].mean()
    return from_points(
        quantity,
        points["x"].to_numpy(float),
        points["y"].to_numpy(float),
        seeds=runs["seed"].nunique(),
        our_value=f"{len(points)} points",
        notes=[*largest.notes, *notes],
        role=role_of(primary),
        restriction=largest.restriction,
        figure=largest.figure,
    )
