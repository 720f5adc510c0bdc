"""Stage ``assumptions``: what the paper's model of the early phase assumes, measured at each snapshot of a run along e_H^1."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.networks.batch_norm import mixes_examples
from breakeven.specs.run import run_id
from breakeven.specs.run_file import read_spec
from breakeven.spectra.alignment import Alignment, alignment
from breakeven.spectra.curvature import Way, fastest_way
from breakeven.spectra.hessian import Batch
from breakeven.spectra.line import Line, of_each, pieces
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.spectra.parameters import as_float64, in_float64, trainable
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

Examples = tuple[Tensor, Tensor, Tensor]  # ℓ_i, and its first two derivatives along e, each (n,)


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

    ``alignment``: |⟨e, e_K^1⟩|. ``variance_along_e_H``: eᵀ K e, and ``variance_ratio``: that over λ_K^1, with K of the
    mini-batches of the covariance stage. ``gradient_along_e_H``: |g·e|, and ``cubic``: d³L/da³, in the sense in which L grows.
    ``displacement``: a = |⟨θ_{t+1} − θ_t, e⟩|, the length of the step along e. ``quadratic_error`` and
    ``example_quadratic_error``: how far the loss, and that of an example, at θ ± a e are from their quadratic models, see
    `breakeven.spectra.quadratic`. ``curvature_after_step``: eᵀ H(θ_{t+1}) e. ``note``: why cells are empty.

    Losses are of mini-batches of ``batch_size``, the hessian stage's. A row costs about fifteen gradients of the measured
    examples: one for K, and more where its mini-batches are small, three for the losses of the examples and their curvatures, six
    for the third derivative, three for the curvature after the step, two losses; with batch normalization one for the slopes of
    K's mini-batches. Where float32 is too coarse for the quadratic models, four in float64 come on top.
    """
    spec, training = read_spec(run), read_training(run)
    found = read_steps(run / "hessian.csv", ["lambda_1"], training.measured_steps)
    eigenvalues = {step: value for step, value in found}
    rows = []
    way: Way | None = None
    for measured in measured_snapshots(run, data, precision, device, "assumptions"):
        if not math.isfinite(eigenvalues[measured.step]):
            rows.append({"step": measured.step, "note": cell([Note.E_H_NOT_FOUND])})
            continue
        way = way or fastest_way(measured.model, measured.inputs)
        e = eigenvectors.read(run / "eigenvectors", run_id(spec), measured.step)
        e = e.to(trainable(measured.model)[0])  # not that of the inputs, which may be words
        batches = list(pieces(measured.model, measured.batches(batch_size), memory_mb))
        examples = of_examples(measured.model, e, batches, way)
        k = along_k(measured, e, examples[1], covariance_batch_size, covariance_batches, memory_mb)
        cells, notes = along_loss(measured, e, batches, examples, way)
        rows.append({"step": measured.step} | _of_k(k) | cells | {"note": cell([*_notes_of_k(k), *notes])})
    write_rows(out, COLUMNS, rows)


def of_examples(model: nn.Module, e: Tensor, batches: Sequence[Batch], way: Way) -> Examples:
    """The losses of the examples and their first two derivatives along e, each (n,)."""
    in_turn = within(batches, "losses along the line", unit="piece")
    found = [of_each(model, e, *batch, way) for batch in in_turn]
    loss, slope, curvature = (torch.cat(parts) for parts in zip(*found, strict=True))
    return loss, slope, curvature


