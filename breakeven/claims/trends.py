"""Does the largest value along each run rise or fall across a sweep? Conjectures C1 and C2."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from breakeven.claims.blocks import combinations, complete
from breakeven.claims.evidence import Evidence, Unit, few, from_seeds, ratio, role_of
from breakeven.claims.hypothesis_tests import LEVEL, Numbers, Seeds
from breakeven.claims.peaks import Peaks, peaks
from breakeven.claims.study_tables import SMOOTHED_AND_RAW, StudyTables, log_levels
from breakeven.claims.words import joined, symbol, with_names
from breakeven.specs.quantities import HYPERPARAMETERS

WORDS = {each.name: each.words for each in HYPERPARAMETERS}


@dataclass(frozen=True)
class Trend:
    """The largest value along each run, across a sweep: rises (1), falls (−1), or the paper does not say (0).

    Of each seed, a line is fitted to the logarithms of the largest values, over that of the hyperparameter. Effect: the value of
    the line at the largest value of the hyperparameter over that at the smallest, median over seeds. Of two values, and of three
    of equal ratios, that is the ratio of the last to the first. Where all runs are largest at their first measured step, the
    largest value after the fall from there is taken, see `breakeven.claims.peaks`. Where the mean of the logarithm along the runs
    shows the opposite, the note says so.
    """

    quantity: str
    hyperparameter: str
    direction: int

    @property
    def outcomes(self) -> dict[int, str]:
        """Up or down with the hyperparameter."""
        return {1: f"rises with {symbol(self.hyperparameter)}", -1: f"falls with {symbol(self.hyperparameter)}"}

    @property
    def findings(self) -> dict[int, str]:
        """What a larger value of the hyperparameter does."""
        larger = f"a {{span}} times larger {self._words}"
        return {
            1: f"{larger} makes {{about}} {{size}} larger",
            -1: f"{larger} keeps {{about}} {{size}} smaller",
            0: f"{larger} has no clear effect on {{about}}: {{effect}} times as large",
        }

    @property
    def needs(self) -> str:
        """The sweep."""
        return f"sweeps the {self._words}"

    @property
    def _words(self) -> str:
        return WORDS.get(self.hyperparameter, self.hyperparameter)

    def applies(self, compared: Collection[str]) -> bool:
        """Where the hyperparameter is swept."""
        return self.hyperparameter in compared

    def rows(self, tables: StudyTables) -> Iterator[Evidence]:
        """At each combination of the other swept hyperparameters a row of the smoothed curves, and one of the raw."""
        grids = list(combinations(tables, without=[self.hyperparameter]))
        # a study can be several grids, not all of which sweep this one
        grids = [(others, runs) for others, runs in grids if runs[self.hyperparameter].nunique() > 1] or grids[:1]
        levels = log_levels(tables, self.quantity)
        for smoothed in SMOOTHED_AND_RAW:
            for others, runs in grids:
                yield self._along(runs, others, peaks(tables, runs, self.quantity, smoothed), levels, smoothed)

    def _along(self, runs: pd.DataFrame, others: str, largest: Peaks, levels: pd.Series, smoothed: bool) -> Evidence:
        """The trend of ``largest`` over ``runs``, which differ in nothing but the hyperparameter and the seed."""
        quantity, name = joined([largest.name, others]), symbol(self.hyperparameter)
        runs, notes = complete(runs, [self.hyperparameter], largest.values)
        notes = [*largest.notes, *notes]
        table = self._by_seed(runs, largest.values)
        role = role_of(smoothed)
        if table.shape[1] < 2:
            note = joined([*notes, f"fewer than 2 values of {name}: no trend"])
            return Evidence(quantity, note=note, role=role, where=others)
        changes = fitted_changes(table)
        means = np.exp(table.mean(axis=0))
        named = [(mean, f"{name} = {value:g}") for value, mean in means.items()]
        return from_seeds(
            quantity,
            changes,
            Unit.RATIO,
            our_value=with_names(named[::-1]),
            notes=[*notes, *self._but(Seeds(tuple(changes)), self._by_seed(runs, levels).dropna(axis=1))],
            role=role,
            where=others,
            places={"span": few(float(table.columns[-1]) / float(table.columns[0]))},
            restriction=largest.restriction,
            figure=largest.figure,
        )

    def _by_seed(self, runs: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
        """A row for each seed, a column for each value of the hyperparameter."""
        runs = runs.assign(value=values.reindex(runs.index))
        return runs.pivot(index="seed", columns=self.hyperparameter, values="value").sort_index(axis=1)

    def _but(self, peaks: Seeds, levels: pd.DataFrame) -> Iterator[str]:
        """That the rest of the trajectory points the other way than its largest values, where it does."""
        if levels.shape[1] < 2:
            return
        whole = Seeds(tuple(fitted_changes(levels)))
        if whole.direction == -peaks.direction and whole.p_value <= LEVEL:
            yield f"but its mean along the run {self.outcomes[whole.direction]}: {ratio(whole.effect):.3g}"


def fitted_changes(table: pd.DataFrame) -> Numbers:
    """By how much each row changes from its first to its last column, on the line fitted to it over the columns' logarithms."""
    x = np.log(table.columns.to_numpy(float))
    centred = x - x.mean()
    slopes = table.to_numpy(float) @ centred / (centred @ centred)
    changes: Numbers = slopes * (x[-1] - x[0])
    return changes
