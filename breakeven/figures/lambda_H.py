"""λ_H^1, the largest eigenvalue of the Hessian H of the training loss, along training."""

from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The spectral norm λ_H^1 of the Hessian H of the training loss along training: the curvature in the "
    "sharpest direction. The dashed horizontal lines are at 2/η, where Eq. 1 puts the break-even point if the batch is all "
    "examples; smaller batches reach theirs below."
)
ORDER = 60
NEAR = 3.0  # lines that are further beyond the curves would leave little room for them


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_H^1 against the epoch, with lines at 2/η that are not far beyond the curves."""
    title = f"Spectral norm of the Hessian of the training loss, {SYMBOLS['lambda_H_1']}"
    rows = common.select(trajectories, "lambda_H_1", log=True)
    low, high = common.span(rows, runs, log=True) if len(rows) else (1.0, 1.0)
    rates = curve_data.two_over_learning_rate(runs, study)
    near = rates[rates["mean"].between(low / NEAR, high * NEAR)]
    domain = [common.rounded(low), common.rounded(max([high, *(1.15 * near["mean"])]))]
    look: dict[str, Any] = {"of_hessian": True, "levels": near, "domain": domain} if len(near) else {"of_hessian": True}
    figure = curves.trajectory(trajectories, runs, study, "lambda_H_1", title, **look)
    if len(near):
        figure.title.subtitle.append("Dashed horizontal lines: 2/η.")
    return figure
