"""What the figures share: curves over training, averaged over seeds, one colour per value of a hyperparameter."""

import math
import warnings
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

LABELS = {"learning_rate": "learning rate η", "batch_size": "batch size S"}
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"]
# Ordered values: lightness grows with the value, so the order survives a grey print; without the palest fifth.
SEQUENTIAL = alt.SchemeParams(name="plasma", extent=[0.0, 0.8])
# Unordered values: the palette of Okabe and Ito without its yellow, safe for colour-blind readers.
NOMINAL = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"]
MARKS_PER_CURVE = 8
# what is marked of single runs: how, and its name
SINGLE_POINTS: dict[str, tuple[dict[str, Any], str]] = {
    "break_even": ({"shape": "diamond", "size": 80, "filled": True}, "break-even point"),
    "unconverged": ({"shape": "cross", "size": 70, "filled": False, "angle": 45}, "not converged"),
}


def number(value: Any) -> float | None:
    """A swept value as a finite number, or None where it isn't one (a string, a bool, JSON text, an empty cell)."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if math.isfinite(result) else None


def text(value: Any) -> str:
    """A swept value as it stands in legends; different values give different texts."""
    as_number = number(value)
    if as_number is not None:
        return str(int(as_number)) if as_number.is_integer() and abs(as_number) < 1e15 else repr(as_number)
    return "none" if isinstance(value, float) else str(value)


def label(hyperparameter: str) -> str:
    """A hyperparameter's name in words."""
    return LABELS.get(hyperparameter, hyperparameter.replace("_", " "))


def swept(study: dict[str, Any]) -> list[str]:
    """The hyperparameters that tell the curves apart; a study without a sweep is shown by its learning rate."""
    return list(study["swept"]) or ["learning_rate"]


def ordered(values: Any) -> list[str]:
    """The texts of the distinct values: numbers by size, then the rest by name."""
    numbers = {text(value): number(value) for value in values}
    return sorted(numbers, key=lambda key: (numbers[key] is None, numbers[key] or 0.0, key))


