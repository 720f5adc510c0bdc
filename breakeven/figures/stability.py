"""The left-hand side of Eq. 1 along training: SGD is unstable along e_H^1 where it is above 1."""

from typing import Any

import pandas as pd

from breakeven.figures import curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the left-hand side of Eq. 1 against the epoch, with a line at 1."""
    return curves.trajectory(
        trajectories,
        runs,
        study,
        "stability_lhs",
        title="Stability of SGD along e_H^1: the left-hand side of Eq. 1",
        axis=["left-hand side of Eq. 1,", "unstable above 1 (log scale)"],
        of_hessian=True,
        level=1.0,
    )
