"""Does the early phase decide? Trajectories whose learning rate switches, beside those that keep it."""

from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.figures.curves import Look, Rules
from breakeven.figures.labels import QUANTITIES
from breakeven.specs.study import Study

CAPTION = (
    "Does the early phase decide? Runs whose learning rate switches, before or after their break-even point, "
    "beside those that keep either learning rate from the start."
)
ORDER = 120
ON_REQUEST = True
SWITCHES = Rules("first_switch_step", "mean step of the switch", "step")


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw λ_K^1, λ_H^1 and the test accuracy against the step, with a line where the learning rate switches."""

    def view(quantity: str, axis: list[str], **look: Any) -> ChartType:
        look_of_panel = Look(x="step", rules=SWITCHES, band_opacity=0.08, width=640, height=220, **look)
        return curves.curves(trajectories, runs, study, quantity, axis, look_of_panel)

    views = [
        view("lambda_K_1", common.words_axis("lambda_K_1")),
        view("lambda_H_1", common.words_axis("lambda_H_1"), of_hessian=True),
        view("test_accuracy", [QUANTITIES["test_accuracy"].words], log=False),
    ]
    lines = [
        curves.averaged(runs, study),
        "Dashed vertical lines: where the learning rate switches (mean over the runs that get there).",
        *curves.marked(runs),
    ]
    return common.finish(common.grid(views, columns=1), "Trajectories whose learning rate switches", study, lines)
