"""Loss and accuracy, on the training and on the test set, along training."""

import pandas as pd
from altair.typing import ChartType

from breakeven.figures import common, curves
from breakeven.figures.curves import Look
from breakeven.figures.labels import QUANTITIES
from breakeven.specs.study import Study

CAPTION = "Loss and accuracy on the training and on the test set along training."
ORDER = 10
LOSSES = ("train_loss", "test_loss")
ACCURACIES = ("train_accuracy", "test_accuracy")


def chart(trajectories: pd.DataFrame, runs: pd.DataFrame, study: Study) -> ChartType:
    """Draw the losses above the accuracies, training beside test, each pair on one y axis."""
    losses = pd.concat([common.select(trajectories, quantity, log=True) for quantity in LOSSES])
    domain = None if losses.empty else common.span(losses, runs, log=True)

    def view(quantity: str, look: Look) -> ChartType:
        words = QUANTITIES[quantity].words
        axis = f"{words} (log scale)" if look.log else words
        return curves.curves(trajectories, runs, study, quantity, axis, look)

    views = [view(quantity, Look(domain=domain, width=290, height=200)) for quantity in LOSSES]
    views += [view(quantity, Look(log=False, domain=[0.0, 1.0], width=290, height=200)) for quantity in ACCURACIES]
    return common.finish(common.grid(views), "Loss and accuracy", study, curves.notes(runs, study))
