"""Is the ratio of two numbers of each run above or below 1, or 1 within a factor?"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, Unit, from_seeds, role_of
from breakeven.claims.peaks import Peaks, is_largest_at_the_start, peaks
from breakeven.claims.study_tables import (
    SMOOTHED_AND_RAW,
    StudyTables,
    column,
    first_peaks,
    keeps_its_rate,
    logarithms,
    maxima,
    peak_epochs,
    predicted_curvatures,
)
from breakeven.claims.words import joined, maximum, with_names

FACTOR = 1.5  # two numbers are taken for the same within this factor; ours
WITHOUT = "without it at the next higher learning rate"
EQUIVALENCE = {1: f"equal within a factor of {FACTOR}", -1: f"different by more than a factor of {FACTOR}"}


@dataclass(frozen=True)
class Peak:
    """The epoch of the largest value along each run, against the first epoch past the accuracy threshold.

    Effect: the ratio of the two epochs, geometric mean over the runs of a seed, median over seeds.
    """

    quantity: str
    direction: int = -1
    outcomes: ClassVar[dict[int, str]] = {-1: "peaks before the threshold", 1: "peaks after the threshold"}
    findings: ClassVar[dict[int, str]] = {
        -1: "{about} peaks before the training accuracy passes its threshold: at {effect} times that epoch",
        1: "{about} peaks after the training accuracy passed its threshold: at {effect} times that epoch",
        0: "{about} peaks at {effect} times the epoch of the accuracy threshold: not clear whether before it or after",
    }
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row of the smoothed curves and one of the raw."""
        runs, notes = complete(tables.runs, tables.study.compared)
        threshold = logarithms(column(tables, "threshold_epoch"))[runs.index]
        for smoothed in SMOOTHED_AND_RAW:
            starts = {run: is_largest_at_the_start(tables, str(run), self.quantity) for run in runs.index}
            falls = pd.Series(starts, index=runs.index, dtype=bool)
            peak = logarithms(peak_epochs(tables, self.quantity, smoothed))[runs.index].mask(
                falls
            )  # a fall has no peak
            later = peak - threshold
            why = "left out: never past the threshold, a value that could not be computed, or largest at the start"
            yield from_seeds(
                f"epoch of {maximum(self.quantity, smoothed)} / epoch past the accuracy threshold",
                by_seed(later, runs),
                Unit.RATIO,
                our_value=_means({"epoch of the peak": peak, "epoch of the threshold": threshold}),
                notes=[*notes, *lacking(later, why)],
                role=role_of(smoothed),
            )


