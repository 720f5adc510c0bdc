"""Tr(K)/λ_K^1, the paper's bound on the conditioning of the covariance of gradients K, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import curves
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The conditioning of K, measured by Tr(K)/λ_K^1: the larger, the more evenly the variance "
    "of the gradient is spread over directions."
)
ORDER = 40


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw Tr(K)/λ_K^1 against the epoch."""
    title = f"Conditioning of the covariance of gradients, {SYMBOLS['trace_over_lambda_1']}"
    return curves.trajectory(trajectories, runs, study, "trace_over_lambda_1", title)
