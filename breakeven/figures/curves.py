"""Curves along training, averaged over seeds, with what is marked of single runs."""

from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, layers
from breakeven.figures.labels import compared
from breakeven.specs.study import Study

THRESHOLD = "the full-batch threshold, 2/η for plain SGD"  # in words: what dashed lines in a figure of λ_H^1 are
NEAR = 10.0  # a level that is further from the curves would leave little room for them
DIAMONDS = (
    "Diamonds: break-even points of single runs; where a quantity is measured at snapshots only, at the next snapshot."
)
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]


@dataclass(frozen=True)
class Rules:
    """A dashed vertical line for each curve: at the mean of this column of ``runs.csv``, what that is in words, and its unit."""

    column: str
    words: str
    unit: str = "epoch"


@dataclass(frozen=True)
class Look:
    """How the curves of a quantity are drawn.

    ``log``: on a logarithmic y axis; ``signed``: on one that is logarithmic away from 0, with both signs; ``domain``: that of the
    y axis, otherwise of the runs that didn't diverge. ``x``: epoch or step, shown ``until`` there at first. ``of_hessian``: what
    depends on the eigenvalues of H has a cross where they did not converge. ``level``: a horizontal line at this value.
    ``diamonds``: whether they stand at break-even points. ``thresholds``: a dashed line for each curve, of those that
    `breakeven.figures.curve_data.thresholds` makes. ``overlay``: the combinations of the hyperparameters after the first are
    dashes in one panel, instead of panels. ``zoom``: these axes.
    """

    log: bool = True
    signed: bool = False
    domain: list[float] | None = None
    x: str = "epoch"
    until: float | None = None
    of_hessian: bool = False
    level: float | None = None
    diamonds: bool = True
    thresholds: pd.DataFrame | None = None
    rules: Rules | None = Rules("threshold_epoch", "mean epoch past the threshold")
    overlay: bool = False
    band_opacity: float = 0.16
    zoom: tuple[str, ...] = ("x",)
    width: int = 640
    height: int = 320


# ------------------------------------------------------------------ what a figure says of its curves


def notes(runs: pd.DataFrame, study: Study) -> list[str]:
    """What the curves and lines of a figure are, and how many runs diverged."""
    end = " (mean)." if _seeds(runs, study) > 1 else "."
    threshold = f"{100 * study.accuracy_threshold:.4g} %"
    line = f"Dashed vertical line: first epoch with a training accuracy above {threshold}{end}"
    return [averaged(runs, study), line, *marked(runs)]


def averaged(runs: pd.DataFrame, study: Study) -> str:
    """What a curve and its band are."""
    seeds = _seeds(runs, study)
    average = f"Mean over {seeds} seeds, band from minimum to maximum" if seeds > 1 else "One seed"
    return f"{average}; not smoothed."


def marked(runs: pd.DataFrame, diamonds: str = DIAMONDS) -> list[str]:
    """What is marked of single runs, and how many diverged."""
    lines = [diamonds] if runs["break_even_step"].notna().any() else []
    lines += common.unconverged(runs)
    return lines + common.divergence(runs, "drawn as far as measured, on the axis of the others")


def _seeds(runs: pd.DataFrame, study: Study) -> int:
    return int(runs.groupby(compared(study), dropna=False)["seed"].nunique().max()) if len(runs) else 0


# ------------------------------------------------------------------ the drawing


def trajectory(
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    study: Study,
    quantity: str,
    title: str,
    axis: list[str] | None = None,
    **look: Any,
) -> ChartType:
    """A whole figure of one quantity along training, on a logarithmic axis; ``look``: see `Look`."""
    axis = axis or common.words_axis(quantity)
    drawing = curves(trajectories, runs, study, quantity, axis, Look(zoom=("x", "y"), **look))
    return common.finish(drawing, title, study, notes(runs, study))


def curves(
    trajectories: pd.DataFrame,
    runs: pd.DataFrame,
    study: Study,
    quantity: str,
    axis: str | list[str],
    look: Look,
) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    """One quantity along training: mean and band over seeds, and a diamond at the break-even point of each run.

    One colour for each value of the first swept hyperparameter, one panel for each combination of the others.
    """
    rows = common.select(trajectories, quantity, look.log)
    if rows.empty:
        values = trajectories["value"][trajectories["quantity"] == quantity]
        return common.no_values(common.on_log_axis(common.symbol(quantity), values), look.width, look.height)
    parts = _parts(rows, trajectories, runs, study, look)
    panels = common.panels(runs, study) if len(compared(study)) > 1 and not look.overlay else []
    height = look.height * 3 // 4 if panels else look.height
    shared = _shared(rows, runs, study, common.fitted(axis, height), look)
    # the first layer has the selections, and must have all legends in which they are made
    first = layers.line(shared).properties(name=f"view_{quantity}").add_params(*_selections(study, look))
    records = [row for part, table in parts.items() for row in common.records(table, part=part)]
    drawing = alt.LayerChart(
        layer=[first, *_other_layers(parts, shared, look)],
        data=common.data(records, quantity),
        width=look.width,
        height=height,
    )
    return _in_panels(drawing, panels, look.width) if panels else drawing