@dataclass(frozen=True)
class PredictedPoint:
    """The λ_H^1 at which its growth ends, over that at which Eq. 1 puts the break-even point: the same within a factor of 1.5?

    Growth ends at the first peak of λ_H^1 (`first_peak_step`), which nothing of Eq. 1 goes into. Where there is no peak, it went
    on to the end of training at least: past the factor it counts as that, before it nothing is known. The prediction is from η,
    S, N and s²/(λ_H^1)², measured where Eq. 1 says unstable first. Effect: by which factor the two differ, either way, geometric
    mean over the runs of a seed, median over seeds. So predictions that are too high for some runs and too low for others are
    not right on average. Runs that Eq. 1 never calls unstable are left out, those whose λ_H^1 falls from the first measured step
    on, which ends no growth, and those whose learning rate changes between the two, so that each would be another rate's.
    """

    direction: int = -1
    outcomes: ClassVar[dict[int, str]] = {
        -1: f"within a factor of {FACTOR}",
        1: f"off by more than a factor of {FACTOR}",
    }
    findings: ClassVar[dict[int, str]] = {
        -1: f"the curvature stops growing where Eq. 1 predicts, to a factor of {{effect}}: within {FACTOR}",
        1: f"the curvature stops growing a factor of {{effect}} from where Eq. 1 predicts: off by more than {FACTOR}",
        0: f"the curvature stops growing a factor of {{effect}} from where Eq. 1 predicts: not clear whether within {FACTOR}",
    }
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row, of all runs."""
        runs, notes = complete(tables.runs, tables.study.compared)
        predicted = predicted_curvatures(tables)[runs.index]
        largest = logarithms(maxima(tables, "lambda_H_1", smoothed=False))[runs.index]
        beyond = largest.where(largest - predicted > math.log(FACTOR))
        goes_on = column(tables, "first_peak_step")[runs.index].isna()
        reached = logarithms(first_peaks(tables))[runs.index].where(~goes_on, beyond)
        steady = pd.Series({run: keeps_its_rate(tables, str(run)) for run in runs.index}, dtype=bool)
        reached, predicted = reached.where(steady), predicted.where(steady)
        off = (reached - predicted).abs()
        why = "left out: no break-even point of λ_H^1, or it still grows at the end, or never did"
        if not steady.all():
            why += ", or the learning rate changes between the two"
        yield from_seeds(
            "λ_H^1 where its growth ends, and by Eq. 1: the factor between them",
            by_seed(off, runs),
            Unit.RATIO,
            null=math.log(FACTOR),
            our_value=_means({"where growth ends": reached, "by Eq. 1": predicted}),
            notes=[*notes, *lacking(off, why)],
        )


@dataclass(frozen=True)
class BatchNorm:
    """The largest value with batch normalization at the lowest η, over that without at the next higher η: equal?

    The networks are a name and the same name with ``_bn``. Effect: the ratio, median over seeds; of what is largest at the start,
    see `breakeven.claims.peaks`.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = EQUIVALENCE
    findings: ClassVar[dict[int, str]] = {
        1: f"{{about}} is {{effect}} times that {WITHOUT}: equal within a factor of {FACTOR}",
        -1: f"{{about}} is {{effect}} times that {WITHOUT}: different by more than a factor of {FACTOR}",
        0: f"{{about}} is {{effect}} times that {WITHOUT}: not clear whether that is a difference",
    }
    needs: ClassVar[str] = "sweeps the learning rate and the network, with and without batch normalization"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of the network and the learning rate; which networks there are, the runs say."""
        return {"network", "learning_rate"} <= set(compared)

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each network that is there with and without ``_bn``, at each combination of the other hyperparameters."""
        for others, runs in combinations(tables, without=["network", "learning_rate"]):
            networks = sorted(set(runs["network"]))
            for plain in (name for name in networks if f"{name}_bn" in networks):
                lowest = runs["learning_rate"][runs["network"] == f"{plain}_bn"].min()
                rates = runs["learning_rate"][runs["network"] == plain]
                sides = [(f"{plain}_bn", lowest), (plain, rates[rates > lowest].min())]
                words = " / ".join(f"{name} at η = {rate:g}" for name, rate in sides)
                of_both = pd.concat([_side(runs, *side) for side in sides])
                for smoothed in SMOOTHED_AND_RAW:
                    largest = peaks(tables, of_both, self.quantity, smoothed)
                    yield _of_two_networks(of_both, words, others, sides, largest, smoothed)


def _side(runs: pd.DataFrame, network: str, learning_rate: float) -> pd.DataFrame:
    return runs[(runs["network"] == network) & (runs["learning_rate"] == learning_rate)]


def _of_two_networks(
    runs: pd.DataFrame, words: str, others: str, sides: list[tuple[str, float]], largest: Peaks, smoothed: bool
) -> Evidence:
    """Are the largest values of the first of two sides, each a network and a learning rate, those of the second?"""
    quantity, where = joined([f"{largest.name}, {words}", others]), joined([words, others])
    chosen, notes = complete(runs, ["network", "learning_rate"], largest.values)
    notes = [*largest.notes, *notes]
    values_of_runs = largest.values.reindex(chosen.index)
    table = chosen.assign(value=values_of_runs).pivot(index="seed", columns="network", values="value")
    if table.shape[1] < 2:
        note = joined([*notes, "one of the two is missing"])
        return Evidence(quantity, note=note, role=role_of(smoothed), where=where)
    values = [(math.exp(table[name].mean()), f"{name}, η = {rate:g}") for name, rate in sides]
    difference = (table[sides[0][0]] - table[sides[1][0]]).to_numpy(float)
    return from_seeds(
        quantity,
        difference,
        Unit.RATIO,
        within=math.log(FACTOR),
        our_value=with_names(values),
        notes=notes,
        role=role_of(smoothed),
        where=where,
        restriction=largest.restriction,
        figure=largest.figure,
    )


def _means(logs: Mapping[str, pd.Series]) -> str:
    """The geometric means of several numbers of each run, over the runs that have them all."""
    known = pd.DataFrame(logs).dropna()
    return with_names([(float(np.exp(known[name].mean())), name) for name in logs])
