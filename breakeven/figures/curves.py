"""Curves along training, averaged over seeds, with what is marked of single runs."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from breakeven.figures import common

MARKS_PER_CURVE = 8
# what is marked of single runs: how, and its name
SINGLE_POINTS: dict[str, tuple[dict[str, Any], str]] = {
    "break_even": ({"shape": "diamond", "size": 80, "filled": True}, "break-even point"),
    "unconverged": ({"shape": "cross", "size": 70, "filled": False, "angle": 45}, "not converged"),
}
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]


def average(rows: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """Mean, minimum, maximum and number of seeds at every step of every curve; the run, where it is a single one."""
    groups = common.labelled(rows, study).groupby(["panel", "colour", "step"], sort=True)
    table = groups.agg(
        run=("run", "first"),
        epoch=("epoch", "first"),
        mean=("value", "mean"),
        min=("value", "min"),
        max=("value", "max"),
        seeds=("seed", "nunique"),
    ).reset_index()
    return table.assign(run=table["run"].astype(object).where(table["seeds"] == 1, None))


def rules_at(column: str, runs: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """``at``: the mean of a ``column`` of runs.csv for every curve, with ``min`` and ``max``, over the runs that have a value."""
    values = runs[column] if column in runs else pd.Series(float("nan"), index=runs.index)
    rows = runs.assign(at=common.finite(values, log=False)).dropna(subset=["at"])
    groups = common.labelled(rows, study).groupby(["panel", "colour"], sort=True)
    return groups.agg(at=("at", "mean"), min=("at", "min"), max=("at", "max"), seeds=("seed", "nunique")).reset_index()


def break_even_points(rows: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """The rows at the break-even point of their run, one for each run that has one; ``value`` is called ``mean``."""
    steps = runs[["run", "break_even_step"]].dropna().rename(columns={"break_even_step": "step"})
    return _single(rows.merge(steps.astype({"step": "int64"}), on=["run", "step"]), study)


def unconverged_points(rows: pd.DataFrame, trajectories: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """The rows at the steps at which the eigenvalues of H did not converge; ``value`` is called ``mean``."""
    doubtful = trajectories[(trajectories["quantity"] == "converged_H") & (trajectories["value"] == 0)]
    return _single(rows.merge(doubtful[["run", "step"]], on=["run", "step"]), study)


def _single(rows: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    columns = ["panel", "colour", "run", "seed", "step", "epoch", "value"]
    return common.labelled(rows, study)[columns].sort_values(columns).rename(columns={"value": "mean"})


def with_marks(curves: pd.DataFrame, colours: list[str], x: str) -> pd.DataFrame:
    """Say which points of each curve carry its symbol: a few, evenly spread, shifted from curve to curve."""
    marked = pd.Series(False, index=curves.index)
    for (_, colour), curve in curves.groupby(["panel", "colour"]):
        start, end = curve[x].min(), curve[x].max()
        shift = (colours.index(str(colour)) + 0.5) / len(colours)
        targets = start + (end - start) * (np.arange(MARKS_PER_CURVE) + shift) / MARKS_PER_CURVE
        nearest = np.abs(curve[x].to_numpy()[:, None] - targets[None, :]).argmin(axis=0)
        marked.loc[curve.index[np.unique(nearest)]] = True
    return curves.assign(marked=marked)


def notes(runs: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """What the curves and lines of a figure are, and how many runs diverged."""
    several = _seeds(runs, study) > 1
    threshold = f"{100 * study['accuracy_threshold']:.4g} %"
    line = f"Dashed vertical line: first epoch with a training accuracy above {threshold}"
    return [averaged(runs, study), line + (" (mean)." if several else "."), *marked(runs)]


def averaged(runs: pd.DataFrame, study: dict[str, Any]) -> str:
    """What a curve and its band are."""
    seeds = _seeds(runs, study)
    average = f"Mean over {seeds} seeds, band from minimum to maximum" if seeds > 1 else "One seed"
    return f"{average}; not smoothed."


def marked(runs: pd.DataFrame) -> list[str]:
    """What is marked of single runs, and how many diverged."""
    return [
        *(["Diamonds: break-even points of single runs."] if runs["break_even_step"].notna().any() else []),
        *common.unconverged(runs),
        *common.divergence(runs, "drawn as far as measured, on the axis of the others"),
    ]


def _seeds(runs: pd.DataFrame, study: dict[str, Any]) -> int:
    return int(runs.groupby(common.swept(study), dropna=False)["seed"].nunique().max()) if len(runs) else 0


def curves(
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    study: dict[str, Any],
    quantity: str,
    axis: str | list[str],
    *,
    log: bool = True,
    domain: list[float] | None = None,
    of_hessian: bool = False,
    level: float | None = None,
    levels: pd.DataFrame | None = None,
    rules: tuple[str, str] | None = ("threshold_epoch", "mean epoch past the threshold"),
    x: str = "epoch",
    until: float | None = None,
    overlay: bool = False,
    band_opacity: float = 0.16,
    zoom: tuple[str, ...] = ("x",),
    width: int = 640,
    height: int = 320,
) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    """One quantity along training (``x``: epoch or step, shown ``until`` there at first): mean and band over seeds.

    A diamond at the break-even point of each run. ``of_hessian``: what depends on the eigenvalues of H has a cross where they
    did not converge. ``level``: a horizontal line at this value; ``levels``: a dashed one for each curve, at its ``mean``.
    ``rules``: a dashed vertical line for each curve, at the mean of this column of runs.csv, and what that is. One colour for
    each value of the first swept hyperparameter, one panel, or with ``overlay`` one dash, for each combination of the others.
    """
    rows = common.select(trajectories, quantity, log)
    if rows.empty:
        values = trajectories["value"][trajectories["quantity"] == quantity]
        return common.nothing(common.not_positive(quantity, values), width, height)
    first, *others = common.swept(study)
    facets = bool(others) and not overlay
    colour, shape = common.colour_scale(runs, study)
    points = with_marks(average(rows, study), common.ordered(runs[first]), x)
    single = {"break_even": break_even_points(rows, runs, study)}
    if of_hessian:
        single["unconverged"] = unconverged_points(rows, trajectories, study)
    lines = {"rule": rules_at(rules[0], runs, study)} if rules else {}
    lines |= {} if levels is None else {"level": levels}
    parts = {"curve": points} | lines | single
    data = alt.Data(
        values=[row for part, table in parts.items() for row in common.records(table, part=part)], name=quantity
    )

    highlight, zooming = common.highlight(), common.zoom(*zoom)
    chosen: Any = highlight
    params, which = [highlight, zooming], {}
    if others and overlay:
        chosen_panel = common.highlight("panel", "highlight_panel")
        chosen, which = highlight & chosen_panel, {"strokeDash": _dash(runs, study)}
        params = [*params, chosen_panel]
    who = [alt.Tooltip("colour:N", title=common.label(first))]
    if others:
        who.append(alt.Tooltip("panel:N", title="others"))
    seeds = alt.Tooltip("seeds:Q", title="number of seeds")

    def numbers(*names: str, **titles: str) -> list[alt.Tooltip]:
        return [alt.Tooltip(f"{name}:Q", title=titles.get(name, name), format=".4~g") for name in names]

    def part(name: str) -> alt.Chart:
        return alt.Chart().transform_filter(f"datum.part == '{name}'")

    scale = alt.Scale(zero=False, nice=False, padding=8) if until is None else alt.Scale(domain=[0, until], nice=False)
    along = alt.X(f"{x}:Q", title=x, scale=scale, axis=alt.Axis(tickCount=8))
    y = _y(axis, log, domain or common.span(_until(rows, x, until), runs, log))
    curve = part("curve").encode(x=along, color=colour)
    band = curve.mark_area(clip=True).encode(
        y=_renamed(y, "min"), y2="max:Q", detail="panel:N", opacity=common.shaded(chosen, band_opacity, 0.02)
    )
    line = curve.mark_line(clip=True, strokeWidth=1.8).encode(y=y, opacity=common.shaded(chosen, 1.0, 0.1), **which)
    # invisible points, all but a few, so that the tooltip appears at every snapshot
    symbol = curve.mark_point(clip=True, filled=True, size=45).encode(
        y=y,
        shape=shape,
        opacity=common.shaded(chosen & alt.datum.marked, 1.0, 0.0),
        tooltip=[
            *who,
            alt.Tooltip("step:Q"),
            *numbers("epoch", "mean", "min", "max"),
            seeds,
            *([alt.Tooltip("run:N")] if (points["seeds"] == 1).all() else []),
        ],
    )
    # the first layer has the selections, and must have all legends in which they are made
    layers: list[Any] = [line.properties(name=f"view_{quantity}").add_params(*params), band]
    positions: dict[str, dict[str, Any]] = {"rule": {"x": _renamed(along, "at")}, "level": {"y": _renamed(y, "mean")}}
    for name, position in positions.items():
        if name in lines:
            titles = {"at": rules[1] if rules else "", "mean": "dashed line at"}
            shown = ["at", "min", "max"] if name == "rule" else ["mean"]
            mark = part(name).mark_rule(clip=True, strokeDash=[5, 4], strokeWidth=1.4)
            tooltip = [*who, *numbers(*shown, **titles), *([seeds] if name == "rule" else [])]
            layers.append(
                mark.encode(**position, color=colour, opacity=common.shaded(chosen, 0.9, 0.1), tooltip=tooltip)
            )
    layers.append(symbol)
    for name, (appearance, meaning) in SINGLE_POINTS.items():
        if len(single.get(name, [])):
            mark = part(name).mark_point(clip=True, stroke="black", strokeWidth=1.2, **appearance)
            step = alt.Tooltip("step:Q", title=f"{meaning}, step")
            tooltip = [*who, alt.Tooltip("seed:N"), step, *numbers("epoch", "mean", mean="value"), alt.Tooltip("run:N")]
            fill = {"fill": colour} if appearance["filled"] else {}
            layers.append(mark.encode(x=along, y=y, opacity=common.shaded(chosen, 1.0, 0.05), tooltip=tooltip, **fill))
    if level is not None:
        at = alt.Chart(alt.Data(values=[{"level": level}]))
        layers.append(at.mark_rule(strokeWidth=1.2, clip=True).encode(y=_renamed(y, "level")))
    drawing = alt.layer(*layers, data=data).properties(width=width, height=height * 3 // 4 if facets else height)
    if not facets:
        return drawing
    header = alt.Header(title=None, labelAnchor="start", labelFontWeight="bold")
    return drawing.facet(alt.Facet("panel:N", sort=common.panels(runs, study), header=header), columns=1)


def _dash(runs: pd.DataFrame, study: dict[str, Any]) -> alt.StrokeDash:
    """One dash for each combination of the hyperparameters after the first."""
    panels = common.panels(runs, study)
    scale = alt.Scale(domain=panels, range=[DASHES[index % len(DASHES)] for index in range(len(panels))])
    return alt.StrokeDash("panel:N", scale=scale, legend=alt.Legend(title=None, symbolType="stroke", symbolSize=300))


def _y(axis: str | list[str], log: bool, domain: list[float]) -> alt.Y:
    if log:
        return common.log_y("mean:Q", axis, domain)
    ticks = alt.Axis(format="~g", tickCount=6)
    return alt.Y("mean:Q", title=axis, axis=ticks, scale=alt.Scale(domain=domain, nice=False))


def _renamed(encoding: Any, field: str) -> Any:
    """The same axis for another field."""
    other = encoding.copy(deep=False)
    other.shorthand = f"{field}:Q"
    return other


def _until(rows: pd.DataFrame, x: str, until: float | None) -> pd.DataFrame:
    """The rows that are shown at first; all of them where these are none."""
    shown = rows if until is None else rows[rows[x] <= until]
    return rows if shown.empty else shown


def trajectory(
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    study: dict[str, Any],
    quantity: str,
    *,
    title: str,
    axis: list[str],
    **options: Any,
) -> Any:
    """A whole figure of one quantity along training, on a logarithmic axis; ``options``: see `curves`."""
    drawing = curves(trajectories, runs, study, quantity, axis, zoom=("x", "y"), **options)
    return common.finish(drawing, title, study, notes(runs, study))
