"""Loss and accuracy, on the training and on the test set, along training."""

from typing import Any

import pandas as pd

from breakeven.figures import common, curves

SPLITS = {"train": "training", "test": "test"}  # in the tables, in words


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: dict[str, Any]) -> Any:
    """Draw the losses above the accuracies, training beside test, each pair on one y axis."""
    losses = pd.concat([common.select(trajectories, f"{split}_loss", log=True) for split in SPLITS])
    domain = None if losses.empty else common.span(losses, runs, log=True)

    def view(quantity: str, axis: str, log: bool, domain: list[float] | None) -> Any:
        return curves.curves(trajectories, runs, study, quantity, axis, log=log, domain=domain, width=290, height=200)

    views = [view(f"{split}_loss", f"{words} loss (log scale)", True, domain) for split, words in SPLITS.items()]
    views += [view(f"{split}_accuracy", f"{words} accuracy", False, [0.0, 1.0]) for split, words in SPLITS.items()]
    return common.finish(common.grid(views), "Loss and accuracy", study, curves.notes(runs, study))
