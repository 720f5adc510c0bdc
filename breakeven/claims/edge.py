"""What stays at the edge of stability once λ_H^1 has stopped growing: a quantity over its threshold, by one of three theories."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, Unit, from_seeds
from breakeven.claims.ratios import FACTOR
from breakeven.claims.study_tables import StudyTables, column, curve
from breakeven.claims.words import joined, symbol, with_names

FEWEST = 4  # measured steps at the edge of which a run has a typical one
FURTHEST = 100.0  # a factor; what is further off, or not above 0, counts as that
MEASURED = "batch_sharpness"  # the theories are compared where this was measured
PRECONDITIONED = "preconditioned_lambda_H_1"  # in place of λ_H^1 where a run has it
# what each theory says stays at which threshold
THEORIES = (
    ("lambda_H_1", "threshold"),
    ("lambda_H_1", "break_even_curvature"),
    ("batch_sharpness", "lower_plateau"),
    ("batch_sharpness", "upper_plateau"),
)
# as sentences name them
THRESHOLDS = {
    "threshold": "the full-batch threshold",
    "break_even_curvature": "the threshold of Eq. 1",
    "lower_plateau": "2(1 − β)/η",
    "upper_plateau": "2(1 + β)/η",
}
PLATEAUS = ("lower_plateau", "upper_plateau")
PLAIN = "2/η"  # both of them without momentum


@dataclass(frozen=True)
class AtTheEdge:
    """Is a quantity within a factor of 1.5 of its threshold at most measured steps, once λ_H^1 has stopped growing?

    That is from its first peak on, and not from the break-even point, which is one theory's own: a run that stays stable by Eq. 1
    and stops at another's threshold counts. A run that comes near the threshold of none has not reached the edge, and does not.

    Of each run, the factor between the two at each of these steps, either way; its median over the steps. So half of the steps at
    least are within that factor, and one that swings far about its threshold is not at it, however right its mean. Effect: the
    factor, median over seeds; a row for each combination of the swept hyperparameters. The band is as wide as what this project
    takes for the same elsewhere: curvature goes up and down about its edge by as much, and the theories are further apart, by
    1.9 (full batch) to 19 (small batches) at β = 0.9, and by the factor that small batches keep λ_H^1 below 2/η.

    ``apart_from``: only runs whose threshold is another than this one, by more than a percent, are tested.
    """

    quantity: str
    threshold: str
    apart_from: str = ""
    direction: int = -1
    outcomes: ClassVar[dict[int, str]] = {
        -1: f"stays within a factor of {FACTOR}",
        1: f"off by more than a factor of {FACTOR}",
    }
    findings: ClassVar[dict[int, str]] = {
        -1: f"at most steps once λ_H^1 stops growing, {{about}}: to a factor of {{effect}}, within {FACTOR}",
        1: f"once λ_H^1 stops growing, it is not so that {{about}}: off by a factor of {{effect}}, more than {FACTOR}",
        0: f"once λ_H^1 stops growing, it is not clear whether {{about}}: off by a factor of {{effect}}, allowed is {FACTOR}",
    }
    needs: ClassVar[str] = "measures batch sharpness (measurements: sharpness) where λ_H^1 stops growing"

    def applies(self, compared: Collection[str]) -> bool:
        """On any study; whether it has measured what is needed, its tables say."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each combination of the swept hyperparameters, where the optimizer has such a threshold."""
        if not any(name == MEASURED for name, _ in tables.curves):
            return
        for others, runs in combinations(tables, without=[]):
            ratios = {str(run): self.over_threshold(tables, str(run)) for run in runs.index}
            if not all(found.empty for found in ratios.values()):
                yield self._row(tables, others, runs, ratios)

    def over_threshold(self, tables: StudyTables, run: str) -> pd.Series:
        """The quantity over its threshold at each measured step; empty where no threshold is known, or it is the other one."""
        ratios = over(tables, run, self.quantity, self.threshold)
        if self.apart_from:
            ratios = ratios[
                _are_apart(tables, run, self.threshold, self.apart_from).reindex(ratios.index, fill_value=False)
            ]
        return ratios

    def _row(self, tables: StudyTables, others: str, runs: pd.DataFrame, ratios: dict[str, pd.Series]) -> Evidence:
        ratios = {run: found[found.index >= reaches_edge(tables, run)] for run, found in ratios.items()}
        off = pd.Series({run: distance(found) for run, found in ratios.items()}, dtype=float)
        plain = self.threshold in PLATEAUS and _are_one(tables, runs)
        threshold = PLAIN if plain else THRESHOLDS[self.threshold]
        runs, notes = complete(runs, tables.study.compared)
        off = off.reindex(runs.index)
        levels = [float(ratios[run].median()) for run in off.dropna().index]
        why = f"left out: λ_H^1 stops growing near no theory's threshold, or less than {FEWEST} measured steps before the end"
        return from_seeds(
            joined([f"{symbol(self.quantity)} over {threshold}: the factor between them", others]),
            by_seed(off, runs),
            Unit.RATIO,
            null=math.log(FACTOR),
            our_value=with_names([(float(np.median(levels)), "median ratio")]) if levels else "",
            notes=[*notes, *lacking(off, why)],
            where=others,
            places={"about": f"{symbol(self.quantity)} stays at {PLAIN}"} if plain else {},
        )


def _are_apart(tables: StudyTables, run: str, threshold: str, other: str) -> pd.Series:
    """Whether two thresholds differ by more than a percent, at each measured step where both are."""
    apart: pd.Series = (over(tables, run, threshold, other) - 1).abs() > 0.01
    return apart


def _are_one(tables: StudyTables, runs: pd.DataFrame) -> bool:
    """Whether the two plateaus are the same all along the runs, as without momentum."""
    return not any(_are_apart(tables, str(run), *PLATEAUS).any() for run in runs.index)


def reaches_edge(tables: StudyTables, run: str) -> float:
    """The step at which λ_H^1 stops growing; NaN, which no step comes after, where nothing is near its threshold then."""
    peak = float(column(tables, "first_peak_step")[run])
    ratios = [over(tables, run, quantity, threshold) for quantity, threshold in THEORIES]
    near = any(bool((found[found.index >= peak] >= 1 / FACTOR).any()) for found in ratios)
    return peak if near else math.nan


def distance(ratios: pd.Series) -> float:
    """The median distance of ratios from 1, either way, as a logarithm; NaN of too few."""
    if len(ratios) < FEWEST:
        return math.nan
    bounded = ratios.clip(1 / FURTHEST, FURTHEST)
    return float(np.log(bounded).abs().median())


def over(tables: StudyTables, run: str, quantity: str, threshold: str) -> pd.Series:
    """A quantity over a threshold at each measured step where both are."""
    ratios: pd.Series = (_values(tables, run, quantity) / _values(tables, run, threshold)).dropna()
    return ratios


def _values(tables: StudyTables, run: str, quantity: str) -> pd.Series:
    """A quantity along a run, by step; of the preconditioned H where the run has one."""
    if quantity == "lambda_H_1" and (PRECONDITIONED, run) in tables.curves:
        quantity = PRECONDITIONED
    values: pd.Series = curve(tables, run, quantity).set_index("step")["value"]
    return values
