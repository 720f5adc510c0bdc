"""Generalization: the final test accuracy of each run against what its early phase was like. The paper leaves it open."""

from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common
from breakeven.figures.labels import COLUMNS
from breakeven.specs.study import Study

CAPTION = (
    "Do runs whose early phase was less noisy, or broke even sooner, end with a higher test accuracy? The "
    "paper leaves this question open. All runs of the study are compared, whatever their hyperparameters."
)
ORDER = 130
SIDE = 290
AGAINST = {"max_lambda_K": COLUMNS["max_lambda_K"].symbol, "break_even_epoch": COLUMNS["break_even_epoch"].words}
ACCURACY = "final test accuracy"


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the final test accuracy against max λ_K^1, beside the same against the epoch of the break-even point."""
    views = [panel(runs, study, quantity) for quantity in AGAINST]
    lines = ["One point for each run. The claim is tested on the points of the sweep, each the mean over its seeds."]
    lines += common.divergence(runs, "left out")
    return common.finish(common.grid(views), "Generalization and the early phase", study, lines)


def points(runs: pd.DataFrame, study: Study, quantity: str) -> pd.DataFrame:
    """The runs that did not diverge and have both values: ``value``, ``accuracy``."""
    kept = common.labelled(runs[~runs["diverged"]], study)
    kept = kept.assign(
        value=common.finite(kept[quantity], log=True), accuracy=common.finite(kept["final_test_accuracy"], log=False)
    )
    return kept.dropna(subset=["value", "accuracy"])


def panel(runs: pd.DataFrame, study: Study, quantity: str) -> ChartType:
    """One point for each run."""
    table = points(runs, study, quantity)
    if table.empty:
        return common.no_values(AGAINST[quantity], SIDE, SIDE)
    low, high = common.span(table, runs, log=True)
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    axis = alt.Axis(format="~g", values=common.ticks(low, high))
    around: Any = alt.Undefined
    if table["accuracy"].nunique() == 1:  # Vega labels an axis without a length with the nearest integer
        around = common.span(table.assign(value=table["accuracy"]), runs, log=False)
    highlight = common.highlight()
    colour, shape = common.colour_scale(runs, study)
    columns = ["colour", "panel", "run", "seed", "value", "accuracy"]
    mark = alt.Chart(common.data(common.records(table[columns]), quantity)).mark_point(filled=True, size=60, clip=True)
    chart: alt.Chart = mark.encode(
        x=alt.X("value:Q", title=f"{AGAINST[quantity]} (log scale)", axis=axis, scale=scale),
        y=alt.Y("accuracy:Q", title=ACCURACY, scale=alt.Scale(zero=False, padding=8, domain=around)),
        color=colour,
        shape=shape,
        opacity=common.shaded(highlight, 0.9, 0.1),
        tooltip=[
            *common.who(study),
            alt.Tooltip("seed:N"),
            alt.Tooltip("value:Q", title=AGAINST[quantity], format=".4~g"),
            alt.Tooltip("accuracy:Q", title=ACCURACY, format=".4~g"),
            alt.Tooltip("run:N"),
        ],
    )
    # each panel zooms by itself: their x axes are of different kinds
    zoom = common.zoom("x", "y", name=f"zoom_{quantity}")
    return chart.add_params(highlight, zoom).properties(name=f"view_{quantity}", width=SIDE, height=SIDE)
