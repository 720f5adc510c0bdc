"""λ_H^1, the largest eigenvalue of the Hessian H of the training loss, along training."""

from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The spectral norm λ_H^1 of the Hessian H of the training loss along training: the curvature in the "
    "sharpest direction. The dashed lines are at the full-batch threshold, where Eq. 1 puts the break-even point if the batch "
    "is all examples: 2/η, with momentum β 2(1 + β)/η. They follow the learning rate. Smaller batches reach theirs below."
)
ORDER = 60
NEAR = 3.0  # lines that are further beyond the curves would leave little room for them


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_H^1 against the epoch, with lines at the full-batch thresholds that are not far beyond the curves."""
    title = f"Spectral norm of the Hessian of the training loss, {SYMBOLS['lambda_H_1']}"
    rows = common.select(trajectories, "lambda_H_1", log=True)
    low, high = common.span(rows, runs, log=True) if len(rows) else (1.0, 1.0)
    thresholds = curve_data.thresholds(trajectories, study)
    near = thresholds["mean"].between(low / NEAR, high * NEAR)
    drawn = thresholds[near.groupby([thresholds["panel"], thresholds["colour"]]).transform("any")]
    domain = [common.rounded(low), common.rounded(max([high, *(1.15 * thresholds["mean"][near])]))]
    look: dict[str, Any] = {"thresholds": drawn, "domain": domain} if len(drawn) else {}
    figure = curves.trajectory(trajectories, runs, study, "lambda_H_1", title, of_hessian=True, **look)
    if len(drawn):
        figure.title.subtitle.append(f"Dashed lines: {curves.THRESHOLD}.")
    return figure
