"""Where trajectories part: the predictions at each snapshot, laid out by UMAP (Figure 1)."""

from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common
from breakeven.figures.labels import QUANTITIES
from breakeven.specs.study import Study

CAPTION = (
    "Where the trajectories of different learning rates part: each snapshot's predictions on the test "
    "set, laid out by UMAP so that similar ones are neighbours, coloured by λ_K^1 and by the training accuracy. Beside it, how "
    "far each snapshot is from the closest one of the largest learning rate, against its λ_K^1: the root mean square over "
    "examples of the difference of predictions, at most √2."
)
ORDER = 20
ON_REQUEST = True
NEEDS_EMBEDDING = True
SIDE = 290
LAMBDA_K, ACCURACY = QUANTITIES["lambda_K_1"].symbol, QUANTITIES["train_accuracy"].words


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study, embedding: pd.DataFrame) -> ChartType:
    """Draw the trajectories coloured by λ_K^1 and by the training accuracy, beside their distance against λ_K^1."""
    table = points(trajectories, runs, study, embedding)
    seeds = sorted(table["seed"].unique())
    mapped = table[table["seed"].isin(seeds[:1])].dropna(subset=["x", "y"])
    views = [
        _map(mapped, runs, study, "lambda_K", common.symbol_axis("lambda_K_1"), "log"),
        _map(mapped, runs, study, "accuracy", ACCURACY, "linear"),
        _distances(table.dropna(subset=["distance", "lambda_K"]), runs, study),
    ]
    lines = ["Each point is a snapshot; lines follow the runs. Neighbours have similar predictions on the test set."]
    if len(seeds) > 1:
        lines.append(f"The maps show seed {seeds[0]}, the distances all {len(seeds)} seeds.")
    if mapped["break_even"].any():
        lines.append("Large open diamonds: the first unstable snapshots.")
    lines += common.divergence(runs, "drawn as far as their predictions are finite")
    title = "Where trajectories part, in the space of predictions"
    return common.finish(common.grid(views).resolve_scale(color="independent"), title, study, lines)


def points(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study, embedding: pd.DataFrame) -> pd.DataFrame:
    """One row for each snapshot: place, ``distance``, ``lambda_K``, training ``accuracy``, and whether it is ``break_even``."""
    table = common.labelled(embedding, study)
    for name, quantity, log in (("lambda_K", "lambda_K_1", True), ("accuracy", "train_accuracy", False)):
        values = common.select(trajectories, quantity, log)[["run", "step", "value"]].rename(columns={"value": name})
        table = table.merge(values, on=["run", "step"], how="left")
    epochs = trajectories.groupby(["run", "step"])["epoch"].first().reset_index()
    table = table.merge(epochs, on=["run", "step"], how="left")
    steps = table["run"].map(runs.set_index("run")["measured_break_even_step"]).astype(float)
    return table.assign(break_even=table["step"] == steps).sort_values(["colour", "panel", "seed", "step"])


def _tooltip(study: Study) -> list[alt.Tooltip]:
    return [
        *common.who(study),
        alt.Tooltip("seed:N"),
        alt.Tooltip("step:Q"),
        alt.Tooltip("epoch:Q", format=".4~g"),
        alt.Tooltip("lambda_K:Q", title=LAMBDA_K, format=".4~g"),
        alt.Tooltip("accuracy:Q", title=ACCURACY, format=".4~g"),
        alt.Tooltip("distance:Q", format=".4~g"),
        alt.Tooltip("run:N"),
    ]


def _map(table: pd.DataFrame, runs: pd.DataFrame, study: Study, field: str, title: str, scale: Any) -> ChartType:
    """The trajectories, coloured by one quantity."""
    if table.empty:
        return common.no_values("x and y: too few different snapshots for UMAP", SIDE, SIDE)
    if table[field].isna().all():
        return common.no_values(title, SIDE, SIDE)
    columns = ["colour", "panel", "run", "seed", "step", "epoch", "x", "y"]
    columns += ["lambda_K", "accuracy", "distance", "break_even"]
    data = alt.Chart(common.data(common.records(table[columns]), "embedding"))
    _, shape = common.colour_scale(runs, study)
    empty = alt.Axis(labels=False, ticks=False, grid=False)
    flat = alt.Scale(zero=False, nice=False, padding=10)
    x, y = (alt.X("x:Q", title="UMAP 1", axis=empty, scale=flat), alt.Y("y:Q", title="UMAP 2", axis=empty, scale=flat))
    low, high = (float(table[field].min()), float(table[field].max()))
    ticks = common.ticks(low, high) if scale == "log" and low < high else alt.Undefined
    gradient = alt.Legend(title=title, gradientLength=200, format="~g", titleOrient="top", values=ticks)
    colour = alt.Color(f"{field}:Q", scale=alt.Scale(type=scale, scheme=common.SEQUENTIAL), legend=gradient)
    highlight = common.highlight()
    line = data.mark_line(clip=True, strokeWidth=1, color="#888").encode(
        x=x, y=y, detail="run:N", order="step:Q", opacity=common.shaded(highlight, 0.8, 0.05)
    )
    symbol = data.transform_filter(f"isValid(datum.{field})").mark_point(clip=True, filled=True, size=45)
    symbol = symbol.encode(
        x=x, y=y, color=colour, shape=shape, opacity=common.shaded(highlight, 1.0, 0.05), tooltip=_tooltip(study)
    )
    mark = data.transform_filter("datum.break_even").mark_point(
        clip=True, shape="diamond", size=260, stroke="black", strokeWidth=1.8
    )
    mark = mark.encode(x=x, y=y, opacity=common.shaded(highlight, 1.0, 0.05), tooltip=_tooltip(study))
    zoom = common.zoom("x", "y", name="zoom_map")  # both maps have the same axes
    return alt.layer(line, symbol.properties(name=f"view_{field}").add_params(highlight, zoom), mark).properties(
        width=SIDE, height=SIDE
    )


def _distances(table: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """The distance to the closest snapshot of the largest learning rate, against λ_K^1."""
    if table.empty:
        return common.no_values("the distance to a larger learning rate", SIDE, SIDE)
    columns = ["colour", "panel", "run", "seed", "step", "epoch", "lambda_K", "accuracy", "distance"]
    _, shape = common.colour_scale(runs, study)
    low, high = common.span(table.assign(value=table["lambda_K"]), runs, log=True)
    data = common.data(common.records(table[columns]), "distance")
    mark = alt.Chart(data).mark_point(filled=True, size=45, clip=True, color="#3b3b98")
    highlight = common.highlight()
    chart: alt.Chart = mark.encode(
        x=alt.X(
            "lambda_K:Q",
            title=common.symbol_axis("lambda_K_1"),
            axis=alt.Axis(format="~g", values=common.ticks(low, high)),
            scale=alt.Scale(type="log", domain=[low, high], nice=False),
        ),
        y=alt.Y(
            "distance:Q",
            title=["distance to the closest snapshot", "of the largest learning rate"],
            scale=alt.Scale(zero=True),
        ),
        shape=shape,
        opacity=common.shaded(highlight, 0.8, 0.05),
        tooltip=_tooltip(study),
    )
    zoom = common.zoom("x", "y", name="zoom_distance")
    return chart.add_params(highlight, zoom).properties(name="view_distance", width=SIDE, height=SIDE)
