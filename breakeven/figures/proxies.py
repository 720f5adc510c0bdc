"""The paper's two proxies for stability along training: α* and the change of the loss in one SGD step."""

from typing import Any

import pandas as pd

from breakeven.figures import common, curves


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw α* beside ΔL against the epoch."""
    size: dict[str, Any] = {"width": 290, "height": 220}
    views = [
        curves.curves(trajectories, runs, study, "alpha_star", "α* (log scale)", level=2.0, **size),
        curves.curves(trajectories, runs, study, "delta_loss", "ΔL of one SGD step", log=False, level=0.0, **size),
    ]
    title = "How far the SGD step can be stretched, α*, and what it does to the loss, ΔL"
    return common.finish(common.grid(views), title, study, curves.notes(runs, study))
