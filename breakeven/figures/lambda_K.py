"""λ_K^1, the largest eigenvalue of the covariance of gradients K, along training."""

from typing import Any

import pandas as pd

from breakeven.figures import curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw λ_K^1 against the epoch."""
    return curves.trajectory(
        trajectories,
        runs,
        study,
        "lambda_K_1",
        title="Spectral norm of the covariance of gradients, λ_K^1",
        axis=["spectral norm of K,", "λ_K^1 (log scale)"],
    )
