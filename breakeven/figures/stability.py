"""The left-hand side of Eq. 1 along training: training is unstable along e_H^1 where it is above 1."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "Equation 1 itself, measured along e_H^1, the direction of largest curvature: above 1, training is unstable "
    "there. The break-even point of a run is the first step at which it reaches 1."
)
ORDER = 70


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the left-hand side of Eq. 1 against the epoch, with a line at 1."""
    title = f"Stability along e_H^1: the {SYMBOLS['stability_lhs']}"
    axis, look = common.equation_1_axis(trajectories)
    return curves.trajectory(
        trajectories, runs, study, "stability_lhs", title, axis, of_hessian=True, level=1.0, **look
    )
