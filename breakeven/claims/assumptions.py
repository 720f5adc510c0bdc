"""Does what the model of the early phase assumes hold? A number of each run, beside a threshold.

A row for each combination of the swept hyperparameters: what fails one way at some and the other way at others is nowhere right.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from breakeven.claims.blocks import by_seed, combinations, complete, lacking
from breakeven.claims.evidence import Evidence, Unit, few, from_seeds
from breakeven.claims.study_tables import StudyTables, column, logarithms, typical_early, typical_ratio_after_steps
from breakeven.claims.words import joined, smallest_to_largest, symbol
from breakeven.specs.measurements import QUANTITIES

ALONG_RUNS = {each.name for each in QUANTITIES}
ALMOST_0 = 1e-9  # what is below counts as that: 0 has no logarithm, and is no reason to leave a run out


@dataclass(frozen=True)
class Typical:
    """A positive number of each run: above or below a ``threshold``?

    ``quantity``: along a run, whose median over the measured steps up to the break-even point is taken; or a column of
    ``runs.csv``. ``best``: what it is where the claim holds exactly, if that has a logarithm. Effect: the geometric mean over the
    runs of a seed, median over seeds.
    """

    quantity: str
    threshold: float
    direction: int
    best: float | None = None
    needs: ClassVar[str] = "has runs"

    @property
    def outcomes(self) -> dict[int, str]:
        """On which side of the threshold."""
        return {1: f"above {few(self.threshold)}", -1: f"below {few(self.threshold)}"}

    @property
    def findings(self) -> dict[int, str]:
        """The number, and its side."""
        sides = {1: "above", -1: "below", 0: "not clear on which side of"}
        return {side: f"{{about}} is {{effect}}: {words} {few(self.threshold)}" for side, words in sides.items()}

    @property
    def holds(self) -> tuple[float | None, float | None]:
        """Between which effects the claim holds, where that has two ends."""
        ends = sorted((self.threshold, self.best or self.threshold))
        return (ends[0], ends[1]) if self.best else (None, None)

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each combination of the swept hyperparameters."""
        along = self.quantity in ALONG_RUNS
        name = f"{symbol(self.quantity)}{', median until break-even' if along else ''}"
        values = typical_early(tables, self.quantity) if along else column(tables, self.quantity)
        why = "left out: no break-even point, or no value until there"
        for others, runs in combinations(tables, without=[]):
            yield _of_runs(tables, runs, joined([name, others]), values, self.threshold, why, where=others)


@dataclass(frozen=True)
class Falls:
    """The curvature along e_H^1 after an unstable step, over the one before: below 1?

    Unstable is a measured step at which the left-hand side of Eq. 1 is at least 1; of each run the median over those. Effect: the
    ratio, geometric mean over the runs of a seed, median over seeds. The finding has the same of the stable steps beside it: the
    curvature along one direction is at most λ_H^1, and may fall at any step.
    """

    direction: int = -1
    threshold: ClassVar[float] = 1.0
    holds: ClassVar[tuple[None, None]] = (None, None)
    needs: ClassVar[str] = "has runs"
    outcomes: ClassVar[dict[int, str]] = {-1: "falls", 1: "rises"}
    findings: ClassVar[dict[int, str]] = {
        -1: "after an unstable step, the curvature along e_H^1 is {effect} times that before{beside}: it falls",
        1: "after an unstable step, the curvature along e_H^1 is {effect} times that before{beside}: it rises",
        0: "after an unstable step, the curvature along e_H^1 is {effect} times that before{beside}: no clear fall or rise",
    }

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each combination of the swept hyperparameters."""
        name = "curvature along e_H^1 after an unstable step, over that before"
        unstable, stable = (typical_ratio_after_steps(tables, wanted) for wanted in (True, False))
        for others, runs in combinations(tables, without=[]):
            beside = smallest_to_largest(stable[runs.index].dropna().to_numpy(float))
            notes = [f"after stable steps: {beside}"] if beside else []
            quantity, why = joined([name, others]), "left out: no unstable step"
            row = _of_runs(tables, runs, quantity, unstable, self.threshold, why, notes, where=others)
            at_stable = _of_runs(tables, runs, quantity, stable, self.threshold, "")
            told = f" (after stable steps: {few(at_stable.effect)})" if at_stable.sample else ""
            yield replace(row, places={"beside": told})


@dataclass(frozen=True)
class Proportional:
    """The slope of log λ_K^1 over log λ_H^1 along the early phase: 1, or closer to that than to 0 or 2?

    0 is that of two numbers that have nothing to do with each other, 2 that of a square. Effect: the slope, mean over the runs of
    a seed, median over seeds.
    """

    column: ClassVar[str] = "lambda_K_lambda_H_slope"
    within: ClassVar[float] = 0.5
    direction: int = 1
    holds: ClassVar[tuple[float | None, float | None]] = (0.5, 1.5)
    needs: ClassVar[str] = "has runs"
    outcomes: ClassVar[dict[int, str]] = {1: "between 0.5 and 1.5", -1: "not between 0.5 and 1.5"}
    findings: ClassVar[dict[int, str]] = {
        1: "until break-even, λ_K^1 grows as λ_H^1 to the power of {effect}: about in proportion",
        -1: "until break-even, λ_K^1 grows as λ_H^1 to the power of {effect}: not in proportion",
        0: "until break-even, λ_K^1 grows as λ_H^1 to the power of {effect}: not clear whether in proportion",
    }

    def applies(self, compared: Collection[str]) -> bool:
        """On any study."""
        return True

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row for each combination of the swept hyperparameters."""
        all_slopes, all_alphas = (column(tables, name) for name in (self.column, "lambda_K_over_lambda_H"))
        why = "left out: no break-even point, or too few measured steps until there"
        for others, of_setting in combinations(tables, without=[]):
            runs, notes = complete(of_setting, tables.study.compared)
            slopes = all_slopes[runs.index]
            alphas = all_alphas[runs.index].dropna().to_numpy(float)
            yield from_seeds(
                joined(["slope of log λ_K^1 over log λ_H^1 until break-even", others]),
                by_seed(slopes, runs),
                Unit.SLOPE,
                null=1.0,
                within=self.within,
                our_value=joined([smallest_to_largest(slopes.dropna().to_numpy(float)), *_alphas(alphas)]),
                notes=[*notes, *lacking(slopes, why)],
                where=others,
            )


def _alphas(alphas: np.ndarray) -> list[str]:
    return [f"α = {smallest_to_largest(alphas)}"] if len(alphas) else []


def _of_runs(
    tables: StudyTables,
    runs: pd.DataFrame,
    name: str,
    values: pd.Series,
    threshold: float,
    why: str,
    beside: Collection[str] = (),
    **words: Any,
) -> Evidence:
    """A positive number of each of the ``runs``, by its logarithm; ``words``: others of `Evidence`."""
    runs, notes = complete(runs, tables.study.compared)
    values = values[runs.index]
    logs = logarithms(values.clip(lower=ALMOST_0))
    return from_seeds(
        name,
        by_seed(logs, runs),
        Unit.RATIO,
        null=math.log(threshold),
        our_value=smallest_to_largest(values.dropna().to_numpy(float)),
        notes=[*notes, *lacking(logs, why), *beside],
        **words,
    )
