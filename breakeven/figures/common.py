"""What the figures share: one colour and symbol per value of a hyperparameter, axes, legends that select, titles."""

import json
import math
import textwrap
import warnings
from typing import Any, cast

import altair as alt
import numpy as np
import pandas as pd
from altair.typing import ChartType

from breakeven.figures.labels import QUANTITIES, compared, label, number, text
from breakeven.specs.measurements import SYMBOLS
from breakeven.specs.study import Study

SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left"]
# Ordered values: lightness grows with the value, so the order survives a grey print; without the palest fifth.
SEQUENTIAL = alt.SchemeParams(name="plasma", extent=[0.0, 0.8])
# Unordered values: the palette of Okabe and Ito without its yellow, safe for colour-blind readers.
NOMINAL = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"]

CONFIG = alt.Config(
    axis=alt.AxisConfig(
        gridColor="#e6e6e6",
        labelFontSize=11,
        titleFontSize=12,
        titleFontWeight="normal",
        titlePadding=8,
        titleLineHeight=15,  # of symbols with indices
    ),
    header=alt.HeaderConfig(labelFontSize=12),
    legend=alt.LegendConfig(
        orient="top",
        titleOrient="left",
        titlePadding=16,  # in a browser whose font is wider than that of the picture, the title ends further right
        columns=6,
        labelFontSize=12,
        titleFontSize=12,
        titleFontWeight="normal",
    ),
)

LONG_LABEL = 20  # letters, beyond which the entries of a legend stand below each other
LETTER, BOLD_LETTER = 6.5, 7.2  # wide, on average, in the sizes of CONFIG and the widest of the usual fonts
PAGE = 1000  # wide at most, so that a picture with its margins fits 1280 pixels
BETWEEN = 20  # at least, from a panel to the next
SYMBOL = 45  # of an entry of a legend, with the space around it


def ordered(values: Any) -> list[str]:
    """The texts of the distinct values: numbers by size, then the rest by name."""
    numbers = {text(value): number(value) for value in values}
    return sorted(numbers, key=lambda key: (numbers[key] is None, numbers[key] or 0.0, key))


