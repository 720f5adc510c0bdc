"""The layers of a drawing of curves along training: one function for each, of the data that `breakeven.figures.curve_data` makes.

All layers of a drawing draw the same table; each takes the rows of one ``part``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from breakeven.figures import common

DASHED: dict[str, Any] = {"strokeDash": [5, 4], "strokeWidth": 1.4}
SEEDS = alt.Tooltip("seeds:Q", title="number of seeds")


@dataclass(frozen=True)
class Shared:
    """What the layers of a drawing share.

    The axes, colour and symbol of each curve, its dash where they have one, what is ``selected``, ``who``: the lines of a tooltip
    that say whose value it is.
    """

    x: alt.X
    y: alt.Y
    colour: alt.Color
    shape: alt.Shape
    dash: alt.StrokeDash | None
    selected: Any
    who: list[alt.Tooltip]


@dataclass(frozen=True)
class SinglePoint:
    """What is marked of single runs: a part of the data, what it is in words, and how it looks."""

    part: str
    words: str
    look: Mapping[str, Any]


SINGLE_POINTS = (
    SinglePoint("break_even", "break-even point", {"shape": "diamond", "size": 80, "filled": True}),
    SinglePoint("unconverged", "not converged", {"shape": "cross", "size": 70, "filled": False, "angle": 45}),
)


def line(shared: Shared) -> alt.Chart:
    """The mean over seeds."""
    dash = {} if shared.dash is None else {"strokeDash": shared.dash}
    mark = _part("curve").mark_line(clip=True, strokeWidth=1.8)
    layer: alt.Chart = mark.encode(
        x=shared.x, y=shared.y, color=shared.colour, opacity=_shaded(shared, 1.0, 0.1), **dash
    )
    return layer


def band(shared: Shared, opacity: float) -> alt.Chart:
    """From the minimum to the maximum over seeds."""
    mark = _part("curve").mark_area(clip=True)
    layer: alt.Chart = mark.encode(
        x=shared.x,
        y=_of_field(shared.y, "min"),
        y2="max:Q",
        color=shared.colour,
        detail="panel:N",
        opacity=_shaded(shared, opacity, 0.02),
    )
    return layer


def symbols(shared: Shared, of_single_runs: bool) -> alt.Chart:
    """A few on each curve, and invisible ones at all other snapshots, so that the tooltip appears there, too."""
    tooltip = [*shared.who, alt.Tooltip("step:Q"), *_numbers("epoch", "mean", "min", "max"), SEEDS]
    mark = _part("curve").mark_point(clip=True, filled=True, size=45)
    layer: alt.Chart = mark.encode(
        x=shared.x,
        y=shared.y,
        color=shared.colour,
        shape=shared.shape,
        opacity=common.shaded(shared.selected & alt.datum.marked, 1.0, 0.0),
        tooltip=[*tooltip, alt.Tooltip("run:N")] if of_single_runs else tooltip,
    )
    return layer


def rules(shared: Shared, at: str, words: str) -> alt.Chart:
    """A dashed vertical line for each curve, where this field says."""
    layer: alt.Chart = _dashed("rule").encode(
        x=_of_field(shared.x, at),
        color=shared.colour,
        opacity=_shaded(shared, 0.9, 0.1),
        tooltip=[*shared.who, *_numbers(at, "min", "max", **{at: words}), SEEDS],
    )
    return layer


def levels(shared: Shared) -> alt.Chart:
    """A dashed horizontal line for each curve whose threshold is the same all along."""
    layer: alt.Chart = _dashed("level").encode(
        y=_of_field(shared.y, "mean"),
        color=shared.colour,
        opacity=_shaded(shared, 0.9, 0.1),
        tooltip=[*shared.who, *_numbers("mean", mean="dashed line at")],
    )
    return layer


def changing(shared: Shared) -> alt.Chart:
    """A dashed line along training for each curve whose threshold changes, in steps, as the learning rate does."""
    mark = _part("threshold").mark_line(clip=True, interpolate="step-after", **DASHED)
    tooltip = [*shared.who, alt.Tooltip("step:Q"), *_numbers("mean", mean="dashed line at")]
    layer: alt.Chart = mark.encode(
        x=shared.x,
        y=shared.y,
        color=shared.colour,
        detail="panel:N",
        opacity=_shaded(shared, 0.9, 0.1),
        tooltip=tooltip,
    )
    return layer


THRESHOLDS = {"level": levels, "threshold": changing}  # by the part that they draw


def level(shared: Shared, value: float) -> alt.Chart:
    """One horizontal line."""
    mark = alt.Chart(common.unnamed_data([{"level": value}])).mark_rule(strokeWidth=1.2, clip=True)
    layer: alt.Chart = mark.encode(y=_of_field(shared.y, "level"))
    return layer


def single_points(shared: Shared, kind: SinglePoint) -> alt.Chart:
    """A symbol for each single run, at its own value."""
    mark = _part(kind.part).mark_point(clip=True, stroke="black", strokeWidth=1.2, **kind.look)
    step = alt.Tooltip("step:Q", title=f"{kind.words}, step")
    numbers = _numbers("epoch", "mean", mean="value")
    fill = {"fill": shared.colour} if kind.look["filled"] else {}
    layer: alt.Chart = mark.encode(
        x=shared.x,
        y=shared.y,
        opacity=_shaded(shared, 1.0, 0.05),
        tooltip=[*shared.who, alt.Tooltip("seed:N"), step, *numbers, alt.Tooltip("run:N")],
        **fill,
    )
    return layer


def _numbers(*names: str, **titles: str) -> list[alt.Tooltip]:
    """Lines of a tooltip with the numbers of these fields."""
    return [alt.Tooltip(f"{name}:Q", title=titles.get(name, name), format=".4~g") for name in names]


def _part(name: str) -> alt.Chart:
    return alt.Chart().transform_filter(f"datum.part == '{name}'")


def _dashed(part: str) -> alt.Chart:
    mark: alt.Chart = _part(part).mark_rule(clip=True, **DASHED)
    return mark


def _shaded(shared: Shared, on: float, off: float) -> Any:
    return common.shaded(shared.selected, on, off)


def _of_field(encoding: Any, field: str) -> Any:
    """The same axis for another field."""
    other = encoding.copy(deep=False)
    other.shorthand = f"{field}:Q"
    return other