def along_k(
    measured: Measured, e: Tensor, slopes: Tensor, size: int, batches: int | None, memory_mb: float
) -> Alignment:
    """How e lies to K of mini-batches of ``size``, as the covariance stage cuts them; ``slopes``: of the examples, along e."""
    whole = [batch for batch in measured.batches(size) if len(batch[1]) == size][:batches]
    if len(whole) < 2:
        raise UserError(
            f"measurements.covariance.batch_size: {size} leaves {len(whole)} mini-batches of the "
            f"{len(measured.targets)} measured examples, and K needs at least 2: lower it, or raise measured_fraction"
        )
    count = size * len(whole)
    if size == 1:
        inputs, targets = measured.inputs[:count], measured.targets[:count]
        gram = per_example_gram(measured.model, inputs, targets, memory_mb, seed=measured.step)
    else:
        gram = mini_batch_gram(measured.model, whole, memory_mb)
    if size > 1 and mixes_examples(measured.model, whole[0][0]):  # each has the statistics of its own mini-batch
        line, in_turn = Line(measured.model, e), within(whole, "slopes", unit="mini-batch")
        sums = torch.tensor([line.derivative(*batch, order=1) for batch in in_turn], dtype=torch.float64)
        return alignment(gram, sums / size)
    return alignment(gram, slopes[:count].double().view(-1, size).mean(dim=1))


def _of_k(k: Alignment) -> dict[str, float]:
    ratio = k.variance / k.lambda_1 if k.lambda_1 > 0 else math.nan
    return {"alignment": k.cosine, "variance_along_e_H": k.variance, "variance_ratio": min(ratio, 1.0)}


def _notes_of_k(k: Alignment) -> list[Note]:
    if not math.isfinite(k.lambda_1):
        return [Note.K_NOT_FINITE]
    return [] if k.lambda_1 > 0 else [Note.K_ZERO]


def along_loss(
    measured: Measured, e: Tensor, batches: Sequence[Batch], examples: Examples, way: Way
) -> tuple[dict[str, float], list[Note]]:
    """Cells of the table: what the loss does along e, and how far it is from its quadratic a step away; why some are empty."""
    model, count, notes = measured.model, len(measured.targets), []
    third = math.nan
    try:
        third = _sum(Line(model, e), batches, 3) / count
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # the second derivative is there, or the hessian stage would have said so
        notes.append(Note.NO_THIRD_DERIVATIVE)
    slope, a = float(examples[1].double().mean()), displacement(measured, e)
    quadratic = _quadratic(Line(model, e), batches, examples, a)
    if not quadratic.resolved and e.dtype != torch.float64 and math.isfinite(a):
        with in_float64(model):
            double = [(as_float64(inputs), as_float64(targets)) for inputs, targets in batches]
            e_64 = e.double()
            quadratic = _quadratic(Line(model, e_64), double, of_examples(model, e_64, double, way), a)
    cells = {
        "gradient_along_e_H": abs(slope),
        "cubic": -third if slope < 0 else third,
        "displacement": a,
        "quadratic_error": quadratic.loss,
        "example_quadratic_error": quadratic.example,
        "curvature_after_step": _sum(Line(model, e, measured.snapshot.next), batches, 2) / count,
    }
    return cells, [*notes, *_why_missing(cells, Note.NO_THIRD_DERIVATIVE in notes)]


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


def _sum(line: Line, batches: Sequence[Batch], order: int) -> float:
    in_turn = within(batches, "derivatives along the line", unit="piece")
    return sum(line.derivative(*batch, order) for batch in in_turn)


@torch.no_grad()
def _quadratic(line: Line, batches: Sequence[Batch], examples: Examples, a: float) -> QuadraticErrors:
    if not math.isfinite(a):
        return QuadraticErrors(math.nan, math.nan, resolved=False)
    sides = [torch.cat([line.losses(sign * a, *batch) for batch in batches]) for sign in (1, -1)]
    return quadratic_errors(examples, (sides[0], sides[1]), a)


def displacement(measured: Measured, e: Tensor) -> float:
    """|⟨θ_{t+1} − θ_t, e⟩|, from the weights as they were trained, in float64."""
    snapshot = measured.snapshot
    names = [name for name, parameter in measured.model.named_parameters() if parameter.requires_grad]
    step = torch.cat([(snapshot.next[name].double() - snapshot.now[name].double()).flatten() for name in names])
    return abs(float(step @ e.cpu().double()))
