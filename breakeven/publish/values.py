"""What the words of a finding can name instead of typing a number: numbers of its tables, and verdicts that must hold."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from breakeven.claims.evidence import Role, few, times
from breakeven.publish.published import Published
from breakeven.report.verdicts import BY_ID, number, on_which_verdicts_rest, p_value, told_rows
from breakeven.store.errors import UserError


def known_one(name: Any, known: Iterable[Any], what: str, where: str) -> Any:
    """The ``name``, which must be a ``known`` one."""
    if name not in known:
        raise UserError(f"{where}: no {what} is called {name!r}; there are: {', '.join(map(str, known))}")
    return name


class Values:
    """The numbers of a finding, as text with three significant digits. A number that is not there is an error."""

    def __init__(self, finding: Published) -> None:
        self._finding = finding
        self.rows = told_rows(finding.claims, finding.views)
        self._tested = on_which_verdicts_rest(self.rows)
        self._raw = self.rows[self.rows["role"] == Role.ROBUSTNESS.value]

    def effect(self, claim: str, study: str, where: str = "", smoothed: bool = True) -> str:
        """The effect of a test, as the table of claims has it; or that of the same test on curves that are not smoothed."""
        return number(self._row(claim, study, where, smoothed)["effect"])

    def interval(self, claim: str, study: str, where: str = "") -> str:
        """Its interval: from, to."""
        row = self._row(claim, study, where)
        return f"{number(row['ci_low'])} to {number(row['ci_high'])}"

    def p(self, claim: str, study: str, where: str = "") -> str:
        """Its p-value, adjusted for the number of tests, as text that goes on from 'p'."""
        return p_value(self._row(claim, study, where)["p_adjusted"])

    def size(self, claim: str, study: str, where: str = "") -> str:
        """How much larger or smaller its effect, a ratio, says: 5.4 times, or 7 %."""
        return times(float(self._row(claim, study, where)["effect"]))

    def ours(self, claim: str, study: str, of: str, where: str = "", smoothed: bool = True) -> str:
        """Our number ``of`` what stands behind it in the table, such as 1.9 of ``η = 0.3`` where that has 1.9 (η = 0.3)."""
        return self._before(of, str(self._row(claim, study, where, smoothed)["our_value"]), f"{claim} in study {study}")

    def paper(self, claim: str, of: str) -> str:
        """The paper's number ``of`` what stands behind it."""
        return self._before(
            of, BY_ID[known_one(claim, BY_ID, "claim", self._finding.name)].paper_value, f"{claim} in the paper"
        )

    def ratio(self, number_of_one: str, number_of_other: str) -> str:
        """One of these numbers over another, with two digits, as each of them has three."""
        return few(float(number_of_one) / float(number_of_other))

    def _before(self, of: str, told: str, what: str) -> str:
        found = re.search(rf"(\S+) \({re.escape(of)}\)", told)
        if not found:
            raise UserError(f"{self._finding.name}: {what} has no number of '{of}'; it has: {told}")
        return found[1]

    def seeds(self, claim: str, study: str, where: str = "") -> str:
        """On how many seeds it rests."""
        return number(self._row(claim, study, where)["n_seeds"])

    def says(self, claim: str, study: str, verdict: str, where: str = "", smoothed: bool = True) -> str:
        """No text; an error where the verdict is another, so that words can't outlive what they rest on."""
        found = self._row(claim, study, where, smoothed)["verdict"]
        if found != verdict:
            raise UserError(
                f"{self._finding.name}: the notes say that {claim} is {verdict} in study {study}, and it is {found}"
            )
        return ""

    def runs(self, study: str, **settings: Any) -> str:
        """How many runs of a study have these settings."""
        return str(len(self._runs(study, settings)))

    def having(self, study: str, column: str, **settings: Any) -> str:
        """How many of them have a value in this column of ``runs.csv``, or a yes, where it has yes and no."""
        values = self._column(self._runs(study, settings), column).dropna()
        return str(int(values.sum()) if values.dtype == bool else len(values))

    def median(self, study: str, column: str, **settings: Any) -> str:
        """The median of this column over them, where they have a value."""
        return number(self._known(study, column, settings).median())

    def mean(self, study: str, column: str, **settings: Any) -> str:
        """Their geometric mean, as the numbers beside the paper's are."""
        values = self._known(study, column, settings)
        return number(math.exp(values.map(math.log).mean()))

    def span(self, study: str, column: str, **settings: Any) -> str:
        """The smallest and the largest of them."""
        values = self._known(study, column, settings)
        return f"{number(values.min())} to {number(values.max())}"

    def per_cent(self, study: str, column: str, **settings: Any) -> str:
        """The median of a share, in per cent."""
        return number(100 * self._known(study, column, settings).median())

    def _row(self, claim: str, study: str, where: str, smoothed: bool = True) -> pd.Series:
        rows = list(self._rows(claim, study, smoothed))
        found = [row for row in rows if not where or where in str(row["where"]).split("; ")]
        if len(found) != 1:
            places = "; ".join(str(row["where"]) for row in rows)
            raise UserError(
                f"{self._finding.name}: {len(found)} tests of {claim} in study {study} where '{where}', and the notes name "
                f"one; there are: {places}"
            )
        return found[0]

    def _rows(self, claim: str, study: str, smoothed: bool) -> Iterator[pd.Series]:
        tested = self._tested if smoothed else self._raw
        chosen = tested[(tested["claim"] == claim) & (tested["study"] == study)]
        return (row for _, row in chosen.iterrows())

    def _runs(self, study: str, settings: dict[str, Any]) -> pd.DataFrame:
        runs = self._finding.runs[known_one(study, self._finding.runs, "study", self._finding.name)]
        for name, value in settings.items():
            runs = runs[self._column(runs, name) == value]
        if runs.empty:
            raise UserError(f"{self._finding.name}: study {study} has no run with {settings}")
        return runs

    def _column(self, runs: pd.DataFrame, name: str) -> pd.Series:
        column: pd.Series = runs[known_one(name, runs.columns, "column of runs.csv", self._finding.name)]
        return column

    def _known(self, study: str, column: str, settings: dict[str, Any]) -> pd.Series:
        values = self._column(self._runs(study, settings), column).dropna()
        if values.empty:
            raise UserError(f"{self._finding.name}: no run of study {study} with {settings} has a {column}")
        return values
