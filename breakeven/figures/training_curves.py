"""Loss and accuracy, on the training, the test and, where there is one, the validation set, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.figures.curves import Look
from breakeven.figures.labels import QUANTITIES
from breakeven.specs.study import Study

CAPTION = "Loss and accuracy on the training and on the test set along training, and on the validation set where there is one."
ORDER = 10
SPLITS = ("train", "test", "validation")


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the losses above the accuracies, training beside test beside validation, each row on one y axis.

    Runs that predict numbers have no accuracies.
    """
    there = set(trajectories["quantity"])
    splits = SPLITS if "validation_loss" in there else SPLITS[:2]
    losses = pd.concat([common.select(trajectories, f"{split}_loss", log=True) for split in splits])
    domain = None if losses.empty else common.span(losses, runs, log=True)

    def view(quantity: str, look: Look) -> ChartType:
        words = QUANTITIES[quantity].words
        axis = f"{words} (log scale)" if look.log else words
        return curves.curves(trajectories, runs, study, quantity, axis, look)

    views = [view(f"{split}_loss", Look(domain=domain, width=290, height=200)) for split in splits]
    if "train_loss" in there and "train_accuracy" not in there:
        return common.finish(common.grid(views, len(splits)), "Loss", study, curves.notes(runs, study))
    views += [view(f"{split}_accuracy", Look(log=False, domain=[0.0, 1.0], width=290, height=200)) for split in splits]
    return common.finish(common.grid(views, len(splits)), "Loss and accuracy", study, curves.notes(runs, study))
