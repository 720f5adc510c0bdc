"""λ_H^1, the largest eigenvalue of the Hessian H of the training loss, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The spectral norm λ_H^1 of the Hessian H of the training loss along training: the curvature in the "
    "sharpest direction."
)
ORDER = 60


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_H^1 against the epoch."""
    title = f"Spectral norm of the Hessian of the training loss, {SYMBOLS['lambda_H_1']}"
    return curves.trajectory(trajectories, runs, study, "lambda_H_1", title, of_hessian=True)
