"""Tr(K)/λ_K^1, the paper's bound on the conditioning of the covariance of gradients K, along training."""

from typing import Any

import pandas as pd

from breakeven.figures import curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw Tr(K)/λ_K^1 against the epoch."""
    return curves.trajectory(
        trajectories,
        runs,
        study,
        "trace_over_lambda_1",
        title="Conditioning of the covariance of gradients, Tr(K)/λ_K^1",
        axis=["trace over spectral norm of K,", "Tr(K)/λ_K^1 (log scale)"],
    )
