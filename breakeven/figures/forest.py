"""A forest plot of the effects of claims: one line for each test, with its interval, for the report."""

from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common

ROW, WIDTH = 36, 640
ABOVE, BELOW = 7, 5  # the name of a test stands above its interval
VERDICTS = ["supported", "contradicted", "inconclusive", "descriptive"]
COLOURS = ["#00603f", "#a3160f", "#6b6b75", "#2f4b9b"]  # as in the style sheet of the report
SHAPES = ["circle", "cross", "diamond", "square"]
FIELDS = [
    "row",
    "name",
    "study",
    "verdict",
    "effect",
    "low",
    "high",
    "equal_low",
    "equal_high",
    "finding",
    "p",
    "seeds",
]


def forest(
    rows: pd.DataFrame, axis: str, nothing: float, log: bool, domain: list[float] | None = None
) -> dict[str, Any]:
    """The effects of ``rows`` in their order, on one axis with a line at the effect ``nothing``; ``domain``: of the axis.

    A name may have two lines, which are one where there is room.

    Columns: ``name``, ``study``, ``verdict``, ``effect``, ``low`` and ``high`` (NaN without an interval), ``equal_low`` and
    ``equal_high`` (between which an effect counts as none, where the test says so), ``finding``, ``p``, ``seeds``.
    """
    rows = rows.assign(row=range(len(rows)))[FIELDS]
    domain = domain or _domain(rows, nothing, log)
    verdicts = [each for each in VERDICTS if each in set(rows["verdict"])]
    looks = [VERDICTS.index(each) for each in verdicts]
    table = alt.Chart(common.data(common.records(rows), "effects"))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    legend = alt.Legend(title=None, symbolOpacity=1)
    colours = alt.Scale(domain=verdicts, range=[COLOURS[look] for look in looks])
    colour = alt.Color("verdict:N", scale=colours, legend=legend)
    shape = alt.Shape("verdict:N", scale=alt.Scale(domain=verdicts, range=[SHAPES[look] for look in looks]))
    tooltip = [
        alt.Tooltip("finding:N", title="finding"),
        alt.Tooltip("study:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("effect", "low", "high")),
        alt.Tooltip("p:N"),
        alt.Tooltip("seeds:Q"),
    ]

    def x(field: str) -> alt.X:
        ticks = common.ticks(*domain) if log else alt.Undefined
        scale = alt.Scale(type="log" if log else "linear", domain=domain, nice=False, clamp=True)
        return alt.X(
            f"{field}:Q", title=axis, scale=scale, axis=alt.Axis(format="~g", values=ticks, tickCount=8, orient="top")
        )

    none = alt.Chart(common.unnamed_data([{"nothing": nothing}])).mark_rule(strokeDash=[5, 4], color="#555")
    equal = table.transform_filter("isValid(datum.equal_low)").mark_bar(color="#dcdce4", height=12, yOffset=BELOW)
    interval = table.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2, yOffset=BELOW)
    layers = [
        equal.encode(x=x("equal_low"), x2="equal_high:Q", y=y),
        none.encode(x=x("nothing")),
        interval.encode(x=x("low"), x2="high:Q", y=y, color=colour),
        table.mark_point(filled=True, size=70, opacity=1, yOffset=BELOW).encode(
            x=x("effect"), y=y, color=colour, shape=shape, tooltip=tooltip
        ),
        table.mark_text(align="left", yOffset=-ABOVE, fontSize=12, color="#1c1c22").encode(
            x=alt.value(2), y=y, text="name:N"
        ),
    ]
    chart: ChartType = alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows), config=common.CONFIG)
    spec: dict[str, Any] = chart.properties(background="white").to_dict()
    return spec


def _domain(rows: pd.DataFrame, nothing: float, log: bool) -> list[float]:
    """The range of the axis: all effects and intervals that it can show."""
    shown = [common.finite(rows[name], log) for name in ("effect", "low", "high", "equal_low", "equal_high")]
    values = pd.concat([*shown, pd.Series([nothing])]).dropna()
    low, high = float(values.min()), float(values.max())
    if log:
        return [common.rounded(low / 1.2), common.rounded(high * 1.2)]
    margin = 0.06 * (high - low) or 1.0
    return [common.rounded(low - margin), common.rounded(high + margin)]
