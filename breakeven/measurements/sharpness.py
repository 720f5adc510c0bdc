"""Stage ``sharpness``: curvatures of mini-batches along their own gradients, at each snapshot; only if a config asks for it."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch

from breakeven.data.dataset import Dataset, load
from breakeven.data.targets import training_targets
from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.networks.batch_norm import mixes_examples
from breakeven.specs.randomness import generator
from breakeven.specs.run import RunSpec
from breakeven.specs.run_file import read_spec
from breakeven.spectra.batch_sharpness import Draws, draw_until, is_precise, mean, plateaus, squared_gradient
from breakeven.spectra.hessian import Batch
from breakeven.store.errors import UserError
from breakeven.store.notes import Note, cell, notes_of
from breakeven.store.progress import within
from breakeven.store.rows import write_rows
from breakeven.training.mini_batches import MiniBatches
from breakeven.training.registry import condition

COLUMNS = [
    "step",
    "batch_sharpness",
    "batch_sharpness_error",
    "batch_lambda_1",
    "gradient_noise_interaction",
    "draws",
    "batch_lambda_1_error",
    "gradient_noise_interaction_error",
    "lower_plateau",
    "upper_plateau",
    "note",
]
AT_ONCE = 256  # examples of which the gradient of the whole loss is made
ALL = 0  # the number of the order in which all examples go through the network; mini-batches are numbered from 1


def measure_sharpness(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    max_draws: int,
    tolerance: float,
    eigenvalue_draws: int,
    precision: str,
) -> None:
    """Write ``sharpness.csv``, one row per snapshot: see `breakeven.spectra.batch_sharpness`.

    ``batch_sharpness``: the mean over ``draws`` mini-batches, drawn until ``batch_sharpness_error``, its standard error, is
    ``tolerance`` of it, at most ``max_draws``. ``gradient_noise_interaction``: of the whole training loss; its error leaves out
    that of ‖g‖². ``batch_lambda_1``: the largest eigenvalue of a mini-batch's Hessian, mean over ``eigenvalue_draws`` of them.
    ``lower_plateau``, ``upper_plateau``: where batch sharpness is reported to settle, empty where η is 0, see `plateaus`.
    Errors are 0 where a mini-batch is the whole training set, and empty of a single other one. ``note``: why other cells are
    empty, or doubtful. ``memory_mb``: see `Hessian`.

    Mini-batches have the run's size and augmentation, and are drawn from its training set without replacement inside of each; the
    loss is the one that training minimises. Batch normalization takes the statistics of the mini-batch, dropout is off. ‖g‖ takes
    one pass over the training set, N / S gradients of a mini-batch: exact, but for what augmentation or batch statistics of that
    pass leave.
    """
    if max_draws < 1:
        raise UserError("max_draws: 0 draws no mini-batch; allowed: at least 1")
    spec = read_spec(run)
    given: Path | Dataset = data  # as in `measured_snapshots`
    dataset = given if isinstance(given, Dataset) else load(given, device, spec.dataset)
    drawing = Drawing(dataset, spec)
    known, rows = condition(spec), []
    for measured in measured_snapshots(run, dataset, precision, device, "sharpness"):
        most = 1 if drawing.is_whole else max_draws
        found = draw_until(
            measured.model,
            lambda number, measured=measured: drawing.mini_batch(measured, number),  # type: ignore[misc]
            tolerance,
            most,
            eigenvalue_draws,
            memory_mb,
            lambda number, step=measured.step: generator(spec.seed, "lanczos", step, number),  # type: ignore[misc]
        )
        squared = math.nan
        if found.finite and not drawing.is_whole:
            squared = squared_gradient(measured.model, drawing.everything(measured))
        cells = row(found, squared, tolerance, drawing.is_whole)
        lower, upper = plateaus(measured.learning_rate, known) if known else (math.nan, math.nan)
        if known is None or known.preconditioned:
            cells["note"] = cell([*notes_of(cells["note"]), Note.NO_PLATEAU])
        rows.append({"step": measured.step} | cells | {"lower_plateau": lower, "upper_plateau": upper})
    write_rows(out, COLUMNS, rows)


def row(found: Draws, squared: float, tolerance: float, is_whole: bool) -> dict[str, object]:
    """The cells of a snapshot from what was ``found``, and from ‖g‖²; ``is_whole``: the one mini-batch is all examples."""
    along, largest, between = mean(found.along), mean(found.largest), mean(found.between)
    error, interaction, of_interaction = along.error, math.nan, math.nan
    if squared > 0:
        interaction, of_interaction = between.value / squared, between.error / squared
    if is_whole:
        interaction = along.value
        error = of_interaction = 0.0 if found.along else math.nan
    notes = []
    if not found.finite:
        notes.append(Note.SHARPNESS_NOT_FINITE)
    elif not is_whole and not is_precise(found.along, tolerance):
        notes.append(Note.SHARPNESS_FEW_DRAWS)
    if found.zero:
        notes.append(Note.SHARPNESS_ZERO_GRADIENT)
    if squared == 0:
        notes.append(Note.INTERACTION_ZERO_GRADIENT)
    if found.unconverged:
        notes.append(Note.BATCH_LAMBDA_1_UNCONVERGED)
    return {
        "batch_sharpness": along.value,
        "batch_sharpness_error": error,
        "batch_lambda_1": largest.value,
        "gradient_noise_interaction": interaction,
        "draws": found.count,
        "batch_lambda_1_error": 0.0 if is_whole and found.largest else largest.error,
        "gradient_noise_interaction_error": of_interaction,
        "note": cell(notes),
    }


class Drawing:
    """Mini-batches of the training set of a run, as training draws them, with numbers of their own for each snapshot."""

    def __init__(self, dataset: Dataset, spec: RunSpec) -> None:
        self._mini_batches, self._spec = MiniBatches(dataset, spec), spec

    @property
    def is_whole(self) -> bool:
        """Whether each mini-batch is the whole training set, so that one says everything."""
        return self._mini_batches.size == self._mini_batches.examples and self._mini_batches.augmentation is None

    def mini_batch(self, measured: Measured, number: int) -> Batch:
        """A mini-batch with this number, an independent draw."""
        return next(self._drawn(measured, number, self._mini_batches.size))

    def everything(self, measured: Measured) -> Iterator[Batch]:
        """All examples in a random order, in mini-batches of the run's size where that makes a difference."""
        size = self._mini_batches.size
        first = self.mini_batch(measured, ALL)[0]
        at_once = size if mixes_examples(measured.model, first) else max(size, AT_ONCE)
        count = math.ceil(self._mini_batches.examples / at_once)
        yield from within(self._drawn(measured, ALL, at_once), "the whole gradient", unit="mini-batch", total=count)

    def _drawn(self, measured: Measured, number: int, size: int) -> Iterator[Batch]:
        """The mini-batches of a random order, one after the other."""
        mini_batches, dataset = self._mini_batches, self._mini_batches.dataset
        dtype = next(measured.model.parameters()).dtype
        draws = generator(self._spec.seed, "sharpness", measured.step, number)
        order = torch.randperm(mini_batches.examples, generator=draws).to(dataset.train_labels.device)
        for examples in order.split(size):
            augmentation = mini_batches.augmentation
            of_augmentation = None if augmentation is None else augmentation.draw(len(examples), draws)
            raw, labels = mini_batches.gather(examples, of_augmentation)
            targets = training_targets(labels, dataset.classes, self._spec.label_smoothing, dtype)
            yield dataset.inputs(raw, dtype), targets
