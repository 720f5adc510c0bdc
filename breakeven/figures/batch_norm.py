"""Conditioning with and without batch normalization (Figure 5)."""

from typing import Any

import pandas as pd

from breakeven.figures import common, curves

SIZE: dict[str, Any] = {"width": 290, "height": 200}
QUANTITIES = {
    "g_over_g5": "‖g‖/‖g_5‖",
    "gamma_norm": "‖γ‖ of the last BN layer (log scale)",
    "lambda_K_1": "λ_K^1 (log scale)",
    "lambda_H_1": "λ_H^1 (log scale)",
    "trace_over_lambda_1": "Tr(K)/λ_K^1",
}


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the five quantities, each in a panel that holds all networks: one dash for each, one colour for each η."""

    def view(quantity: str, axis: str) -> Any:
        log, of_hessian = "log scale" in axis, quantity == "lambda_H_1"
        return curves.curves(
            trajectories,
            runs,
            study,
            quantity,
            axis,
            log=log,
            of_hessian=of_hessian,
            rules=None,
            overlay=True,
            **SIZE,
        )

    views = [view(quantity, axis) for quantity, axis in QUANTITIES.items()]
    lines = [curves.averaged(runs, study), *curves.marked(runs)]
    return common.finish(common.grid(views), "Conditioning and the scale of batch normalization", study, lines)
