"""Theory against measurement: the largest λ_H^1, and λ_H^1 at the break-even point, against what Eq. 1 predicts."""

import textwrap

import altair as alt
import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data
from breakeven.specs.study import Study

CAPTION = (
    "The largest λ_H^1 at a snapshot of each run, and λ_H^1 at its break-even point, against the value at which Eq. 1 predicts "
    "the break-even point, from the learning rate η, the batch size S, the number of examples N, the optimizer and the "
    "measured variance of the curvature. On the line, λ_H^1 stops growing where theory says. "
    "Where the learning rate changes no largest λ_H^1 is drawn, which may be another rate's."
)
ORDER = 90
SIDE = 360
LETTERS = 62  # of a line above it, which in a browser with another font is no wider than the figure
LAMBDAS = ["predicted", "before", "after", "max"]


def points(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> pd.DataFrame:
    """One row for each run with a break-even point and all that is drawn of it, on logarithmic axes.

    λ_H^1 ``predicted``, measured at the steps between which the point lies (``before``, ``after``), and ``max``.
    Where the break-even point is at the first measured step, both ends are that step's. Of a run whose optimizer has a
    preconditioner it is the preconditioned eigenvalue instead. ``max`` is empty where the learning rate changes along the run,
    ``is_steady`` no: the prediction is for the rate at the break-even point, and the largest value may be another's.
    """
    others = curve_data.preconditioned(trajectories)
    rows = common.select(trajectories, "lambda_H_1", log=True)
    largest = common.select(trajectories, curve_data.PRECONDITIONED, log=True)
    located = common.select(trajectories, curve_data.LOCATED["lambda_H_1"], log=True)
    rows = pd.concat([rows[~rows["run"].isin(others)], largest, located]).drop_duplicates(["run", "step"])
    measured = rows.set_index(["run", "step"])["value"]
    tops = largest.groupby("run")["value"].max()
    found = common.labelled(runs.dropna(subset=["break_even_step", "predicted_lambda_H"]), study)
    after = [(run, int(step)) for run, step in zip(found["run"], found["break_even_step"], strict=True)]
    first = found["break_even_after_step"].fillna(found["break_even_step"])
    before = [(run, int(step)) for run, step in zip(found["run"], first, strict=True)]
    found = found.assign(
        predicted=common.finite(found["predicted_lambda_H"], log=True),
        before=measured.reindex(before).to_numpy(),
        after=measured.reindex(after).to_numpy(),
        max=common.finite(found["max_lambda_H"].where(~found["run"].isin(others), found["run"].map(tops)), log=True),
    )
    rates = common.select(trajectories, "two_over_lr", log=True).groupby("run")["value"].nunique()
    found = found.dropna(subset=LAMBDAS).assign(is_steady=lambda runs: ~runs["run"].isin(rates.index[rates > 1]))
    return found.assign(max=found["max"].where(found["is_steady"]))


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the measured λ_H^1 against the predicted one, with the diagonal."""
    title = "Does λ_H^1 stop growing where Eq. 1 says?"
    table = points(trajectories, runs, study)
    lines = notes(table, runs)
    if not curve_data.preconditioned(trajectories).isdisjoint(table["run"]):
        lines.append("Of Adam and its relatives it is the preconditioned curvature, λ_PH^1.")
    if table.empty:
        return common.finish(common.no_values("a break-even point", SIDE, SIDE), title, study, lines)
    low, high = table[LAMBDAS].min().min() / 1.3, table[LAMBDAS].max().max() * 1.3
    domain = [common.rounded(low), common.rounded(high)]
    layers = [diagonal(domain), *measured(table, runs, study, domain)]
    return common.finish(alt.layer(*layers).properties(width=SIDE, height=SIDE), title, study, lines)


def notes(table: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """What is drawn, and how many runs are not."""
    without = int(runs["break_even_step"].isna().sum())
    undrawn = len(runs) - without - len(table)
    lines = [
        "Symbols: the largest λ_H^1 at a snapshot of each run.",
        "Bars: λ_H^1 from the last stable to the first unstable step.",
        "On the dashed line, theory is right.",
    ]
    if without:
        lines.append(f"{without} of {len(runs)} runs have no break-even point.")
    if not table["is_steady"].all():
        lines.append("No symbols where the learning rate changes: the largest may be another rate's.")
    if undrawn:
        reason = "a λ_H^1 is unknown or not above 0"
        lines.append(f"{undrawn} of {len(runs)} runs have one, and are not drawn: {reason}.")
    return [part for line in lines for part in textwrap.wrap(line, LETTERS)]


def diagonal(domain: list[float]) -> alt.Chart:
    """Where theory is right."""
    scale = alt.Scale(type="log", domain=domain, nice=False)
    ends = common.unnamed_data([{"x": end, "y": end} for end in domain])
    mark = alt.Chart(ends).mark_line(color="#555", strokeDash=[5, 4], clip=True)
    layer: alt.Chart = mark.encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))
    return layer


def measured(table: pd.DataFrame, runs: pd.DataFrame, study: Study, domain: list[float]) -> tuple[alt.Chart, alt.Chart]:
    """For each run, a bar at its break-even point and a symbol at its maximum."""
    columns = ["colour", "panel", "seed", "run", "break_even_after_step", "break_even_step", *LAMBDAS]
    data = alt.Chart(common.data(common.records(table[columns]), "break_even"))
    colour, shape = common.colour_scale(runs, study)
    x = alt.X(
        "predicted:Q",
        title="λ_H^1 at which Eq. 1 predicts it (log scale)",
        axis=alt.Axis(format="~g", values=common.ticks(*domain)),
        scale=alt.Scale(type="log", domain=domain, nice=False),
    )
    largest = common.log_y("max:Q", "measured λ_H^1 (log scale)", domain)
    before = common.log_y("before:Q", "measured λ_H^1 (log scale)", domain)
    highlight = common.highlight()
    bars = data.mark_rule(strokeWidth=2.5, clip=True).encode(
        x=x, y=before, y2="after:Q", color=colour, opacity=common.shaded(highlight, 0.55, 0.08)
    )
    symbols = data.mark_point(filled=True, size=60, clip=True).encode(
        x=x,
        y=largest,
        color=colour,
        shape=shape,
        opacity=common.shaded(highlight, 0.9, 0.08),
        tooltip=[
            *common.who(study),
            alt.Tooltip("seed:N"),
            alt.Tooltip("break_even_after_step:Q", title="stable until step"),
            alt.Tooltip("break_even_step:Q", title="first unstable step"),
            *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in LAMBDAS),
            alt.Tooltip("run:N"),
        ],
    )
    return bars.properties(name="view_break_even").add_params(highlight, common.zoom("x", "y")), symbols
