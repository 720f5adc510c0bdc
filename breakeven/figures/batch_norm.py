"""Conditioning with and without batch normalization (Figure 5)."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.figures.curves import Look
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "Is a low learning rate as badly conditioned with batch normalization as without? The norm of the gradient "
    "over that of its projection on the top five eigenvectors of K, ‖g‖/‖g_5‖; the norm of the scale of the last batch "
    "normalization, ‖γ‖; and the spectra of K and H."
)
ORDER = 110
ON_REQUEST = True
LINEAR = Look(log=False, rules=None, overlay=True, width=290, height=200)
LOG = Look(rules=None, overlay=True, width=290, height=200)
LOG_OF_HESSIAN = Look(of_hessian=True, rules=None, overlay=True, width=290, height=200)


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the five quantities, each in a panel that holds all networks: one dash for each, one colour for each η."""

    def view(quantity: str, axis: str, look: Look) -> ChartType:
        return curves.curves(trajectories, runs, study, quantity, axis, look)

    views = [
        view("g_over_g5", SYMBOLS["g_over_g5"], LINEAR),
        view("gamma_norm", f"{SYMBOLS['gamma_norm']} of the last BN layer (log scale)", LOG),
        view("lambda_K_1", common.symbol_axis("lambda_K_1"), LOG),
        view("lambda_H_1", common.symbol_axis("lambda_H_1"), LOG_OF_HESSIAN),
        view("trace_over_lambda_1", SYMBOLS["trace_over_lambda_1"], LINEAR),
    ]
    lines = [curves.averaged(runs, study), *curves.marked(runs)]
    return common.finish(common.grid(views), "Conditioning and the scale of batch normalization", study, lines)
