"""λ_H^1 of each block of parameters along training."""

from dataclasses import replace

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.figures.labels import compared
from breakeven.specs.study import Study

CAPTION = (
    "The largest eigenvalue of the Hessian of the training loss with respect to one block of parameters, the others held: how "
    "sharp the loss is for each layer alone. λ_H^1 of the whole network is at least the largest of them. A config asks for it by "
    "measurements: hessian: blocks."
)
ORDER = 65
ON_REQUEST = True
NEEDS_MEASUREMENT = "blocks"
QUANTITY = "lambda_H_1_of_block"
MOST = len(common.NOMINAL)  # blocks that colours can tell apart


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """A colour for each block, of the `MOST` with the largest values, and a panel for each point of the sweep."""
    rows = trajectories[trajectories["quantity"].str.startswith(f"{QUANTITY}[")]
    rows = rows.assign(block=rows["quantity"].str.slice(len(QUANTITY) + 1, -1), quantity=QUANTITY)
    largest = rows.groupby("block")["value"].max().sort_values(ascending=False)
    shown = list(largest.index[:MOST])
    rows = rows[rows["block"].isin(shown)]
    of_blocks = replace(study, swept=("block", *compared(study)))
    each = pd.DataFrame({"block": shown or ["none"]})
    title = "Spectral norm of the Hessian with respect to each block of parameters"
    figure = curves.trajectory(
        rows.assign(run=rows["run"] + " " + rows["block"]), _of_each(runs, each), of_blocks, QUANTITY, title
    )
    if len(largest) > MOST:
        figure.title.subtitle.append(f"The {MOST} of {len(largest)} blocks with the largest values.")
    return figure


def _of_each(runs: pd.DataFrame, blocks: pd.DataFrame) -> pd.DataFrame:
    """A row for each run and block."""
    found = runs.merge(blocks, how="cross")
    return found.assign(run=found["run"] + " " + found["block"])
