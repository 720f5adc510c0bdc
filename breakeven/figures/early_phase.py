"""The early phase: λ_K^1, λ_H^1, α*, ΔL and the left-hand side of Eq. 1 on the way to the break-even point (Figure 2)."""

from typing import Any

import pandas as pd

from breakeven.figures import common, curves

SIZE: dict[str, Any] = {"width": 290, "height": 200}
LENGTH = 2.0  # of the time until the training accuracy passes the threshold


def end(runs: pd.DataFrame) -> float | None:
    """The epoch at which the early phase is over in all runs that didn't diverge; None where one never passes the threshold."""
    epochs = common.finite(runs["threshold_epoch"], log=False)[~common.diverged(runs)]
    return LENGTH * float(epochs.max()) if len(epochs) and epochs.notna().all() and epochs.max() > 0 else None


def two_over_learning_rate(runs: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """2/η for each curve: where λ_H^1 stops growing, if the batch is all examples."""
    rows = common.labelled(runs, study).groupby(["panel", "colour"], sort=True)["learning_rate"].first().reset_index()
    return rows.assign(mean=2 / rows.pop("learning_rate").astype(float))


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the five quantities, each in a panel, with the early phase in view and the rest of training beyond its edge."""
    until, rates = end(runs), two_over_learning_rate(runs, study)
    single = len(set(rates["mean"])) == 1
    limit: dict[str, Any] = {"level": float(rates["mean"].iloc[0])} if single else {"levels": rates}

    def view(quantity: str, axis: str | list[str], **options: Any) -> Any:
        return curves.curves(trajectories, runs, study, quantity, axis, until=until, **options, **SIZE)

    views = [
        view("lambda_K_1", "λ_K^1 (log scale)"),
        view("lambda_H_1", "λ_H^1 (log scale)", of_hessian=True, **limit),
        view("stability_lhs", ["left-hand side of Eq. 1,", "unstable above 1 (log scale)"], of_hessian=True, level=1.0),
        view("alpha_star", "α* (log scale)", level=2.0),
        view("delta_loss", "ΔL of one SGD step", log=False, level=0.0),
    ]
    shown = "Shown is all of training." if until is None else f"Shown are the first {until:.3g} epochs."
    lines = [
        *curves.notes(runs, study),
        f"{'Horizontal line' if single else 'Dashed horizontal lines'} in the panel of λ_H^1: 2/η.",
        shown,
    ]
    return common.finish(common.grid(views), "The early phase: how SGD reaches its break-even point", study, lines)
