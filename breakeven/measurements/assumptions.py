"""Stage ``assumptions``: what the paper's model of the early phase assumes, measured at each snapshot of a run along e_H^1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.specs.run import run_id
from breakeven.specs.run_file import read_spec
from breakeven.spectra.alignment import Alignment, alignment
from breakeven.spectra.hessian import Batch
from breakeven.spectra.line import Line, pieces
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.spectra.parameters import as_float64, in_float64
from breakeven.spectra.per_example.gram import per_example_gram
from breakeven.spectra.quadratic import QuadraticErrors, quadratic_errors
from breakeven.store import eigenvectors
from breakeven.store.errors import UserError
from breakeven.store.notes import Note, cell
from breakeven.store.progress import within
from breakeven.store.rows import read_steps, write_rows
from breakeven.store.training_record import read_training

COLUMNS = [
    "step",
    "alignment",
    "variance_along_e_H",
    "variance_ratio",
    "gradient_along_e_H",
    "cubic",
    "displacement",
    "quadratic_error",
    "example_quadratic_error",
    "curvature_after_step",
    "note",
]


def measure_assumptions(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    batch_size: int,
    precision: str,
    covariance_batch_size: int,
    covariance_batches: int | None,
) -> None:
    """Write ``assumptions.csv``, one row per snapshot; e is e_H^1, which the hessian stage found.

    ``alignment``: |⟨e, e_K^1⟩|. ``variance_along_e_H``: eᵀ K e, and ``variance_ratio``: that over λ_K^1, with K of the mini-batches
    of the covariance stage. ``gradient_along_e_H``: |g·e|, and ``cubic``: d³L/da³ along e, in the sense in which the loss grows.
    ``displacement``: a = |⟨θ_{t+1} − θ_t, e⟩|, the length of the step along e. ``quadratic_error`` and
    ``example_quadratic_error``: how far the loss, and that of an example, at θ ± a e are from their quadratic models, see
    `breakeven.spectra.quadratic`. ``curvature_after_step``: eᵀ H(θ_{t+1}) e. ``note``: why cells are empty.

    Losses are of mini-batches of ``batch_size``, the hessian stage's. A row costs about twelve gradients of the measured
    examples: one for K, one for the slopes of its mini-batches, five for the derivatives at θ_t, three for those at θ_{t+1}, two
    losses; where float32 is too coarse for the quadratic models, eight more in float64.
    """
    spec, training = read_spec(run), read_training(run)
    found = read_steps(run / "hessian.csv", ["lambda_1"], training.measured_steps)
    eigenvalues = {step: value for step, value in found}
    rows = []
    for measured in measured_snapshots(run, data, precision, device, "assumptions"):
        if not math.isfinite(eigenvalues[measured.step]):
            rows.append({"step": measured.step, "note": cell([Note.E_H_NOT_FOUND])})
            continue
        vector = eigenvectors.read(run / "eigenvectors", run_id(spec), measured.step).to(measured.inputs.device)
        k = along_k(measured, vector, covariance_batch_size, covariance_batches, batch_size, memory_mb)
        line = along_loss(measured, vector, batch_size, memory_mb)
        rows.append({"step": measured.step} | _of_k(k) | line.cells | {"note": cell([*_notes_of_k(k), *line.notes])})
    write_rows(out, COLUMNS, rows)


def along_k(
    measured: Measured, vector: Tensor, size: int, batches: int | None, at_once: int, memory_mb: float
) -> Alignment:
    """How e, ``vector``, lies to K of mini-batches of ``size``, as the covariance stage cuts them."""
    whole = [batch for batch in measured.batches(size) if len(batch[1]) == size][:batches]
    if len(whole) < 2:
        raise UserError(
            f"measurements.covariance.batch_size: {size} leaves {len(whole)} mini-batches of the "
            f"{len(measured.targets)} measured examples, and K needs at least 2: lower it, or raise measured_fraction"
        )
    inputs, targets = (torch.cat(parts) for parts in zip(*whole, strict=True))
    if size == 1:
        gram = per_example_gram(measured.model, inputs, targets, memory_mb, seed=measured.step)
        whole = list(zip(inputs.split(at_once), targets.split(at_once), strict=True))
    else:
        gram = mini_batch_gram(measured.model, whole, memory_mb)
    line = Line(measured.model, vector)
    slopes = [line.derivatives(*batch, each=1, order=1)[0][1] for batch in within(whole, "slopes", unit="mini-batch")]
    return alignment(gram, torch.cat(slopes).double().view(-1, size).mean(dim=1))


def _of_k(k: Alignment) -> dict[str, float]:
    ratio = k.variance / k.lambda_1 if k.lambda_1 > 0 else math.nan
    return {"alignment": k.cosine, "variance_along_e_H": k.variance, "variance_ratio": min(ratio, 1.0)}


def _notes_of_k(k: Alignment) -> list[Note]:
    if not math.isfinite(k.lambda_1):
        return [Note.K_NOT_FINITE]
    return [] if k.lambda_1 > 0 else [Note.K_ZERO]


@dataclass(frozen=True)
class AlongLoss:
    """What the loss does along e: cells of the table, and why some are empty."""

    cells: dict[str, float]
    notes: list[Note]


def along_loss(measured: Measured, vector: Tensor, batch_size: int, memory_mb: float) -> AlongLoss:
    """The derivatives of the loss along e, ``vector``, and how far it is from its quadratic model a step away."""
    count, batches = len(measured.targets), list(pieces(measured.model, measured.batches(batch_size), memory_mb))
    line, notes = Line(measured.model, vector), []
    try:
        values, third = _derivatives(line, batches, order=3)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # the second derivative is there, or the hessian stage would have said so
        notes.append(Note.NO_THIRD_DERIVATIVE)
        values, third = _derivatives(line, batches, order=2)[0], math.nan
    slope = float(values[1].double().mean())
    a = displacement(measured, vector)
    quadratic = _quadratic(line, batches, values, a)
    if not quadratic.resolved and values[0].dtype != torch.float64 and math.isfinite(a):
        with in_float64(measured.model):
            double = [(as_float64(inputs), as_float64(targets)) for inputs, targets in batches]
            line_in_float64 = Line(measured.model, vector.double())
            values_in_float64, _ = _derivatives(line_in_float64, double, order=2)
            quadratic = _quadratic(line_in_float64, double, values_in_float64, a)
    after = sum(
        Line(measured.model, vector, measured.snapshot.next).derivatives(*b, each=0, order=2)[1] for b in batches
    )
    cells = {
        "gradient_along_e_H": abs(slope),
        "cubic": (-third if slope < 0 else third) / count,
        "displacement": a,
        "quadratic_error": quadratic.loss,
        "example_quadratic_error": quadratic.example,
        "curvature_after_step": after / count,
    }
    return AlongLoss(cells, [*notes, *_why_missing(cells, Note.NO_THIRD_DERIVATIVE in notes)])


def _why_missing(cells: dict[str, float], no_third: bool) -> list[Note]:
    missing = {name for name, value in cells.items() if not math.isfinite(value)}
    notes = []
    if "gradient_along_e_H" in missing or ("cubic" in missing and not no_third):
        notes.append(Note.E_H_NOT_FINITE)
    if {"displacement", "curvature_after_step"} & missing:
        notes.append(Note.NEXT_CURVATURE_NOT_FINITE)
    elif {"quadratic_error", "example_quadratic_error"} & missing and not notes:
        notes.append(Note.QUADRATIC_ROUNDING)
    return notes


def _derivatives(line: Line, batches: Sequence[Batch], order: int) -> tuple[list[Tensor], float]:
    """The losses and their first two derivatives, each (n,), and the sum over examples of the derivative of ``order``."""
    in_turn = within(batches, "derivatives along the line", unit="piece")
    found = [line.derivatives(*batch, each=2, order=order) for batch in in_turn]
    return [torch.cat(values) for values in zip(*(of_each for of_each, _ in found), strict=True)], sum(
        total for _, total in found
    )


@torch.no_grad()
def _quadratic(line: Line, batches: Sequence[Batch], values: Sequence[Tensor], a: float) -> QuadraticErrors:
    if not math.isfinite(a):
        return QuadraticErrors(math.nan, math.nan, resolved=False)
    sides = [torch.cat([line.losses(sign * a, *batch) for batch in batches]) for sign in (1, -1)]
    return quadratic_errors((values[0], values[1], values[2]), (sides[0], sides[1]), a)


def displacement(measured: Measured, vector: Tensor) -> float:
    """|⟨θ_{t+1} − θ_t, e⟩|, from the weights as they were trained, in float64."""
    snapshot = measured.snapshot
    names = [name for name, parameter in measured.model.named_parameters() if parameter.requires_grad]
    step = torch.cat([(snapshot.next[name].double() - snapshot.now[name].double()).flatten() for name in names])
    return abs(float(step @ vector.cpu().double()))
