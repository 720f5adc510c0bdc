"""λ_K^*/λ_K^1, the conditioning of the covariance of gradients K, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The conditioning of K, measured by λ_K^*/λ_K^1, its smallest non-zero eigenvalue "
    "over its largest: the larger, the better conditioned."
)
ORDER = 50


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_K^*/λ_K^1 against the epoch."""
    title = f"Conditioning of the covariance of gradients, {SYMBOLS['lambda_star_over_lambda_1']}"
    return curves.trajectory(trajectories, runs, study, "lambda_star_over_lambda_1", title)
