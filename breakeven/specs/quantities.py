"""What the tables hold, each thing named once: its symbol, its words, where it comes from.

A *quantity* is measured along a run and is a value of the column ``quantity`` in ``trajectories.csv``; those of a measurement
stand in its row of `breakeven.specs.measurements`. A *column* is a number of a whole run, in ``runs.csv``. The stage summarise,
the claims, the axes of figures, the headings of the report and the documentation take their names from here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A quantity along a run.

    ``column`` of the run's ``table`` (a file ``TABLE.csv``, for ``history`` the rows of one ``split``) holds it. ``words`` are
    those of an axis, ``unit`` is empty for a pure number. ``maximum``: the column of ``runs.csv`` with its largest value along
    the run, empty where a value could not be computed; ``empty_with``: where there is none, another that is empty then.
    ``numbered``: one quantity for each of the columns ``lambda_1``, ``lambda_2`` …, whose names end in that number, and
    this row is of the first. ``optional``: runs that don't have it lack the column. ``by``: one quantity for each value of this
    column, whose names end in it, in brackets; the table has several rows for a step.
    """

    name: str
    symbol: str
    words: str
    table: str
    column: str
    unit: str = ""
    split: str = ""
    maximum: str = ""
    empty_with: str = ""
    numbered: bool = False
    optional: bool = False
    by: str = ""


@dataclass(frozen=True)
class Column:
    """A column of ``runs.csv``: its ``symbol`` in claims and headings, what it is in ``words``, how the report writes it.

    ``form``: the format of its numbers in the report's table of runs; empty where that table leaves it out.
    """

    name: str
    symbol: str
    words: str
    form: str = ""
    unit: str = ""


HISTORY = (
    Quantity("train_loss", "training loss", "training loss", "history", "loss", "nat", split="train"),
    Quantity("train_accuracy", "training accuracy", "training accuracy", "history", "accuracy", split="train"),
    Quantity("test_loss", "test loss", "test loss", "history", "loss", "nat", split="test"),
    Quantity("test_accuracy", "test accuracy", "test accuracy", "history", "accuracy", split="test"),
    # no rows without a validation set
    Quantity("validation_loss", "validation loss", "validation loss", "history", "loss", "nat", split="validation"),
    Quantity(
        "validation_accuracy", "validation accuracy", "validation accuracy", "history", "accuracy", split="validation"
    ),
    # of the SGD step from there, in the rows of each split
    # not called as the hyperparameter, which is a column of the long table: it could not be made wide
    Quantity("step_learning_rate", "η", "learning rate of the step", "history", "learning_rate", split="train"),
)

# In the order of the report's table of runs; that of the file itself is in `breakeven.summary.summarise`.
COLUMNS = (
    Column("diverged", "diverged", "whether the loss or a weight was not finite"),
    Column("max_lambda_K", "max λ_K^1", "largest λ_K^1 along the run", ".4g"),
    Column("step_of_max_lambda_K", "step of max λ_K^1", "measured step of the largest λ_K^1", unit="step"),
    Column("max_lambda_H", "max λ_H^1", "largest λ_H^1 at the snapshots", ".4g"),
    Column("step_of_max_lambda_H", "step of max λ_H^1", "measured step of the largest λ_H^1", unit="step"),
    Column("max_trace_K", "max Tr(K)", "largest Tr(K) along the run"),
    Column("max_trace_H", "max Tr(H)", "largest Tr(H) along the run"),
    Column("max_trace_over_lambda_1", "max Tr(K)/λ_K^1", "largest Tr(K)/λ_K^1 along the run", ".4g"),
    Column("max_lambda_star_over_lambda_1", "max λ_K^*/λ_K^1", "largest λ_K^*/λ_K^1 along the run", ".3g"),
    Column(
        "break_even_after_step",
        "stable until step",
        "last step before break-even that is known to be stable",
        ".0f",
        "step",
    ),
    Column("break_even_step", "break-even step", "first step known at which Eq. 1 says unstable", ".0f", "step"),
    Column("break_even_epoch", "break-even epoch", "epoch of the break-even point", unit="epoch"),
    Column("break_even_lambda_H", "λ_H^1 at break-even", "λ_H^1 at the break-even point", ".4g"),
    Column("predicted_lambda_H", "λ_H^1 by Eq. 1", "λ_H^1 at which Eq. 1 puts the break-even point", ".4g"),
    Column("first_peak_step", "first peak of λ_H^1", "step at which λ_H^1 stops growing", unit="step"),
    Column("first_switch_step", "first switch", "step at which the learning rate switches first", unit="step"),
    Column("threshold_epoch", "first epoch past the threshold", "first epoch past the threshold", ".3g", "epoch"),
    Column("final_train_accuracy", "final training accuracy", "training accuracy at the end", ".1%"),
    Column("final_test_accuracy", "final test accuracy", "test accuracy at the end", ".1%"),
    Column(
        "final_validation_accuracy",
        "final validation accuracy",
        "validation accuracy at the end; no column where no run has a validation set",
    ),
    Column(
        "lambda_K_over_lambda_H", "α", "λ_K^1/λ_H^1 until break-even, geometric mean over the measured steps", ".3g"
    ),
    Column("lambda_K_over_lambda_H_spread", "spread of α", "factor by which λ_K^1/λ_H^1 strays until break-even"),
    Column("lambda_K_lambda_H_slope", "slope of log λ_K^1", "slope of log λ_K^1 over log λ_H^1 until break-even"),
    Column("unconverged_snapshots", "unconverged", "measured steps at which H, or preconditioned H, did not converge"),
    Column(
        "measured_break_even_step",
        "first unstable snapshot",
        "first snapshot at which Eq. 1 says unstable",
        unit="step",
    ),
    Column(
        "stable_again_step",
        "stable again",
        "step after break-even, up to the first unstable snapshot, at which Eq. 1 says stable again",
        unit="step",
    ),
)


@dataclass(frozen=True)
class Hyperparameter:
    """How a hyperparameter is called in figures and claims, where its name in the config is not enough."""

    name: str
    symbol: str
    words: str


HYPERPARAMETERS = (
    Hyperparameter("learning_rate", "η", "learning rate"),
    Hyperparameter("batch_size", "S", "batch size"),
)