def labelled(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Add the texts that charts group by: ``colour`` for the first swept hyperparameter, ``panel`` for the others."""
    first, *others = compared(study)
    table = table.assign(colour=[text(value) for value in table[first]])
    parts = [[f"{label(name)} = {text(value)}" for value in table[name]] for name in others]
    return table.assign(panel=[", ".join(pair) for pair in zip(*parts, strict=True)] if others else "")


def panels(runs: pd.DataFrame, study: Study) -> list[str]:
    """The panels in order: sorted by each of the other hyperparameters in turn."""
    others = compared(study)[1:]
    ranks = {name: ordered(runs[name]) for name in others}
    rows = labelled(runs, study)
    order = [
        [ranks[name].index(text(value)) for name, value in zip(others, row, strict=True)]
        for row in runs[others].to_numpy(dtype=object)
    ]
    return list(dict.fromkeys(panel for _, panel in sorted(zip(order, rows["panel"], strict=True))))


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


def records(table: pd.DataFrame, **constants: str) -> list[dict[str, Any]]:
    """Rows for Vega-Lite, with rounded numbers and without NaN, which JSON doesn't have."""

    def cell(value: Any) -> Any:
        if isinstance(value, float):
            return rounded(value) if math.isfinite(value) else None
        return value

    return [
        {str(key): cell(value) for key, value in row.items()} | constants for row in table.to_dict(orient="records")
    ]


def span(rows: pd.DataFrame, runs: pd.DataFrame, log: bool, signed: bool = False) -> list[float]:
    """The range of the y axis, from the runs that didn't diverge, if any: values on the way to infinity would leave
    nothing to see of the others.
    """
    stable = rows[~rows["run"].isin(set(runs.loc[runs["diverged"], "run"]))]
    values = (rows if stable.empty else stable)["value"]
    low, high = float(values.min()), float(values.max())
    if log:
        return [rounded(low / 1.15), rounded(high * 1.15)]
    if signed:  # as on a logarithmic axis, where a part of the largest value is far from 0
        return [rounded(low - 0.15 * abs(low)), rounded(high + 0.15 * abs(high))]
    margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    return [rounded(low - margin), rounded(high + margin)]


def ticks(low: float, high: float) -> list[float]:
    """Round numbers for a logarithmic axis: 1, 2 and 5 times the powers of ten; the powers alone where that is
    too many; evenly spaced numbers where it is too few.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    candidates = [float(f"{factor}e{decade}") for decade in decades for factor in (1, 2, 5)]
    inside = [tick for tick in candidates if low <= tick <= high]
    if len(inside) > 8:
        powers = [tick for tick in candidates[::3] if low <= tick <= high]
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


def signed_y(field: str, title: str | list[str], domain: list[float]) -> alt.Y:
    """A y axis over ``domain`` that is logarithmic away from 0 and linear about it, so that it has both signs."""
    powers = [10.0**power for power in range(39)]
    several = [sign * factor * power for power in powers for factor in (1, 2, 5) for sign in (1, -1)]
    inside = [sorted(tick for tick in [0.0, *some] if domain[0] <= tick <= domain[1]) for some in (several, powers)]
    axis = alt.Axis(format=".6~g", values=inside[0] if len(inside[0]) <= 10 else inside[1])
    return alt.Y(field, title=title, axis=axis, scale=alt.Scale(type="symlog", domain=domain, nice=False))


def colour_scale(runs: pd.DataFrame, study: Study) -> tuple[alt.Color, alt.Shape]:
    """Colour and symbol of every value, the same in all figures of a study, in one merged legend."""
    first = compared(study)[0]
    colours = ordered(runs[first])
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(colours))]
    shown = legend(label(first), colours, symbolOpacity=1)
    colour = alt.Color("colour:O", scale=palette(colours, runs[[first]]), legend=shown)
    return colour, alt.Shape("colour:O", scale=alt.Scale(domain=colours, range=shapes), legend=shown)


def palette(domain: list[str], values: pd.DataFrame) -> alt.Scale:
    """The colours of ``domain``: growing with ``values`` where all of these are numbers, else those that differ most.

    More than there are of the latter take the former, too, so that no two are the same.
    """
    if len(domain) > len(NOMINAL) or all(number(value) is not None for value in values.to_numpy(dtype=object).flat):
        return alt.Scale(domain=domain, scheme=SEQUENTIAL)
    return alt.Scale(domain=domain, range=NOMINAL[: len(domain)])


def legend(title: str | None, labels: list[str], width: float = PAGE, **look: Any) -> alt.Legend:
    """A legend with as many entries beside each other as fit the page, or a figure of this ``width``."""
    longest = max(map(len, labels), default=0)
    fitting = int((width - LETTER * len(title or "")) // (LETTER * longest + SYMBOL))
    columns = 1 if longest > LONG_LABEL else max(1, min(6, fitting))
    letters = int(width / LETTER)
    if longest > letters:
        look["labelExpr"] = broken(labels, letters)
    return alt.Legend(title=title, columns=columns, labelLimit=PAGE, **look)


def broken(labels: list[str], letters: int) -> str:
    """An expression of Vega: the ``labels`` in lines of so many letters."""
    lines = {each: textwrap.wrap(each, letters, break_on_hyphens=False) or [each] for each in labels}
    return f"({json.dumps(lines)})[datum.label]"


def fitted(title: str | list[str], length: int) -> str | list[str]:
    """The title of an axis of this length, in as many lines as it takes so that it doesn't run into those beside it."""
    lines = [title] if isinstance(title, str) else title
    letters = int((length + BETWEEN) / LETTER)
    if all(len(line) <= letters for line in lines):
        return title
    parts = [part for line in lines for part in line.replace(" (", "\n(").split("\n")]  # that of the scale on its own
    return [fitting for part in parts for fitting in textwrap.wrap(part, letters, break_long_words=False)]


def highlight(field: str = "colour", name: str = "highlight") -> alt.Parameter:
    """A click on an entry of the legend of ``field`` selects it; see `shaded`."""
    return alt.selection_point(name=name, fields=[field], bind="legend")


def shaded(selected: Any, on: float, off: float) -> Any:
    """The opacity of what is selected, and of the rest; everything is selected at first."""
    return alt.when(selected).then(alt.value(on)).otherwise(alt.value(off))


def zoom(*axes: Any, name: str = "zoom") -> alt.Parameter:
    """Dragging moves the ``axes`` (x, y), the wheel zooms them: with Alt, since plain scrolling must scroll the page."""
    return alt.selection_interval(name=name, bind="scales", encodings=list(axes), zoom="wheel![event.altKey]")


def who(study: Study) -> list[alt.Tooltip]:
    """The lines of a tooltip that say whose value it is."""
    first, *others = compared(study)
    tooltip = [alt.Tooltip("colour:N", title=label(first))]
    return [*tooltip, alt.Tooltip("panel:N", title="others")] if others else tooltip


def symbol(quantity: str) -> str:
    """The symbol of a quantity; its name where it has none."""
    return SYMBOLS.get(quantity, quantity)


def symbol_axis(quantity: str) -> str:
    """The title of a logarithmic axis: the symbol of a quantity."""
    return f"{QUANTITIES[quantity].symbol} (log scale)"


def words_axis(quantity: str) -> list[str]:
    """The title of a logarithmic axis, in two lines: a quantity in words, and its symbol."""
    return [f"{QUANTITIES[quantity].words},", symbol_axis(quantity)]


def equation_1_axis(trajectories: pd.DataFrame) -> tuple[list[str], dict[str, Any]]:
    """Title and look of the axis of Eq. 1's left-hand side: logarithmic, with both signs where momentum makes it negative."""
    values = finite(trajectories["value"][trajectories["quantity"] == "stability_lhs"], log=False)
    signed = bool((values <= 0).any())
    scale = "log, linear about 0" if signed else "log scale"
    look = {"log": False, "signed": True} if signed else {}
    return [f"{QUANTITIES['stability_lhs'].symbol},", "unstable above 1", f"({scale})"], look


def data(rows: list[dict[str, Any]], name: str) -> alt.InlineData:
    """Rows with a name: they also stand in the table beside the figure."""
    return alt.InlineData(values=rows, name=name)


def unnamed_data(rows: list[dict[str, Any]]) -> alt.Data:
    """Rows of a line for the eye, which stand where they are drawn: Altair moves those of an `alt.InlineData` without a name."""
    made: alt.Data = cast(Any, alt.Data)(values=rows)  # untyped in Altair
    return made


def no_values(what: str, width: int, height: int) -> alt.Chart:
    """Stands where there is no value to draw."""
    mark = alt.Chart(unnamed_data([{"text": f"no values of {what}"}])).mark_text(size=13, color="#555")
    chart: alt.Chart = mark.encode(text="text:N")
    return chart.properties(width=width, height=height)


def on_log_axis(what: str, values: pd.Series) -> str:
    """``what`` lacks values on a logarithmic axis: if it has values, then none above 0."""
    return f"{what} above 0, as a logarithmic axis needs" if finite(values, log=False).notna().any() else what


def grid(views: list[Any], columns: int = 2) -> alt.ConcatChart:
    """Views beside each other, with one legend that highlights and one zoom that moves them all together."""
    with warnings.catch_warnings():
        # that selections of one name become one is what is wanted here
        warnings.filterwarnings("ignore", message="Automatically deduplicated selection parameter")
        return alt.concat(*views, columns=columns)


def unconverged(runs: pd.DataFrame) -> list[str]:
    """How often the eigenvalues of H did not converge; nothing if they always did."""
    counts = pd.to_numeric(runs["unconverged_snapshots"])
    steps, of = int(counts.sum()), int((counts > 0).sum())
    return [f"The eigenvalues of H did not converge at {steps} measured steps of {of} runs."] if steps else []


def divergence(runs: pd.DataFrame, treatment: str) -> list[str]:
    """How many runs diverged, and how the figure treats them; nothing if none did."""
    count = int(runs["diverged"].sum())
    return [f"{count} of {len(runs)} runs diverged: {treatment}."] if count else []


def finish(chart: ChartType, title: str, study: Study, lines: list[str]) -> ChartType:
    """Title, explanation (its first line names the study) and look of a whole figure."""
    lines = [f"Study {study.name}", *lines]
    heading = alt.TitleParams(
        title, subtitle=lines, anchor="start", subtitleColor="#444", subtitleFontSize=11.5, offset=12, fontSize=15
    )
    description = ". ".join([title, lines[0], " ".join(lines[1:])])
    finished: ChartType = chart.properties(title=heading, description=description, background="white", config=CONFIG)
    return finished
