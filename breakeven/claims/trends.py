"""Does the largest value along each run rise or fall across a sweep? Conjectures C1 and C2."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from breakeven.claims.blocks import combinations, complete
from breakeven.claims.evidence import Evidence, from_seeds
from breakeven.claims.hypothesis_tests import page_trend
from breakeven.claims.study_tables import RAW_AND_SMOOTHED, StudyTables, maxima
from breakeven.claims.words import joined, maximum, symbol, with_names
from breakeven.specs.quantities import HYPERPARAMETERS

WORDS = {each.name: each.words for each in HYPERPARAMETERS}


@dataclass(frozen=True)
class Trend:
    """The largest value along each run, across a sweep: rises (1), falls (−1), or the paper does not say (0).

    Effect: the largest value at the largest value of the hyperparameter over that at the smallest, geometric mean over seeds.
    """

    quantity: str
    hyperparameter: str
    direction: int

    @property
    def outcomes(self) -> dict[int, str]:
        """Up or down with the hyperparameter."""
        return {1: f"rises with {symbol(self.hyperparameter)}", -1: f"falls with {symbol(self.hyperparameter)}"}

    @property
    def needs(self) -> str:
        """The sweep."""
        return f"sweeps the {WORDS.get(self.hyperparameter, self.hyperparameter)}"

    def applies(self, compared: Collection[str]) -> bool:
        """Where the hyperparameter is swept."""
        return self.hyperparameter in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """A row at each combination of the other swept hyperparameters."""
        grids = list(combinations(tables, without=[self.hyperparameter]))
        # a study can be several grids, not all of which sweep this one
        grids = [(others, runs) for others, runs in grids if runs[self.hyperparameter].nunique() > 1] or grids[:1]
        for smoothed in RAW_AND_SMOOTHED:
            largest = maxima(tables, self.quantity, smoothed)
            for others, runs in grids:
                quantity = joined([maximum(self.quantity, smoothed), others])
                yield self._along(runs, quantity, largest.where(largest > 0))

    def _along(self, runs: pd.DataFrame, quantity: str, largest: pd.Series) -> Evidence:
        """The trend of ``largest`` over ``runs``, which differ in nothing but the hyperparameter and the seed."""
        name = symbol(self.hyperparameter)
        runs, notes = complete(runs, [self.hyperparameter], largest)
        runs = runs.assign(value=largest.reindex(runs.index))
        table = runs.pivot(index="seed", columns=self.hyperparameter, values="value").sort_index(axis=1)
        if table.shape[1] < 2:
            return Evidence(quantity, note=joined([*notes, f"fewer than 2 values of {name}: no trend"]))
        numbers = table.to_numpy(float)
        means = np.exp(np.log(numbers).mean(axis=0))
        named = [(mean, f"{name} = {value:g}") for value, mean in zip(table.columns, means, strict=True)]
        return from_seeds(
            quantity,
            np.log(numbers[:, -1] / numbers[:, 0]),
            lambda _: page_trend(numbers),
            scale=math.exp,
            our_value=with_names(named[::-1]),
            notes=notes,
        )
