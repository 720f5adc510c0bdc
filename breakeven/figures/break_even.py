"""Theory against measurement: the largest λ_H^1, and λ_H^1 at the break-even point, against what Eq. 1 predicts."""

from typing import Any

import altair as alt
import pandas as pd

from breakeven.figures import common

SIDE = 360
LAMBDAS = ["predicted", "before", "after", "max"]


def points(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> pd.DataFrame:
    """One row for each run with a break-even point and all that is drawn of it, on logarithmic axes.

    λ_H^1 ``predicted``, measured at the steps between which the point lies (``before``, ``after``), and ``max``.
    Where the break-even point is at the first measured step, both ends are that step's.
    """
    measured = common.select(trajectories, "lambda_H_1", log=True).set_index(["run", "step"])["value"]
    found = common.labelled(runs.dropna(subset=["break_even_step", "predicted_lambda_H"]), study)
    after = [(run, int(step)) for run, step in zip(found["run"], found["break_even_step"], strict=True)]
    first = found["break_even_after_step"].fillna(found["break_even_step"])
    before = [(run, int(step)) for run, step in zip(found["run"], first, strict=True)]
    found = found.assign(
        predicted=common.finite(found["predicted_lambda_H"], log=True),
        before=measured.reindex(before).to_numpy(),
        after=measured.reindex(after).to_numpy(),
        max=common.finite(found["max_lambda_H"], log=True),
    )
    return found.dropna(subset=LAMBDAS)


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the measured λ_H^1 against the predicted one, with the diagonal."""
    title = "Where λ_H^1 stops growing: theory against measurement"
    table = points(trajectories, runs, study)
    without = int(runs["break_even_step"].isna().sum())
    undrawn = len(runs) - without - len(table)
    lines = [
        "Symbols: the largest measured λ_H^1 of each run. Bars: λ_H^1 from the last stable to the first unstable step.",
        "On the dashed line, theory is right.",
    ]
    lines += [f"{without} of {len(runs)} runs have no break-even point."] if without else []
    unknown = f"{undrawn} of {len(runs)} runs have one, and are not drawn: a λ_H^1 is unknown or not above 0."
    lines += [unknown] if undrawn else []
    if table.empty:
        return common.finish(common.nothing("a break-even point", SIDE, SIDE), title, study, lines)
    low, high = table[LAMBDAS].min().min() / 1.3, table[LAMBDAS].max().max() * 1.3
    domain = [common.rounded(low), common.rounded(high)]
    columns = ["colour", "panel", "seed", "run", "break_even_after_step", "break_even_step", *LAMBDAS]
    data = alt.Chart(alt.Data(values=common.records(table[columns]), name="break_even"))
    colour, shape = common.colour_scale(runs, study)
    scale = alt.Scale(type="log", domain=domain, nice=False)
    axis = alt.Axis(format="~g", values=common.ticks(*domain))
    x = alt.X("predicted:Q", title="λ_H^1 at which Eq. 1 predicts it (log scale)", axis=axis, scale=scale)
    largest = common.log_y("max:Q", "measured λ_H^1 (log scale)", domain)
    before = common.log_y("before:Q", "measured λ_H^1 (log scale)", domain)
    who = [alt.Tooltip("colour:N", title=common.label(common.swept(study)[0]))]
    if len(common.swept(study)) > 1:
        who.append(alt.Tooltip("panel:N", title="others"))
    numbers = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in LAMBDAS]
    steps = [
        alt.Tooltip("break_even_after_step:Q", title="last stable step"),
        alt.Tooltip("break_even_step:Q", title="first unstable step"),
    ]
    ends = [{"x": end, "y": end} for end in domain]
    diagonal = (
        alt.Chart(alt.Data(values=ends))
        .mark_line(color="#555", strokeDash=[5, 4], clip=True)
        .encode(x=alt.X("x:Q", scale=scale), y=alt.Y("y:Q", scale=scale))
    )
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
        tooltip=[*who, alt.Tooltip("seed:N"), *steps, *numbers, "run:N"],
    )
    return common.finish(
        alt.layer(
            diagonal, bars.properties(name="view_break_even").add_params(highlight, common.zoom("x", "y")), symbols
        ).properties(width=SIDE, height=SIDE),
        title,
        study,
        lines,
    )
