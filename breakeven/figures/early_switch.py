"""Does the early phase decide? Trajectories whose learning rate switches, beside those that keep it."""

from typing import Any

import pandas as pd

from breakeven.figures import common, curves

SIZE: dict[str, Any] = {"width": 640, "height": 220}


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw λ_K^1, λ_H^1 and the test accuracy against the step, with a line where the learning rate switches."""

    def view(quantity: str, axis: list[str], **options: Any) -> Any:
        rules = ("first_switch_step", "mean step of the switch")
        return curves.curves(
            trajectories, runs, study, quantity, axis, x="step", rules=rules, band_opacity=0.08, **options, **SIZE
        )

    views = [
        view("lambda_K_1", ["spectral norm of K,", "λ_K^1 (log scale)"]),
        view("lambda_H_1", ["spectral norm of H,", "λ_H^1 (log scale)"], of_hessian=True),
        view("test_accuracy", ["test accuracy"], log=False),
    ]
    lines = [
        curves.averaged(runs, study),
        "Dashed vertical lines: where the learning rate switches (mean over the runs that get there).",
        *curves.marked(runs),
    ]
    return common.finish(common.grid(views, columns=1), "Trajectories whose learning rate switches", study, lines)
