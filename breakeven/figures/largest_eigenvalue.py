"""A largest eigenvalue along training, with the full-batch threshold that it is to be compared with."""

from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.specs.study import Study

NEAR = 3.0  # lines that are further beyond the curves would leave little room for them


def against_threshold(
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    study: Study,
    quantity: str,
    title: str,
    words: str = curves.THRESHOLD,
    axis: list[str] | None = None,
) -> ChartType:
    """Draw ``quantity`` against the epoch, with lines at the full-batch thresholds that are not far beyond the curves.

    ``words``: what these are. ``axis``: the lines of the y title, where they are not the words of the quantity.
    """
    rows = common.select(trajectories, quantity, log=True)
    low, high = common.span(rows, runs, log=True) if len(rows) else (1.0, 1.0)
    thresholds = curve_data.thresholds(trajectories, study, quantity)
    near = thresholds["mean"].between(low / NEAR, high * NEAR)
    drawn = thresholds[near.groupby([thresholds["panel"], thresholds["colour"]]).transform("any")]
    domain = [common.rounded(low), common.rounded(max([high, *(1.15 * thresholds["mean"][near])]))]
    look: dict[str, Any] = {"thresholds": drawn, "domain": domain} if len(drawn) else {}
    figure = curves.trajectory(trajectories, runs, study, quantity, title, axis, of_hessian=True, **look)
    if len(drawn):
        figure.title.subtitle.append(f"Dashed lines: {words}.")
    return figure
