"""The largest values attained along the trajectory, against the swept hyperparameter: conjectures C1 and C2."""

from typing import Any

import altair as alt
import pandas as pd

from breakeven.figures import common

QUANTITIES = {
    "max_lambda_K": "max λ_K^1",
    "max_lambda_H": "max λ_H^1",
    "max_trace_over_lambda_1": "max Tr(K)/λ_K^1",
    "max_lambda_star_over_lambda_1": "max λ_K^*/λ_K^1",
}
WIDTH, HEIGHT = 290, 200


def hyperparameter_axis(runs: pd.DataFrame, study: dict[str, Any]) -> alt.X:
    """The x axis: the values that were run, on a log scale for the learning rate and the batch size."""
    first = common.swept(study)[0]
    numbers = [common.number(value) for value in runs[first]]
    values = sorted({value for value in numbers if value is not None})
    if None in numbers or not values:
        return alt.X(
            "colour:N", title=common.label(first), sort=common.ordered(runs[first]), axis=alt.Axis(labelAngle=0)
        )
    log = first in ("learning_rate", "batch_size") and values[0] > 0
    title = f"{common.label(first)} (log scale)" if log else common.label(first)
    scale = alt.Scale(type="log" if log else "linear", domain=[values[0], values[-1]], padding=16, nice=False)
    return alt.X("x:Q", title=title, scale=scale, axis=alt.Axis(values=values, labelExpr="datum.value", grid=False))


def along_line(runs: pd.DataFrame, study: dict[str, Any]) -> bool:
    """Whether a line joins the means: it takes numbers, and more than one of them."""
    values = runs[common.swept(study)[0]]
    return values.nunique() > 1 and all(common.number(value) is not None for value in values)


def panel(runs: pd.DataFrame, study: dict[str, Any], quantity: str) -> Any:
    """One maximum: a point for each run, and a line through the means of the runs that didn't diverge."""
    values = runs[quantity] if quantity in runs else pd.Series(float("nan"), index=runs.index)
    rows = common.labelled(runs, study).assign(value=common.finite(values, log=True)).dropna(subset=["value"])
    if rows.empty:
        return common.nothing(common.not_positive(QUANTITIES[quantity], values), WIDTH, HEIGHT)
    first, *others = common.swept(study)
    columns = ["colour", "panel", "run", "seed", "value"]
    rows = rows.assign(outcome=["diverged" if failed else "finished" for failed in common.diverged(rows)])
    rows["x"] = [common.number(value) for value in rows[first]]
    stable = rows[rows["outcome"] == "finished"]
    means = (
        stable.groupby(["panel", "colour"], sort=True)
        .agg(x=("x", "first"), value=("value", "mean"), seeds=("seed", "nunique"))
        .reset_index()
    )

    x = hyperparameter_axis(runs, study)
    title = f"{QUANTITIES[quantity]} (log scale)"
    y = common.log_y("value:Q", title, common.span(rows, runs, log=True), clamp=True)
    colour: Any = alt.value("#3b3b98")
    if others:
        legend = alt.Legend(title=None)
        colour = alt.Color(
            "panel:O", scale=alt.Scale(domain=common.panels(runs, study), scheme=common.SEQUENTIAL), legend=legend
        )
    highlight = common.highlight("panel") if others else None
    params = [common.zoom("y", name=f"zoom_{quantity}"), *([highlight] if highlight else [])]

    def opacity(on: float) -> Any:
        return common.shaded(highlight, on, 0.08) if highlight else alt.value(on)

    who = [alt.Tooltip("colour:N", title=common.label(first))]
    if others:
        who.append(alt.Tooltip("panel:N", title="others"))
    amount = alt.Tooltip("value:Q", title=QUANTITIES[quantity], format=".4~g")
    points = alt.Chart(alt.Data(values=common.records(rows[[*columns, "x", "outcome"]]), name=quantity))
    outcomes = ["finished", "diverged"] if (rows["outcome"] == "diverged").any() else ["finished"]
    shape = alt.Shape(
        "outcome:N",
        scale=alt.Scale(domain=["finished", "diverged"], range=["circle", "cross"]),
        legend=alt.Legend(title=None) if len(outcomes) > 1 else None,
    )
    points = points.mark_point(filled=True, size=45).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        opacity=opacity(0.7),
        tooltip=[*who, alt.Tooltip("seed:Q"), amount, alt.Tooltip("run:N"), alt.Tooltip("outcome:N")],
    )
    averages = alt.Chart(alt.Data(values=common.records(means), name=f"{quantity}_mean"))
    if not along_line(runs, study):
        averages = averages.mark_tick(orient="horizontal", thickness=2, size=40).encode(
            x=x, y=y, color=colour, opacity=opacity(1.0)
        )
    else:
        averages = averages.mark_line(strokeWidth=1.8).encode(
            x=x, y=y, color=colour, order=alt.Order("x:Q"), opacity=opacity(1.0)
        )
    # on the first layer, whose legend is the one that is drawn
    averages = averages.properties(name=f"view_{quantity}").add_params(*params)
    return alt.layer(averages, points).properties(width=WIDTH, height=HEIGHT)


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the four maxima side by side."""
    views = [panel(runs, study, quantity) for quantity in QUANTITIES]
    lacking = int(runs[[name for name in QUANTITIES if name in runs]].isna().any(axis=1).sum())
    means = "line through the means" if along_line(runs, study) else "bar at the mean"
    lines = [
        f"One point for each run; {means} over seeds.",
        *(
            [f"{lacking} of {len(runs)} runs lack a point: not all of their values could be computed."]
            if lacking
            else []
        ),
        *common.unconverged(runs),
        *common.divergence(runs, "crosses where measured, at the edge if beyond it; not in the means"),
    ]
    return common.finish(common.grid(views), "Largest values attained along the trajectory", study, lines)
