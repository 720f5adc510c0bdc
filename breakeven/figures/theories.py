"""Which theory holds? What is said to stay at the edge of stability along training, each over its threshold."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curve_data, curves
from breakeven.figures.curves import Look
from breakeven.specs.study import Study

CAPTION = (
    "What three theories say stays where it is once training has reached the edge of stability. Full batch: λ_H^1 over its "
    "full-batch threshold, 2/η for plain SGD and 2(1 + β)/η with momentum β, stays at 1. Equation 1: so does λ_H^1 over the "
    "threshold that Eq. 1 gives it; the left-hand side itself is near 1 also where there is hardly any curvature. Batch "
    "sharpness, the curvature of a mini-batch along its own gradient, in units of 2/η: it stays at 1 without momentum, and is "
    "reported with momentum at 1 − β for small batches and 1 + β for large ones, the dashed lines. Of optimizers with a "
    "preconditioner no plateau of batch sharpness is known, and λ_H^1 is that of the preconditioned H."
)
ORDER = 85
ON_REQUEST = True
SIZE: dict[str, Any] = {"width": 300, "height": 240}
SHOWN = (0.02, 50.0)  # of a ratio; what is beyond is the approach to the edge
OVER_RATE = "two_over_lr"
PLATEAUS = ("lower_plateau", "upper_plateau")
AT_ONE = 0.01  # lines that are no further from 1 are the line at 1
DIAMONDS = "Diamonds: break-even points of single runs, in the panel of the left-hand side."


@dataclass(frozen=True)
class View:
    """A panel: what is drawn, what it is divided by, what that is in words, the title of its axis."""

    name: str
    quantity: str
    divisor: str
    words: str
    axis: list[str]


FULL_BATCH = View(
    "full_batch",
    "lambda_H_1",
    "threshold",
    "λ_H^1 and its threshold",
    ["full batch:", "λ_H^1 over its threshold (log)"],
)
BATCH = View(
    "batch", "batch_sharpness", OVER_RATE, "a batch sharpness with a plateau", ["batch sharpness · η/2", "(log scale)"]
)
EQUATION_1 = View(
    "equation_1",
    "lambda_H_1",
    "break_even_curvature",
    "λ_H^1 and the threshold of Eq. 1",
    ["Eq. 1:", "λ_H^1 over its threshold (log)"],
)
VIEWS = (FULL_BATCH, BATCH, EQUATION_1)


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw each theory in a panel, against the step, on one logarithmic axis; the left-hand side of Eq. 1 on its own."""
    measured = with_preconditioned(trajectories)
    plateaus = pd.concat([rules(measured, line, study) for line in PLATEAUS])
    dashed = plateaus[(plateaus["mean"] - 1).abs() > AT_ONE]
    at_one = len(dashed) < len(plateaus)
    each = [over(measured, view.quantity, view.divisor).assign(quantity=view.name) for view in VIEWS]
    ratios = pd.concat(each, ignore_index=True)
    without = (ratios["quantity"] == BATCH.name) & ~ratios["run"].isin(with_plateau(measured))
    rows = ratios[~without].assign(value=common.finite(ratios["value"], log=True)).dropna(subset=["value"])
    shown = [1.0, *dashed["mean"]]
    domain = edges(rows, runs, shown)

    def panel(view: View) -> ChartType:
        if not (rows["quantity"] == view.name).any():
            return common.no_values(view.words, **SIZE)
        lines: dict[str, Any] = {"level": 1.0}
        if view == BATCH:
            lines = {"level": 1.0 if at_one else None, "thresholds": dashed if len(dashed) else None}
        look = Look(x="step", rules=None, diamonds=False, domain=domain, **SIZE, **lines)
        return curves.curves(rows, runs, study, view.name, view.axis, look)

    axis, signed = common.equation_1_axis(trajectories)
    of_side = Look(x="step", rules=None, level=1.0, of_hessian=True, **SIZE, **signed)
    side = curves.curves(trajectories, runs, study, "stability_lhs", axis, of_side)
    notes = [
        curves.averaged(runs, study),
        *targets(len(dashed) > 0, at_one),
        *(
            ["Runs whose optimizer has no known plateau of batch sharpness are left out of its panel."]
            if without.any()
            else []
        ),
        *preconditioned(trajectories),
        *cut(rows, runs, domain),
        *curves.marked(runs, DIAMONDS),
    ]
    title = "Which theory holds at the edge of stability?"
    return common.finish(common.grid([*map(panel, VIEWS), side]), title, study, notes)


# ------------------------------------------------------------------ what is drawn


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


def with_plateau(trajectories: pd.DataFrame) -> set[str]:
    """The runs of which a theory says where batch sharpness stays."""
    return set(common.select(trajectories, PLATEAUS[0], log=True)["run"])


def rules(trajectories: pd.DataFrame, line: str, study: Study) -> pd.DataFrame:
    """A plateau of each curve over 2/η."""
    rows = common.select(over(trajectories, line, OVER_RATE), line, log=True)
    return curve_data.lines(rows, study).assign(line=line)


def edges(rows: pd.DataFrame, runs: pd.DataFrame, lines: list[float]) -> list[float]:
    """Of the common axis: `SHOWN`, or less where there is less, with the ``lines`` and a part of each run's curves in view."""
    stable = _stable(rows, runs)
    curves = stable.groupby(["quantity", "run"])["value"]
    low, high = min(lines), max(lines)
    if len(stable):
        low = min(low, max(stable["value"].min(), min(SHOWN[0], curves.max().min())))
        high = max(high, min(stable["value"].max(), max(SHOWN[1], curves.min().max())))
    return [common.rounded(low / 1.15), common.rounded(high * 1.15)]


def _stable(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the runs that did not diverge; all of them where these are none."""
    stable = rows[~rows["run"].isin(set(runs.loc[runs["diverged"], "run"]))]
    return rows if stable.empty else stable


# ------------------------------------------------------------------ what is said


def targets(dashed: bool, at_one: bool) -> list[str]:
    """Where the curves of each panel stay if its theory holds."""
    said = ["A theory holds where its curves stay at the target: 1 in the panels of the full batch and of Eq. 1."]
    if dashed and at_one:
        return [
            *said,
            "Target of batch sharpness, in units of 2/η: 1 without momentum; with momentum, the dashed lines.",
        ]
    if dashed:
        return [*said, "Target of batch sharpness, in units of 2/η, with momentum: the dashed lines."]
    return [*said, "Target of batch sharpness, in units of 2/η: 1."] if at_one else said


def preconditioned(trajectories: pd.DataFrame) -> list[str]:
    """Whether λ_H^1 is that of another H."""
    having = curve_data.preconditioned(trajectories)
    return (
        ["Of optimizers with a preconditioner, λ_H^1 is here that of the preconditioned H, λ_PH^1."] if having else []
    )


def cut(rows: pd.DataFrame, runs: pd.DataFrame, domain: list[float]) -> list[str]:
    """Which values are beyond the edges."""
    values, (low, high) = _stable(rows, runs)["value"], domain
    beyond = [f"below {low:.2g}"] if (values < low).any() else []
    beyond += [f"above {high:.2g}"] if (values > high).any() else []
    return [f"Out of view in the panels of ratios: values {' and '.join(beyond)}."] if beyond else []
