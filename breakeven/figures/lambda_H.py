"""λ_H^1, the largest eigenvalue of the Hessian H of the training loss, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures.largest_eigenvalue import against_threshold
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The spectral norm λ_H^1 of the Hessian H of the training loss along training: the curvature in the "
    "sharpest direction. The dashed lines are at the full-batch threshold, where Eq. 1 puts the break-even point if the batch "
    "is all examples: 2/η, with momentum β 2(1 + β)/η. They follow the learning rate. Smaller batches reach theirs below. "
    "Adam and its relatives have none here: theirs is for the preconditioned H."
)
ORDER = 60


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_H^1 against the epoch."""
    title = f"Spectral norm of the Hessian of the training loss, {SYMBOLS['lambda_H_1']}"
    return against_threshold(trajectories, runs, study, "lambda_H_1", title)
