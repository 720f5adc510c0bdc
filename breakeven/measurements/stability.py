"""Stage ``stability``: Eq. 1 along e_H^1, and the paper's proxies for it, at each snapshot of a run."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.networks.loss import summed_loss
from breakeven.networks.memory_format import colours_last
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.run_file import read_spec
from breakeven.spectra.curvature import Way, fastest_way
from breakeven.spectra.curvature_check import MeasuredNetwork, Verdict, checked_curvatures
from breakeven.spectra.equation_1 import alpha_star, break_even_curvature, full_batch_threshold, left_hand_side
from breakeven.store import eigenvectors
from breakeven.store.errors import MeasurementError
from breakeven.store.notes import Note, cell
from breakeven.store.progress import within
from breakeven.store.rows import read_steps, write_rows
from breakeven.store.training_record import read_training
from breakeven.training.registry import condition, preconditioner

COLUMNS = [
    "step",
    "learning_rate",
    "lambda_1",
    "curvature_variance",
    "stability_lhs",
    "two_over_lr",
    "alpha_star",
    "delta_loss",
    "threshold",
    "break_even_curvature",
    "note",
]
NOTES = {
    Verdict.COARSE: Note.COARSE,
    Verdict.TOO_COARSE: Note.TOO_COARSE,
    Verdict.NOT_FINITE: Note.CURVATURES_NOT_FINITE,
    Verdict.ONLY_ROUNDING: Note.ONLY_ROUNDING,
}
MOST_LOSSES = 30  # that `alpha_star` needs, about


def measure_stability(
    run: Path, data: Path, out: Path, device: torch.device, *, batch_size: int, precision: str
) -> None:
    """Write ``stability.csv``, one row per snapshot.

    ``learning_rate``: η of the SGD step from there. ``lambda_1``: λ_H^1 as the hessian stage found it. ``curvature_variance``:
    s², the variance of the curvatures of the measured examples along e_H^1, divided by their number. Where the optimizer has a
    preconditioner P, ``lambda_1`` is the largest eigenvalue of P^(-1/2) H P^(-1/2) instead, and the curvatures are those along
    P^(-1/2) u, with its eigenvector u, ‖u‖ = 1; P is taken as frozen, as is usual. ``stability_lhs``: the
    left-hand side of Eq. 1, by the condition of the run's optimizer; infinite where no number is large enough, empty where a
    ``note`` on ``lhs`` says why. ``two_over_lr``: 2/η, empty where η is 0. ``alpha_star``: see `breakeven.spectra.equation_1`;
    empty where the loss never grows so much. ``threshold``: the λ_H^1 above which the optimizer is unstable on all examples at
    once; ``break_even_curvature``: on mini-batches, with s in proportion to λ_H^1 as it is here. Empty where η is 0, or no
    condition is known.
    ``delta_loss``: L(θ_{t+1}) − L(θ_t). Losses and curvatures are of the measured examples in mini-batches of ``batch_size``,
    which must be the hessian stage's. That the mean curvature is λ_H^1 is checked at each snapshot.
    """
    spec, training = read_spec(run), read_training(run)
    preconditioned = preconditioner(spec) is not None
    which = eigenvectors.PRECONDITIONED if preconditioned else eigenvectors.FIRST
    # λ_H^1 by step, or the preconditioned, as the hessian stage wrote it
    column = "preconditioned_lambda_1" if preconditioned else "lambda_1"
    found = read_steps(run / "hessian.csv", [column], training.measured_steps)
    eigenvalues = {step: value for step, value in found}
    rows = []
    way: Way | None = None
    for measured in measured_snapshots(run, data, precision, device, "stability"):
        way = way or fastest_way(measured.model, measured.inputs)
        eta, lambda_1 = measured.learning_rate, eigenvalues[measured.step]
        vector = None
        if math.isfinite(lambda_1):
            vector = eigenvectors.read(run / "eigenvectors", run_id(spec), measured.step, which).to(device)
        eq_1 = equation_1(measured, spec, training.train_examples, lambda_1, vector, batch_size, way)
        now, after, stretched = losses_along_the_step(measured, spec.network, batch_size)
        rows.append(
            {
                "step": measured.step,
                "learning_rate": eta,
                "lambda_1": lambda_1,
                "curvature_variance": eq_1.variance,
                "stability_lhs": eq_1.side,
                "two_over_lr": 2 / eta if eta else None,
                "alpha_star": stretched,
                "delta_loss": after - now,
                "threshold": eq_1.threshold,
                "break_even_curvature": eq_1.crossing,
                "note": cell([*eq_1.notes, *why_losses_are_missing(now, after)]),
            }
        )
    write_rows(out, COLUMNS, rows, infinite=["stability_lhs"])


class Equation1(NamedTuple):
    """Eq. 1 at a step: s², its left-hand side, the λ_H^1 where that is 1, the full-batch threshold; why some are missing."""

    variance: float
    side: float | None
    crossing: float | None
    threshold: float | None
    notes: list[Note]


def equation_1(
    measured: Measured,
    spec: RunSpec,
    examples: int,
    lambda_1: float,
    vector: Tensor | None,
    batch_size: int,
    way: Way,
) -> Equation1:
    """Eq. 1 of the run's optimizer, which trains on so many ``examples``, along ``vector``; None where none was found.

    That is e_H^1 with λ_H^1 = ``lambda_1``; or, with a preconditioner P, P^(-1/2) u with the eigenvalue of P^(-1/2) H P^(-1/2).
    """
    known = condition(spec)
    variance, squared_norm, notes = math.nan, math.nan, [Note.NO_EIGENVECTOR]
    if vector is not None:
        squared_norm = float(vector.double().square().sum())
        variance, notes = curvature_variance(measured, vector, lambda_1, batch_size, way)
    if lambda_1 == 0 and variance == 0:
        notes.append(Note.NO_CURVATURE)
    if known is None:
        return Equation1(variance, None, None, None, [*notes, Note.NO_CONDITION])
    along = known.along(squared_norm)
    threshold = full_batch_threshold(measured.learning_rate, along)
    if not math.isfinite(variance) or any(note.subject == "lhs" for note in notes):
        return Equation1(variance, None, None, threshold, notes)
    of_step = (measured.learning_rate, spec.batch_size, examples, lambda_1, variance, along)
    return Equation1(variance, left_hand_side(*of_step), break_even_curvature(*of_step), threshold, notes)


def curvature_variance(
    measured: Measured, vector: Tensor, lambda_1: float, batch_size: int, way: Way
) -> tuple[float, list[Note]]:
    """s² along e_H^1, ``vector``, after the check of the mean curvature; NaN, and why, where it can't be had.

    It has fewer right digits than λ_H^1. With an eigenvector that is off by the angle φ, towards w, λ_H^1 is off by the order
    of φ², but s² by 4 φ Cov_i(eᵀH_i e, eᵀH_i w), of the order of φ, where φ² ≤ tolerance · λ_1 / (λ_1 − λ_2). With the
    tolerance of 1e-3, s² was off by 0.3 % (median; 5.5 % at most) at 26 snapshots of digits; with 1e-4 by 0.1 % (0.9 %), for
    one product more; with 1e-5 by 0.03 % (0.4 %), for two.
    """
    network = MeasuredNetwork(measured.model, measured.batches(batch_size), way)
    try:
        curvatures, verdict = checked_curvatures(network, vector, lambda_1)
    except MeasurementError as error:
        raise MeasurementError(f"step {measured.step}: {error}") from error
    return float(curvatures.var(correction=0)), [NOTES[verdict]] if verdict in NOTES else []


def why_losses_are_missing(now: float, after: float) -> Iterator[Note]:
    """Why α* or ΔL are empty, where it is not for a lack of growth."""
    if not math.isfinite(now):
        yield Note.LOSS_NOT_FINITE
        return
    if now == 0:
        yield Note.LOSS_ZERO
    if not math.isfinite(after):
        yield Note.NEXT_LOSS_NOT_FINITE


@torch.no_grad()
def losses_along_the_step(measured: Measured, network: str, batch_size: int) -> tuple[float, float, float]:
    """L(θ_t), L(θ_{t+1}) and α* on the measured examples, with the loss of the mini-batches as H has it."""
    model = measured.model
    batches = [(colours_last(x, network), y) for x, y in measured.batches(batch_size)]
    now = {name: parameter.detach() for name, parameter in model.named_parameters()}
    step = {name: measured.snapshot.next[name].to(weight) - weight for name, weight in now.items()}

    def loss(alpha: float) -> float:
        # not 0 times a step that may be infinite
        weights = {name: weight + alpha * step[name] for name, weight in now.items()} if alpha else now
        sums = [summed_loss(model, functional_call(model, weights, (x,)), y) for x, y in batches]
        return float(torch.stack(sums).to(torch.float64).sum()) / len(measured.targets)

    along = cache(_counted(loss))  # α = 1 is among those that are tried for α*
    return along(0.0), along(1.0), alpha_star(along, along(0.0))


def _counted(loss: Callable[[float], float]) -> Callable[[float], float]:
    """``loss``, which says how often it was called, where that takes long."""
    calls = within(range(MOST_LOSSES), "losses along the step, at most", unit="loss")

    def counted(alpha: float) -> float:
        next(calls, None)
        return loss(alpha)

    return counted
