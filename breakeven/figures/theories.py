"""Which theory holds? What is said to stay at the edge of stability along training, each over its threshold."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.figures.curves import Look
from breakeven.specs.study import Study

CAPTION = (
    "What three theories say stays at 1 once training has reached the edge of stability. Full batch: λ_H^1 over 2/η; with "
    "momentum β it stays at 1 + β, the dashed line. Equation 1: λ_H^1 over the threshold that Eq. 1 gives it, and the left-hand "
    "side itself, which is near 1 also where there is hardly any curvature. Batch sharpness, the curvature of a mini-batch along "
    "its own gradient, over 2/η; with momentum it is reported at 1 − β for small batches and 1 + β for large ones, the dashed "
    "lines. For optimizers with a preconditioner, λ_H^1 is that of the preconditioned H."
)
ORDER = 85
ON_REQUEST = True
WIDTH, HEIGHT = 300, 240
SHOWN = (0.02, 50.0)  # of a ratio, at most; beyond lies the approach to the edge
OVER_RATE = "two_over_lr"
# what is drawn: the quantity, what it is divided by, the title of its axis, and what is dashed, over 2/η
VIEWS = (
    ("full_batch", "lambda_H_1", OVER_RATE, "full batch: λ_H^1 · η/2", ("threshold",)),
    ("batch", "batch_sharpness", OVER_RATE, "batch sharpness · η/2", ("lower_plateau", "upper_plateau")),
    ("equation_1", "lambda_H_1", "break_even_curvature", "Eq. 1: λ_H^1 over its threshold", ()),
)
AT_ONE = 0.01  # lines that are no further from 1 are the line at 1


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw each theory in a panel, against the step, on one logarithmic axis; the left-hand side of Eq. 1 on its own."""
    trajectories = with_preconditioned(trajectories)
    ratios = {name: over(trajectories, quantity, divisor) for name, quantity, divisor, _, _ in VIEWS}
    everything = pd.concat(ratios.values())
    low, high = common.span(everything, runs, log=True) if len(everything) else SHOWN
    domain = [max(low, SHOWN[0]), min(high, SHOWN[1])]
    views: list[ChartType] = []
    for name, quantity, _, title, dashed in VIEWS:
        rows = ratios[name].assign(quantity=name)
        lines = [rules(trajectories, line, study) for line in dashed]
        limits = pd.concat(lines) if sum(map(len, lines)) else None
        look = Look(x="step", rules=None, level=1.0, domain=domain, width=WIDTH, height=HEIGHT, thresholds=limits)
        if rows.empty:
            views.append(common.no_values(common.symbol(quantity), WIDTH, HEIGHT))
        else:
            views.append(curves.curves(rows, runs, study, name, f"{title} (log scale)", look))
    axis, signed = common.equation_1_axis(trajectories)
    look = Look(x="step", rules=None, level=1.0, width=WIDTH, height=HEIGHT, **signed)
    views.append(curves.curves(trajectories, runs, study, "stability_lhs", axis, look))
    notes = [curves.averaged(runs, study), "Each over its threshold: a theory holds where its curves stay at 1."]
    if any(len(rules(trajectories, line, study)) for _, _, _, _, dashed in VIEWS for line in dashed):
        notes.append("Dashed lines: thresholds with momentum, in units of 2/η.")
    return common.finish(
        common.grid(views), "Which theory holds at the edge of stability?", study, notes + curves.marked(runs)
    )


def with_preconditioned(trajectories: pd.DataFrame) -> pd.DataFrame:
    """λ_H^1 of the preconditioned H in place of that of H, for the runs that have one."""
    found = trajectories["quantity"] == curve_data.PRECONDITIONED
    of_these = trajectories["run"].isin(curve_data.preconditioned(trajectories)) & (
        trajectories["quantity"] == "lambda_H_1"
    )
    return trajectories.assign(quantity=trajectories["quantity"].mask(found, "lambda_H_1"))[~of_these]


def over(trajectories: pd.DataFrame, quantity: str, divisor: str) -> pd.DataFrame:
    """The rows of ``quantity``, with its values over those of ``divisor`` at the same step of the same run, where both are."""
    rows, by = (trajectories[trajectories["quantity"] == name] for name in (quantity, divisor))
    found = rows.merge(by[["run", "step", "value"]], on=["run", "step"], suffixes=("", "_of_divisor"))
    return found.assign(value=found["value"] / found["value_of_divisor"]).drop(columns="value_of_divisor")


def rules(trajectories: pd.DataFrame, line: str, study: Study) -> pd.DataFrame:
    """A threshold of each curve over 2/η, where it is another than 1."""
    found = curve_data.lines(common.select(over(trajectories, line, OVER_RATE), line, log=True), study)
    return found[(found["mean"] - 1).abs() > AT_ONE].assign(line=line)
