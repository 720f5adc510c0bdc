"""λ_H^1, the largest eigenvalue of the Hessian H of the training loss, along training."""

from typing import Any

import pandas as pd

from breakeven.figures import curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw λ_H^1 against the epoch."""
    return curves.trajectory(
        trajectories,
        runs,
        study,
        "lambda_H_1",
        title="Spectral norm of the Hessian of the training loss, λ_H^1",
        axis=["spectral norm of H,", "λ_H^1 (log scale)"],
        of_hessian=True,
    )
