"""The early phase: λ_K^1, λ_H^1, α*, ΔL and the left-hand side of Eq. 1 on the way to the break-even point (Figure 2)."""

from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.figures.curves import Look
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

CAPTION = (
    "On the way to the break-even point: λ_K^1; λ_H^1, with the full-batch threshold, where it stops if the batch is all "
    "examples: 2/η, with momentum β 2(1 + β)/η; the left-hand side of Eq. 1; and the paper's two proxies for it: α*, how far "
    "the SGD step can be stretched before the loss rises by 20 % (the line is at 2, where the paper finds it to settle), and "
    "ΔL, the change of the loss in one SGD step. Drag a panel to see the rest of training."
)
ORDER = 80
LENGTH = 2.0  # of the time until the training accuracy passes the threshold


def end(trajectories: pd.DataFrame, runs: pd.DataFrame) -> float | None:
    """The epoch at which the early phase is over in all runs that didn't diverge.

    None where one never passes the threshold, and where training is no longer.
    """
    epochs = common.finite(runs["threshold_epoch"], log=False)[~runs["diverged"]]
    if epochs.empty or epochs.isna().any() or epochs.max() == 0:
        return None
    until = LENGTH * float(epochs.max())
    return until if until < trajectories["epoch"].max() else None


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the five quantities, each in a panel, with the early phase in view and the rest of training beyond its edge."""
    until, thresholds = end(trajectories, runs), curve_data.thresholds(trajectories, study)
    single = thresholds["steady"].all() and thresholds["mean"].map(common.rounded).nunique() == 1
    limit: dict[str, Any] = {"level": float(thresholds["mean"].iloc[0])} if single else {"thresholds": thresholds}

    side, look_of_side = common.equation_1_axis(trajectories)

    def view(quantity: str, axis: str | list[str], **look: Any) -> ChartType:
        look_of_panel = Look(until=until, width=290, height=200, **look)
        return curves.curves(trajectories, runs, study, quantity, axis, look_of_panel)

    views = [
        view("lambda_K_1", common.symbol_axis("lambda_K_1")),
        view("lambda_H_1", common.symbol_axis("lambda_H_1"), of_hessian=True, **limit),
        view("stability_lhs", side, of_hessian=True, level=1.0, **look_of_side),
        view("alpha_star", common.symbol_axis("alpha_star"), level=2.0),
        view("delta_loss", f"{SYMBOLS['delta_loss']} of one SGD step", log=False, level=0.0),
    ]
    shown = "Shown is all of training." if until is None else f"Shown are the first {until:.3g} epochs."
    limits = f"{'Horizontal line' if single else 'Dashed lines'} in the panel of λ_H^1: {curves.THRESHOLD}."
    lines = [*curves.notes(runs, study), *([limits] if len(thresholds) else []), shown]
    figure = common.finish(common.grid(views), "The early phase: on the way to the break-even point", study, lines)
    if until is not None:  # along steps, a reader's page shows as much of the run that takes the most of them
        figure.usermeta = {"until": {"epoch": until, "step": until * curve_data.steps_per_epoch(trajectories).max()}}
    return figure
