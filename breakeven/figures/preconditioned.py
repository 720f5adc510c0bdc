"""The largest eigenvalue of the preconditioned Hessian along training, of runs whose optimizer has a preconditioner."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures.curve_data import preconditioned
from breakeven.figures.largest_eigenvalue import against_threshold
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "The largest eigenvalue of P⁻¹H, with the preconditioner P of Adam, AdamW or RMSprop at each step: what takes "
    "the place of λ_H^1 in Eq. 1 where the optimizer scales the step of each weight by itself. The dashed lines are at the "
    "full-batch threshold, which is (2 + 2β₁)/((1 − β₁)η) for Adam, 38/η at β₁ = 0.9. P is taken as frozen. In the first steps "
    "it is made of few gradients and moves fast, and the eigenvalue is far above; so it is where a weight has had few."
)
ORDER = 65
ON_REQUEST = True
NEEDS_PRECONDITIONER = True


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the preconditioned eigenvalue against the epoch, of the runs that have one."""
    quantity = "preconditioned_lambda_H_1"
    having = runs[runs["run"].isin(preconditioned(trajectories))]
    runs = having if len(having) else runs
    title = f"Largest eigenvalue of the preconditioned Hessian, {SYMBOLS[quantity]}"
    words = "the full-batch threshold, 38/η for Adam with its usual momentum"
    axis = ["largest eigenvalue of P⁻¹H,", f"{SYMBOLS[quantity]} (log scale)"]  # which fits beside a panel
    return against_threshold(trajectories, runs, study, quantity, title, words, axis)
