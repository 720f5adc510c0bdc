"""λ_K^1, the largest eigenvalue of the covariance of gradients K, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The spectral norm λ_K^1 of the covariance of gradients K along training: how much the gradient varies "
    "between mini-batches in the direction where it varies most."
)
ORDER = 30


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_K^1 against the epoch."""
    title = f"Spectral norm of the covariance of gradients, {SYMBOLS['lambda_K_1']}"
    return curves.trajectory(trajectories, runs, study, "lambda_K_1", title)
