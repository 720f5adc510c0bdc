"""Does the early phase decide? Runs whose learning rate switches before the break-even point, against those after it."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import combinations, complete
from breakeven.claims.evidence import Evidence, from_seeds
from breakeven.claims.hypothesis_tests import Numbers
from breakeven.claims.study_tables import StudyTables, curve, number
from breakeven.claims.words import joined, symbol, with_names
from breakeven.specs.run import Switch

ACCURACY = "final_test_accuracy"


@dataclass(frozen=True)
class Comparison:
    """Three schedules, in words, that end at the same learning rate ``second``.

    It is the rate from the start, or from a switch ``before`` or ``after`` the break-even point of the rate before it.
    """

    second: float
    from_the_start: str
    before: str
    after: str

    @property
    def schedules(self) -> list[str]:
        """All three."""
        return [self.from_the_start, self.before, self.after]


@dataclass(frozen=True)
class EarlySwitch:
    """Where a run ends whose learning rate switches from η₁ to η₂ before, or after, the break-even point of η₁.

    With q a quantity after both switches, and its reference that of η₂ from the start: |log(q_after/q_ref)| −
    |log(q_before/q_ref)|. It is above 0 if the later switch ends further away, so if the early phase has decided. q: the
    geometric mean over the measured steps after the later of the two switches; the final test accuracy is compared by
    plain differences. Effect: the median of this difference over seeds.
    """

    quantity: str
    direction: int = 1
    outcomes: ClassVar[dict[int, str]] = {1: "the later switch ends further away", -1: "the later switch ends closer"}
    needs: ClassVar[str] = "sweeps schedules that switch before and after the break-even point"

    def applies(self, compared: Collection[str]) -> bool:
        """On sweeps of the schedule; which switches there are, the runs say."""
        return "schedule" in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each pair of learning rates, at each combination of the other swept hyperparameters."""
        for others, runs in combinations(tables, without=["schedule"]):
            for comparison in comparisons(schedules_of(runs)):
                chosen = runs[runs["schedule"].isin(comparison.schedules)]
                yield self._compared(tables, chosen, comparison, others)

    def _compared(self, tables: StudyTables, runs: pd.DataFrame, comparison: Comparison, others: str) -> Evidence:
        """How much further from the reference the later switch ends than the earlier one."""
        accuracy = self.quantity == ACCURACY
        name = symbol(self.quantity) + ("" if accuracy else " after both switches")
        quantity = joined([name, comparison.before, comparison.after, others])
        runs, notes = complete(runs, ["schedule"])
        ids = runs.assign(run=runs.index).pivot(index="seed", columns="schedule", values="run")
        if set(ids.columns) != set(comparison.schedules):
            return Evidence(quantity, note=joined([*notes, "the comparison takes all three schedules"]))
        ends = np.array([self._ends(tables, list(of_seed)) for of_seed in ids[comparison.schedules].to_numpy()])
        known = np.isfinite(ends).all(axis=1)
        if not known.all():
            seeds = ", ".join(str(seed) for seed in ids.index[~known])
            notes.append(f"seeds left out, without a switch or a measured step after it: {seeds}")
        ends = ends[known]
        reference, before, after = ends.T
        return from_seeds(
            quantity,
            np.abs(after - reference) - np.abs(before - reference),
            our_value=_means(ends, comparison, logarithmic=not accuracy),
            notes=notes,
        )

    def _ends(self, tables: StudyTables, runs: list[str]) -> list[float]:
        """Where the three runs of a seed end: test accuracies, or mean logarithms of the quantity after both switches.

        The mean is over the steps that all three are measured at. NaN where a switch never came or nothing follows it.
        """
        switches = [number(tables, run, "first_switch_step") for run in runs[1:]]
        if any(map(math.isnan, switches)):
            return [math.nan] * len(runs)
        if self.quantity == ACCURACY:
            return [number(tables, run, ACCURACY) for run in runs]
        curves = [curve(tables, run, self.quantity).set_index("step")["value"] for run in runs]
        table = pd.concat(curves, axis=1, join="inner")
        table = table[(table.index > max(switches)) & (table > 0).all(axis=1)]
        return list(np.log(table.to_numpy(float)).mean(axis=0)) if len(table) else [math.nan] * len(runs)


def schedules_of(runs: pd.DataFrame) -> dict[str, tuple[float, tuple[Switch, ...]]]:
    """The schedules of runs, by their words, sorted: the learning rate that each begins at, and its switches."""
    first = runs.drop_duplicates("schedule").sort_values("schedule")
    numbers = zip(first["learning_rate"].astype(float), first["switches"], strict=True)
    return dict(zip(first["schedule"], numbers, strict=True))


def comparisons(schedules: Mapping[str, tuple[float, tuple[Switch, ...]]]) -> list[Comparison]:
    """The comparisons that schedules allow, for each pair of learning rates.

    Of several switches before the break-even point it takes the last, and of those after it the first.
    """
    constant = {rate: words for words, (rate, switches) in schedules.items() if not switches}
    by_rates: dict[tuple[float, float], dict[float, str]] = {}
    for words, (first, switches) in schedules.items():
        if len(switches) == 1 and switches[0].unit == "break_even":
            by_rates.setdefault((first, switches[0].learning_rate), {})[switches[0].at] = words
    found = []
    for (_, second), by_multiple in by_rates.items():
        before = [at for at in by_multiple if at < 1]
        after = [at for at in by_multiple if at > 1]
        if before and after and second in constant:
            words_before, words_after = by_multiple[max(before)], by_multiple[min(after)]
            found.append(Comparison(second, constant[second], words_before, words_after))
    return found


def _means(ends: Numbers, comparison: Comparison, logarithmic: bool) -> str:
    """The three means over seeds, plain or geometric, with the learning rates that they belong to."""
    if not len(ends):
        return ""
    means = np.exp(ends.mean(axis=0)) if logarithmic else ends.mean(axis=0)
    names = [
        f"η = {comparison.second:g} from the start",
        f"η = {comparison.before}",
        f"η = {comparison.after}",
    ]
    return with_names(list(zip(means, names, strict=True)))