def labelled(table: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """Add the texts that charts group by: ``colour`` for the first swept hyperparameter, ``panel`` for the others."""
    first, *others = swept(study)
    table = table.assign(colour=[text(value) for value in table[first]])
    parts = [[f"{label(name)} = {text(value)}" for value in table[name]] for name in others]
    return table.assign(panel=[", ".join(pair) for pair in zip(*parts, strict=True)] if others else "")


def panels(runs: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """The panels in order: sorted by each of the other hyperparameters in turn."""
    others = swept(study)[1:]
    ranks = {name: ordered(runs[name]) for name in others}
    rows = labelled(runs, study)
    order = [
        [ranks[name].index(text(value)) for name, value in zip(others, row, strict=True)]
        for row in runs[others].to_numpy(dtype=object)
    ]
    return list(dict.fromkeys(panel for _, panel in sorted(zip(order, rows["panel"], strict=True))))


def diverged(runs: pd.DataFrame) -> pd.Series:
    """For each run, whether it diverged."""
    return runs["diverged"].astype(str).str.lower() == "true"


def finite(values: pd.Series, log: bool) -> pd.Series:
    """Numbers that an axis can show; NaN elsewhere."""
    values = pd.to_numeric(values, errors="coerce").astype(float)
    return values.where(np.isfinite(values) & ((values > 0) | (not log)))


def rounded(value: float) -> float:
    """Six significant digits: far below what a screen shows, and half the size of the file."""
    return float(f"{value:.6g}")


def select(trajectories: pd.DataFrame, quantity: str, log: bool) -> pd.DataFrame:
    """The rows of one quantity whose values an axis can show."""
    rows = trajectories[trajectories["quantity"] == quantity]
    return rows.assign(value=finite(rows["value"], log)).dropna(subset=["value", "epoch"])


def average(rows: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """Mean, minimum, maximum and number of seeds at every step of every curve; the run, where it is a single one."""
    groups = labelled(rows, study).groupby(["panel", "colour", "step"], sort=True)
    table = groups.agg(
        run=("run", "first"),
        epoch=("epoch", "first"),
        mean=("value", "mean"),
        min=("value", "min"),
        max=("value", "max"),
        seeds=("seed", "nunique"),
    ).reset_index()
    return table.assign(run=table["run"].astype(object).where(table["seeds"] == 1, None))


def thresholds(runs: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """The mean first epoch past the accuracy threshold of every curve, over the runs that pass it."""
    rows = runs.assign(epoch=finite(runs["threshold_epoch"], log=False)).dropna(subset=["epoch"])
    groups = labelled(rows, study).groupby(["panel", "colour"], sort=True)
    return groups.agg(epoch=("epoch", "mean"), seeds=("seed", "nunique")).reset_index()


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
    return labelled(rows, study)[columns].sort_values(columns).rename(columns={"value": "mean"})


def with_marks(curves: pd.DataFrame, colours: list[str]) -> pd.DataFrame:
    """Say which points of each curve carry its symbol: a few, evenly spread, shifted from curve to curve."""
    marked = pd.Series(False, index=curves.index)
    for (_, colour), curve in curves.groupby(["panel", "colour"]):
        start, end = curve["epoch"].min(), curve["epoch"].max()
        shift = (colours.index(str(colour)) + 0.5) / len(colours)
        targets = start + (end - start) * (np.arange(MARKS_PER_CURVE) + shift) / MARKS_PER_CURVE
        nearest = np.abs(curve["epoch"].to_numpy()[:, None] - targets[None, :]).argmin(axis=0)
        marked.loc[curve.index[np.unique(nearest)]] = True
    return curves.assign(marked=marked)


def records(table: pd.DataFrame, **constants: str) -> list[dict[str, Any]]:
    """Rows for Vega-Lite, with rounded numbers and without NaN, which JSON doesn't have."""

    def cell(value: Any) -> Any:
        if isinstance(value, float):
            return rounded(value) if math.isfinite(value) else None
        return value

    return [
        {str(key): cell(value) for key, value in row.items()} | constants for row in table.to_dict(orient="records")
    ]


def span(rows: pd.DataFrame, runs: pd.DataFrame, log: bool) -> list[float]:
    """The range of the y axis, from the runs that didn't diverge, if any: values on the way to infinity would leave
    nothing to see of the others.
    """
    stable = rows[~rows["run"].isin(set(runs.loc[diverged(runs), "run"]))]
    values = (rows if stable.empty else stable)["value"]
    low, high = float(values.min()), float(values.max())
    if log:
        return [rounded(low / 1.15), rounded(high * 1.15)]
    margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    return [rounded(low - margin), rounded(high + margin)]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2 and 5 times the powers of ten; the powers alone where that is
    too many; evenly spaced numbers where it is too few.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside = [tick for d in decades for tick in (float(f"{factor}e{d}") for factor in (1, 2, 5)) if low <= tick <= high]
    if len(inside) > 8:
        powers = [float(f"1e{d}") for d in decades if low <= float(f"1e{d}") <= high]
        return powers[:: math.ceil(len(powers) / 8)]
    if len(inside) >= 3:
        return inside
    unit = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(factor * unit for factor in (1, 2, 5, 10) if (high - low) / (factor * unit) <= 6)
    return [rounded(count * step) for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def log_y(field: str, title: str | list[str], domain: list[float], **scale: Any) -> alt.Y:
    """A logarithmic y axis over ``domain`` with readable ticks."""
    axis = alt.Axis(format="~g", values=ticks(*domain))
    return alt.Y(field, title=title, axis=axis, scale=alt.Scale(type="log", domain=domain, nice=False, **scale))


def colour_scale(runs: pd.DataFrame, study: dict[str, Any]) -> tuple[alt.Color, alt.Shape]:
    """Colour and symbol of every value, the same in all figures of a study, in one merged legend."""
    first = swept(study)[0]
    colours = ordered(runs[first])
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(colours))]
    palette: dict[str, Any] = {"scheme": SEQUENTIAL}
    if any(number(value) is None for value in runs[first]):
        palette = {"range": [NOMINAL[index % len(NOMINAL)] for index in range(len(colours))]}
    legend = alt.Legend(title=label(first), symbolOpacity=1)
    colour = alt.Color("colour:O", scale=alt.Scale(domain=colours, **palette), legend=legend)
    return colour, alt.Shape("colour:O", scale=alt.Scale(domain=colours, range=shapes), legend=legend)


def nothing(what: str, width: int, height: int) -> alt.Chart:
    """Stands where there is no value to draw."""
    chart = alt.Chart(alt.Data(values=[{"text": f"no values of {what}"}])).mark_text(size=13, color="#555")
    return chart.encode(text="text:N").properties(width=width, height=height)


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
    width: int = 640,
    height: int = 320,
) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    """One quantity along training: mean and band over seeds, a dashed line at the accuracy threshold.

    A diamond at the break-even point of each run. ``of_hessian``: what depends on the eigenvalues of H has a cross where they
    did not converge. ``level``: a horizontal line at this value. One colour for each value of the first swept
    hyperparameter, one panel for each combination of the others.
    """
    rows = select(trajectories, quantity, log)
    if rows.empty:
        return nothing(quantity, width, height)
    colour, shape = colour_scale(runs, study)
    points = with_marks(average(rows, study), ordered(runs[swept(study)[0]]))
    single = {"break_even": break_even_points(rows, runs, study)}
    if of_hessian:
        single["unconverged"] = unconverged_points(rows, trajectories, study)
    parts = {"curve": points, "threshold": thresholds(runs, study)} | single
    data = alt.Data(values=[row for part, table in parts.items() for row in records(table, part=part)], name=quantity)

    highlight = alt.selection_point(name="highlight", fields=["colour"], bind="legend")
    # plain scrolling must scroll the page, so zooming asks for a key
    zoom = alt.selection_interval(name="zoom", bind="scales", encodings=["x"], zoom="wheel![event.altKey]")
    who = [alt.Tooltip("colour:N", title=label(swept(study)[0]))]
    if len(swept(study)) > 1:
        who.append(alt.Tooltip("panel:N", title="panel"))
    seeds = alt.Tooltip("seeds:Q", title="number of seeds")

    x = alt.X("epoch:Q", scale=alt.Scale(zero=False, nice=False, padding=8), axis=alt.Axis(tickCount=8))
    domain = domain or span(rows, runs, log)
    if log:
        y = log_y("mean:Q", axis, domain)
    else:
        y = alt.Y(
            "mean:Q", title=axis, axis=alt.Axis(format="~g", tickCount=6), scale=alt.Scale(domain=domain, nice=False)
        )
    band_y = y.copy(deep=False)
    band_y.shorthand = "min:Q"
    curve = alt.Chart().transform_filter("datum.part == 'curve'").encode(x=x, color=colour)
    band = curve.mark_area(clip=True).encode(
        y=band_y, y2="max:Q", opacity=alt.when(highlight).then(alt.value(0.16)).otherwise(alt.value(0.02))
    )
    line = curve.mark_line(clip=True, strokeWidth=1.8).encode(
        y=y, opacity=alt.when(highlight).then(alt.value(1.0)).otherwise(alt.value(0.1))
    )
    # invisible points, all but a few, so that the tooltip appears at every snapshot
    symbol = curve.mark_point(clip=True, filled=True, size=45).encode(
        y=y,
        shape=shape,
        opacity=alt.when(highlight & alt.datum.marked).then(alt.value(1.0)).otherwise(alt.value(0.0)),
        tooltip=[
            *who,
            alt.Tooltip("step:Q"),
            alt.Tooltip("epoch:Q", format=".4~g"),
            *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("mean", "min", "max")),
            seeds,
            *([alt.Tooltip("run:N")] if (points["seeds"] == 1).all() else []),
        ],
    )
    rule = (
        alt.Chart()
        .transform_filter("datum.part == 'threshold'")
        .mark_rule(clip=True, strokeDash=[5, 4], strokeWidth=1.4)
    )
    rule = rule.encode(
        x=x,
        color=colour,
        opacity=alt.when(highlight).then(alt.value(0.9)).otherwise(alt.value(0.1)),
        tooltip=[*who, alt.Tooltip("epoch:Q", title="mean epoch past the threshold", format=".4~g"), seeds],
    )
    several = len(swept(study)) > 1
    name = f"view_{quantity}"
    band = band.properties(name=name).add_params(highlight, zoom)
    parts_drawn: list[Any] = [band, rule, line, symbol]
    for part, (mark, meaning) in SINGLE_POINTS.items():
        if part in single and len(single[part]):
            parts_drawn.append(
                alt.Chart()
                .transform_filter(f"datum.part == '{part}'")
                .mark_point(clip=True, stroke="black", strokeWidth=1.2, **mark)
                .encode(
                    x=x,
                    y=y,
                    fill=colour if mark["filled"] else alt.Undefined,
                    opacity=alt.when(highlight).then(alt.value(1.0)).otherwise(alt.value(0.05)),
                    tooltip=[
                        *who,
                        alt.Tooltip("seed:N"),
                        alt.Tooltip("step:Q", title=f"{meaning}, step"),
                        alt.Tooltip("epoch:Q", format=".4~g"),
                        alt.Tooltip("mean:Q", title="value", format=".4~g"),
                        alt.Tooltip("run:N"),
                    ],
                )
            )
    if level is not None:
        at = y.copy(deep=False)
        at.shorthand = "level:Q"
        parts_drawn.append(alt.Chart(alt.Data(values=[{"level": level}])).mark_rule(strokeWidth=1.2).encode(y=at))
    layers = alt.layer(*parts_drawn, data=data).properties(width=width, height=height * 3 // 4 if several else height)
    if not several:
        return layers
    header = alt.Header(title=None, labelAnchor="start", labelFontWeight="bold")
    return layers.facet(alt.Facet("panel:N", sort=panels(runs, study), header=header), columns=1)


def grid(views: list[Any]) -> alt.ConcatChart:
    """Views in two columns, with one legend that highlights and one zoom that moves them all together."""
    with warnings.catch_warnings():
        # that selections of one name become one is what is wanted here
        warnings.filterwarnings("ignore", message="Automatically deduplicated selection parameter")
        return alt.concat(*views, columns=2)


def notes(runs: pd.DataFrame, study: dict[str, Any]) -> list[str]:
    """What the curves and lines of a figure are, and how many runs diverged."""
    seeds = int(runs.groupby(swept(study), dropna=False)["seed"].nunique().max()) if len(runs) else 0
    average = f"Mean over {seeds} seeds, band from minimum to maximum" if seeds > 1 else "One seed"
    threshold = f"{100 * study['accuracy_threshold']:.4g} %"
    return [
        f"{average}; not smoothed.",
        f"Dashed vertical line: first epoch with a training accuracy above {threshold}"
        + (" (mean)." if seeds > 1 else "."),
        *(["Diamonds: break-even points of single runs."] if runs["break_even_step"].notna().any() else []),
        *unconverged(runs),
        *divergence(runs, "drawn as far as measured"),
    ]


def unconverged(runs: pd.DataFrame) -> list[str]:
    """How often the eigenvalues of H did not converge; nothing if they always did."""
    counts = pd.to_numeric(runs["unconverged_snapshots"])
    steps, of = int(counts.sum()), int((counts > 0).sum())
    return [f"The eigenvalues of H did not converge at {steps} measured steps of {of} runs."] if steps else []


def divergence(runs: pd.DataFrame, treatment: str) -> list[str]:
    """How many runs diverged, and how the figure treats them; nothing if none did."""
    count = int(diverged(runs).sum())
    return [f"{count} of {len(runs)} runs diverged: {treatment}."] if count else []


def finish(chart: Any, title: str, study: dict[str, Any], lines: list[str]) -> Any:
    """Title, explanation (its first line names the study) and look of a whole figure."""
    lines = [f"Study {study['name']}", *lines]
    heading = alt.TitleParams(
        title, subtitle=lines, anchor="start", subtitleColor="#444", subtitleFontSize=11.5, offset=12, fontSize=15
    )
    chart = chart.properties(
        title=heading, description=". ".join([title, lines[0], " ".join(lines[1:])]), background="white"
    )
    chart = chart.configure_axis(
        gridColor="#e6e6e6", labelFontSize=11, titleFontSize=12, titleFontWeight="normal", titlePadding=8
    )
    chart = chart.configure_header(labelFontSize=12)
    return chart.configure_legend(
        orient="top", titleOrient="left", columns=6, labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
    )


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
    return finish(curves(trajectories, runs, study, quantity, axis, **options), title, study, notes(runs, study))
