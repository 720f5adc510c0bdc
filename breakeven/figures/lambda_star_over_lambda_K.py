"""λ_K^*/λ_K^1, the conditioning of the covariance of gradients K, along training."""

from typing import Any

import pandas as pd

from breakeven.figures import curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw λ_K^*/λ_K^1 against the epoch."""
    return curves.trajectory(
        trajectories,
        runs,
        study,
        "lambda_star_over_lambda_1",
        title="Conditioning of the covariance of gradients, λ_K^*/λ_K^1",
        axis=["smallest over largest eigenvalue of K,", "λ_K^*/λ_K^1 (log scale)"],
    )