def _parts(
    rows: pd.DataFrame, trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study, look: Look
) -> dict[str, pd.DataFrame]:
    """The tables that the layers draw, by the name of the part; ``rows``: those of the quantity."""
    colours = common.ordered(runs[compared(study)[0]])
    parts = {"curve": curve_data.with_marks(curve_data.average(rows, study), colours, look.x)}
    if look.rules is not None:
        parts["rule"] = curve_data.rules_at(look.rules.column, look.rules.unit, rows, runs, study)
    if look.thresholds is not None:
        parts["level"] = curve_data.levels(look.thresholds)
        parts["threshold"] = look.thresholds[~look.thresholds["steady"]].drop(columns="steady")
    if look.diamonds:
        located = curve_data.located(trajectories, str(rows["quantity"].iloc[0]), look.log)
        parts["break_even"] = curve_data.break_even_points(rows, located, runs, study)
    if look.of_hessian:
        parts["unconverged"] = curve_data.unconverged_points(rows, trajectories, study)
    return parts


def _other_layers(parts: dict[str, pd.DataFrame], shared: layers.Shared, look: Look) -> list[alt.Chart]:
    """What is drawn over the lines, in this order."""
    drawn = [layers.band(shared, look.band_opacity)]
    if look.rules is not None:
        drawn.append(layers.rules(shared, f"at_{look.x}", look.rules.words))
    drawn += [layer(shared) for part, layer in layers.THRESHOLDS.items() if part in parts and len(parts[part])]
    of_single_runs = bool((parts["curve"]["seeds"] == 1).all())
    drawn.append(layers.symbols(shared, of_single_runs))
    for kind in layers.SINGLE_POINTS:
        if kind.part in parts and len(parts[kind.part]):
            drawn.append(layers.single_points(shared, kind))
    if look.level is not None:
        drawn.append(layers.level(shared, look.level))
    return drawn


def _dashes_tell_apart(study: Study, look: Look) -> bool:
    return look.overlay and len(compared(study)) > 1


def _selections(study: Study, look: Look) -> list[alt.Parameter]:
    """What a reader can select: entries of the legends, and a part of the axes."""
    selections = [common.highlight(), common.zoom(*look.zoom)]
    return [*selections, _highlighted_panel()] if _dashes_tell_apart(study, look) else selections


def _highlighted_panel() -> alt.Parameter:
    return common.highlight("panel", "highlight_panel")


def _shared(rows: pd.DataFrame, runs: pd.DataFrame, study: Study, axis: str | list[str], look: Look) -> layers.Shared:
    dashes = _dashes_tell_apart(study, look)
    colour, shape = common.colour_scale(runs, study)
    return layers.Shared(
        x=_x(look),
        y=_y(axis, look, look.domain or _domain(_shown(rows, look), runs, look)),
        colour=colour,
        shape=shape,
        dash=_dash(runs, study) if dashes else None,
        selected=common.highlight() & _highlighted_panel() if dashes else common.highlight(),
        who=common.who(study),
    )


def _dash(runs: pd.DataFrame, study: Study) -> alt.StrokeDash:
    """One dash for each combination of the hyperparameters after the first."""
    panels = common.panels(runs, study)
    scale = alt.Scale(domain=panels, range=[DASHES[index % len(DASHES)] for index in range(len(panels))])
    legend = common.legend(None, panels, symbolType="stroke", symbolSize=300)
    return alt.StrokeDash("panel:N", scale=scale, legend=legend)


def _x(look: Look) -> alt.X:
    whole = alt.Scale(zero=False, nice=False, padding=8)
    scale = whole if look.until is None else alt.Scale(domain=[0, look.until], nice=False)
    return alt.X(f"{look.x}:Q", title=look.x, scale=scale, axis=alt.Axis(tickCount=8))


def _y(axis: str | list[str], look: Look, domain: list[float]) -> alt.Y:
    if look.log or look.signed:
        return (common.log_y if look.log else common.signed_y)("mean:Q", axis, domain)
    ticks = alt.Axis(format=".6~g", tickCount=6)
    return alt.Y("mean:Q", title=axis, axis=ticks, scale=alt.Scale(domain=domain, nice=False))


def _domain(rows: pd.DataFrame, runs: pd.DataFrame, look: Look) -> list[float]:
    """Of the runs that didn't diverge, and the ``level``, unless that is far from them on a logarithmic axis."""
    low, high = common.span(rows, runs, look.log, look.signed)
    if look.level is None or (look.log and not low / NEAR < look.level < NEAR * high):
        return [low, high]
    around = (look.level / 1.15, 1.15 * look.level) if look.log or look.signed else (look.level, look.level)
    return [min(low, common.rounded(around[0])), max(high, common.rounded(around[1]))]


def _shown(rows: pd.DataFrame, look: Look) -> pd.DataFrame:
    """The rows that are shown at first; all of them where these are none."""
    shown = rows if look.until is None else rows[rows[look.x] <= look.until]
    return rows if shown.empty else shown


def _in_panels(drawing: alt.LayerChart, panels: list[str], width: int) -> alt.FacetChart:
    """One panel for each combination of the hyperparameters after the first, below each other, with titles no wider."""
    letters = int(width / common.BOLD_LETTER)
    lines: dict[str, Any] = {"labelExpr": common.broken(panels, letters)} if max(map(len, panels)) > letters else {}
    header = alt.Header(title=None, labelAnchor="start", labelFontWeight="bold", **lines)
    return drawing.facet(alt.Facet("panel:N", sort=panels, header=header), columns=1)
