"""The largest values attained along the trajectory, against the swept hyperparameter: conjectures C1 and C2."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common
from breakeven.figures.labels import COLUMNS, compared, label, number
from breakeven.specs.study import Study

CAPTION = (
    "The largest values at a snapshot of the trajectory against the hyperparameter. The paper conjectures that "
    "a larger learning rate η or a smaller batch size S lowers max λ_K^1 and max λ_H^1 (C1), and raises both "
    "measures of the conditioning of K (C2), and says the same of the traces of K and H and of the conditioning of H."
)
ORDER = 100
MAXIMA = ("max_lambda_K", "max_lambda_H", "max_trace_over_lambda_1", "max_lambda_star_over_lambda_1")
# drawn where there are values
OTHERS = ("max_trace_K", "max_trace_H", "max_trace_H_over_lambda_1", "max_trace_top_5_H_over_lambda_1")
WIDTH, HEIGHT = 290, 200
LETTERS = 40  # of a line below an axis


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the maxima side by side."""
    drawn = [*MAXIMA, *(name for name in OTHERS if name in runs and common.finite(runs[name], log=True).notna().any())]
    views = [panel(runs, study, maximum) for maximum in drawn]
    lacking = int(runs[[name for name in drawn if name in runs]].isna().any(axis=1).sum())
    means = "line through the geometric means" if along_line(runs, study) else "bar at the geometric mean"
    lines = [f"One point for each run; {means} over seeds."]
    if lacking:
        lines.append(f"{lacking} of {len(runs)} runs lack a point: not all of their values could be computed.")
    lines += common.unconverged(runs)
    lines += common.divergence(runs, "crosses where measured, at the edge if beyond it; not in the means")
    return common.finish(common.grid(views), "Largest values at a snapshot of the trajectory", study, lines)


def panel(runs: pd.DataFrame, study: Study, maximum: str) -> ChartType:
    """One maximum: a point for each run, and a line through the geometric means of the runs that didn't diverge."""
    symbol = COLUMNS[maximum].symbol
    values = runs[maximum] if maximum in runs else pd.Series(float("nan"), index=runs.index)
    rows = common.labelled(runs, study).assign(value=common.finite(values, log=True)).dropna(subset=["value"])
    if rows.empty:
        return common.no_values(common.on_log_axis(symbol, values), WIDTH, HEIGHT)
    rows = rows.assign(outcome=["diverged" if diverged else "finished" for diverged in rows["diverged"]])
    rows["x"] = [number(value) for value in rows[compared(study)[0]]]
    x = hyperparameter_axis(runs, study)
    y = common.log_y(
        "value:Q", common.fitted(f"{symbol} (log scale)", HEIGHT), common.span(rows, runs, log=True), clamp=True
    )
    colour = panel_colour(runs, study)
    highlight = common.highlight("panel") if len(compared(study)) > 1 else None
    zoom = common.zoom("y", name=f"zoom_{maximum}")
    means = mean_layer(rows, runs, study, maximum).encode(x=x, y=y, color=colour, opacity=shaded(highlight, 1.0))
    points = point_layer(rows, study, maximum).encode(x=x, y=y, color=colour, opacity=shaded(highlight, 0.7))
    # on the first layer, whose legend is the one that is drawn
    means = means.properties(name=f"view_{maximum}").add_params(zoom, *([highlight] if highlight else []))
    return alt.layer(means, points).properties(width=WIDTH, height=HEIGHT)


def mean_layer(rows: pd.DataFrame, runs: pd.DataFrame, study: Study, maximum: str) -> alt.Chart:
    """The geometric means of the runs that didn't diverge: a line, or bars where the hyperparameter has no order."""
    stable = rows[rows["outcome"] == "finished"].assign(log=lambda table: np.log(table["value"]))
    groups = stable.groupby(["panel", "colour"], sort=True)
    means = groups.agg(x=("x", "first"), log=("log", "mean"), seeds=("seed", "nunique")).reset_index()
    means = means.assign(value=np.exp(means["log"])).drop(columns="log")
    drawing = alt.Chart(common.data(common.records(means), f"{maximum}_mean"))
    if along_line(runs, study):
        line: alt.Chart = drawing.mark_line(strokeWidth=1.8).encode(order=alt.Order("x:Q"))
        return line
    bars: alt.Chart = drawing.mark_tick(orient="horizontal", thickness=2, size=40)
    return bars


def point_layer(rows: pd.DataFrame, study: Study, maximum: str) -> alt.Chart:
    """A point for each run, a cross where it diverged."""
    columns = ["colour", "panel", "run", "seed", "value", "x", "outcome"]
    some_diverged = (rows["outcome"] == "diverged").any()
    shape = alt.Shape(
        "outcome:N",
        scale=alt.Scale(domain=["finished", "diverged"], range=["circle", "cross"]),
        legend=alt.Legend(title=None) if some_diverged else None,
    )
    tooltip = [
        *common.who(study),
        alt.Tooltip("seed:Q"),
        alt.Tooltip("value:Q", title=COLUMNS[maximum].symbol, format=".4~g"),
        alt.Tooltip("run:N"),
        alt.Tooltip("outcome:N"),
    ]
    mark = alt.Chart(common.data(common.records(rows[columns]), maximum)).mark_point(filled=True, size=45)
    layer: alt.Chart = mark.encode(shape=shape, tooltip=tooltip)
    return layer


def hyperparameter_axis(runs: pd.DataFrame, study: Study) -> alt.X:
    """The x axis: the values that were run, on a log scale for the learning rate and the batch size."""
    first = compared(study)[0]
    numbers = [number(value) for value in runs[first]]
    values = sorted({value for value in numbers if value is not None})
    if None in numbers or not values:
        order = common.ordered(runs[first])
        letters = max(map(len, order))
        axis = alt.Axis(labelAngle=0)
        if letters * common.LETTER * len(order) > WIDTH:  # across, they would run into each other
            axis = alt.Axis(labelAngle=-30, labelLimit=WIDTH, labelExpr=common.broken(order, LETTERS))
        return alt.X("colour:N", title=label(first), sort=order, axis=axis)
    log = first in ("learning_rate", "batch_size") and values[0] > 0
    title = f"{label(first)} (log scale)" if log else label(first)
    scale = alt.Scale(type="log" if log else "linear", domain=[values[0], values[-1]], padding=16, nice=False)
    return alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(values=values, labelExpr="datum.value", grid=False))


def along_line(runs: pd.DataFrame, study: Study) -> bool:
    """Whether a line joins the means: it takes numbers, and more than one of them."""
    values = runs[compared(study)[0]]
    return values.nunique() > 1 and all(number(value) is not None for value in values)


def panel_colour(runs: pd.DataFrame, study: Study) -> Any:
    """One colour for each combination of the hyperparameters after the first, which is the x axis."""
    if len(compared(study)) == 1:
        return alt.value("#3b3b98")
    panels = common.panels(runs, study)
    scale = common.palette(panels, runs[compared(study)[1:]])
    return alt.Color("panel:O", scale=scale, legend=common.legend(None, panels, 2 * WIDTH))


def shaded(highlight: alt.Parameter | None, opacity: float) -> Any:
    """The opacity of a mark: less where a legend has selected another."""
    return alt.value(opacity) if highlight is None else common.shaded(highlight, opacity, 0.08)
