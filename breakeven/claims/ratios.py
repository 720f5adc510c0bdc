"""Is the ratio of two numbers of each run above or below 1, or 1 within a factor?"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, from_seeds
from breakeven.claims.hypothesis_tests import MIN_SEEDS, Numbers, equivalence_interval, equivalence_test, t_test
from breakeven.claims.study_tables import RAW_AND_SMOOTHED, StudyTables, column, logarithms, maxima, peak_epochs
from breakeven.claims.words import joined, maximum, with_names

FACTOR = 1.5  # two numbers are taken for the same within this factor; ours
EQUIVALENCE = {1: f"equal within a factor of {FACTOR}", -1: f"different by more than a factor of {FACTOR}"}


@dataclass(frozen=True)
class Peak:
    """The epoch of the largest value along each run, against the first epoch past the accuracy threshold.

    Effect: the ratio of the two epochs, geometric mean over runs and seeds.
    """

    quantity: str
    direction: int = -1
    outcomes: ClassVar[dict[int, str]] = {-1: "peaks before the threshold", 1: "peaks after the threshold"}
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row of the raw curves and one of the smoothed."""
        runs, notes = complete(tables.runs, tables.study.compared)
        threshold = logarithms(column(tables, "threshold_epoch"))[runs.index]
        for smoothed in RAW_AND_SMOOTHED:
            peak = logarithms(peak_epochs(tables, self.quantity, smoothed))[runs.index]
            ratio = peak - threshold
            why = "left out: never past the threshold, a value that could not be computed, or largest at the start"
            yield from_seeds(
                f"epoch of {maximum(self.quantity, smoothed)} / epoch past the accuracy threshold",
                by_seed(ratio, runs),
                t_test,
                scale=math.exp,
                our_value=_means({"epoch of the peak": peak, "epoch of the threshold": threshold}),
                notes=[*notes, *lacking(ratio, why)],
            )


@dataclass(frozen=True)
class PredictedPoint:
    """λ_H^1 at the break-even point over the λ_H^1 at which Eq. 1 predicts it: equal within a factor of 1.5?

    The break-even point is the first *measured* step at which SGD is unstable, so the ratio is at least 1 there, and the
    more so the fewer steps are measured. Effect: the ratio, geometric mean over runs and seeds.
    """

    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = EQUIVALENCE
    needs: ClassVar[str] = "has runs"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """One row, of all runs."""
        runs, notes = complete(tables.runs, tables.study.compared)
        measured = logarithms(column(tables, "break_even_lambda_H"))[runs.index]
        predicted = logarithms(column(tables, "predicted_lambda_H"))[runs.index]
        ratio = measured - predicted
        yield _equivalence(
            "λ_H^1 at break-even, measured / predicted by Eq. 1",
            by_seed(ratio, runs),
            our_value=_means({"measured": measured, "predicted": predicted}),
            notes=[*notes, *lacking(ratio, "left out: no break-even point, or λ_H^1 not above 0 there")],
        )


@dataclass(frozen=True)
class BatchNorm:
    """The largest value with batch normalization at the lowest η, over that without at the next higher η: equal?

    The networks are a name and the same name with ``_bn``. Effect: the ratio, geometric mean over seeds.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = EQUIVALENCE
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
                for smoothed in RAW_AND_SMOOTHED:
                    quantity = joined([f"{maximum(self.quantity, smoothed)}, {words}", others])
                    yield _of_two_networks(runs, quantity, sides, maxima(tables, self.quantity, smoothed))


def _of_two_networks(runs: pd.DataFrame, quantity: str, sides: list[tuple[str, float]], largest: pd.Series) -> Evidence:
    """Are the largest values of the first of two sides, each a network and a learning rate, those of the second?"""
    logs = logarithms(largest)
    chosen = pd.concat([runs[(runs["network"] == name) & (runs["learning_rate"] == rate)] for name, rate in sides])
    chosen, notes = complete(chosen, ["network", "learning_rate"], logs)
    table = chosen.assign(value=logs.reindex(chosen.index)).pivot(index="seed", columns="network", values="value")
    if table.shape[1] < 2:
        return Evidence(quantity, note=joined([*notes, "one of the two is missing"]))
    values = [(math.exp(table[name].mean()), f"{name}, η = {rate:g}") for name, rate in sides]
    ratio = (table[sides[0][0]] - table[sides[1][0]]).to_numpy(float)
    return _equivalence(quantity, ratio, our_value=with_names(values), notes=notes)


def _equivalence(quantity: str, logs: Numbers, our_value: str, notes: Sequence[str]) -> Evidence:
    """The evidence of the logarithm of a ratio of each seed: is it 1 within the factor?"""
    return from_seeds(
        quantity,
        logs,
        lambda values: equivalence_test(values, math.log(FACTOR)),
        scale=math.exp,
        interval=equivalence_interval,
        our_value=our_value,
        notes=[*notes, "90 % interval"] if len(logs) >= MIN_SEEDS else notes,
    )


def _means(logs: Mapping[str, pd.Series]) -> str:
    """The geometric means of several numbers of each run, over the runs that have them all."""
    known = pd.DataFrame(logs).dropna()
    return with_names([(float(np.exp(known[name].mean())), name) for name in logs])
