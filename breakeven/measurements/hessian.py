"""Stage ``hessian``: the largest eigenvalues and the trace of H at each snapshot of a run."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.randomness import generator
from breakeven.specs.run import run_id
from breakeven.specs.run_file import read_spec
from breakeven.spectra.curvature import reverse_mode
from breakeven.spectra.curvature_check import MeasuredNetwork
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import RitzPairs, largest_eigenpairs, norm
from breakeven.spectra.preconditioned import Preconditioned, inverse_root
from breakeven.spectra.trace import hutchinson
from breakeven.store import eigenvectors
from breakeven.store.notes import Note, cell
from breakeven.store.rows import write_rows
from breakeven.training.registry import preconditioner

TOP = 5  # the paper's approximation of Tr(H)
TRACE = ["trace_error", "trace_low", "trace_high"]  # how far off the estimate of Tr(H) may be
PRECONDITIONED = "preconditioned_"  # before the names of columns
COLD, WARM = 4, 2  # start vectors
RANDOM_PART = 2.0  # of a warm start vector, beside Ritz vectors of norm one: with 1, more of five values are missed


def measure_hessian(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    eigenvalues: int,
    tolerance: float,
    max_matvecs: int,
    trace_probes: int,
    batch_size: int,
    precision: str,
) -> None:
    """Write ``hessian.csv``, one row per snapshot, each warm-started from the eigenvectors of the one before.

    ``residual_i`` is ‖H v − θ v‖ of the i-th, ``error_i`` its estimated error; ``converged``: every error is below
    ``tolerance`` · λ_H^1. ``trace`` is the estimate of Tr(H) with the interval of 95 % from ``trace_low`` to ``trace_high``;
    ``trace_error`` is the spread of its samples as a standard error, which is too uncertain for an interval. ``trace_top_5`` is
    the paper's approximation, the sum of the largest five eigenvalues, empty where fewer were asked for.
    ``trace_over_lambda_1`` and ``trace_top_5_over_lambda_1``: Tr(H)/λ_H^1 by the one and by the other, empty where λ_H^1 is not
    above 0. The eigenvector e_H^1 of each snapshot goes into the folder ``eigenvectors`` beside ``out``, for the stability
    stage. ``note``: why cells are empty, or all 0.
    Where the optimizer has a preconditioner P, that of the step from there, ``preconditioned_lambda_i`` are the largest
    eigenvalues of P^(-1/2) H P^(-1/2) (`breakeven.spectra.preconditioned`), found and told in the same way.
    ``memory_mb``: see `Hessian`.
    """
    spec = read_spec(run)
    of_state = preconditioner(spec)
    seed = spec.seed
    vectors = out.parent / "eigenvectors"
    vectors.mkdir(parents=True, exist_ok=True)
    rows = []
    previous = previous_preconditioned = None
    for measured in measured_snapshots(run, data, precision, device, "hessian"):
        hessian = Hessian(measured.model, measured.batches(batch_size), memory_mb)
        draws = generator(seed, "lanczos", measured.step)
        start = start_vectors(previous, hessian.gradient, draws)
        noise = MeasuredNetwork(measured.model, measured.batches(batch_size), reverse_mode).noise
        pairs = largest_eigenpairs(hessian.matvec, start, eigenvalues, tolerance, max_matvecs, draws, noise)
        previous = _for_the_next(pairs)
        trace = hutchinson(
            hessian.matvec, pairs.basis, pairs.projected, trace_probes, generator(seed, "trace", measured.step)
        )
        values = pairs.values.tolist()
        top_5 = sum(values[:TOP]) if len(values) >= TOP else None
        row = (
            {"step": measured.step, "trace": trace.estimate}
            | _cells(pairs)
            | {"trace_error": trace.error, "trace_low": trace.low, "trace_high": trace.high, "trace_top_5": top_5}
            | {"trace_over_lambda_1": _over(trace.estimate, values[0])}
            | {"trace_top_5_over_lambda_1": _over(top_5, values[0])}
        )
        notes, vector, preconditioned = _notes(pairs), pairs.vectors[0].clone(), None
        del pairs  # the basis, before the next
        if of_state is not None:
            root = inverse_root(measured.model, of_state(measured.snapshot.optimizer))
            operator, draws = Preconditioned(hessian, root), generator(seed, "preconditioned", measured.step)
            start = start_vectors(previous_preconditioned, operator.gradient, draws)
            rounding = _rounding(noise, root)
            pairs = largest_eigenpairs(operator.matvec, start, eigenvalues, tolerance, max_matvecs, draws, rounding)
            previous_preconditioned = _for_the_next(pairs)
            row |= _cells(pairs, PRECONDITIONED)
            notes += _preconditioned_notes(pairs)
            preconditioned = root * pairs.vectors[0]
            del operator, pairs
        eigenvectors.write(vectors, run_id(spec), measured.step, vector, preconditioned)
        rows.append(row | {"note": cell(notes)})
        del hessian  # the graph, before that of the next snapshot
    write_rows(out, columns(eigenvalues, of_state is not None), rows)


def _rounding(noise: Callable[[Tensor], float], root: Tensor) -> Callable[[Tensor], float]:
    """How large uᵀ P^(-1/2) H P^(-1/2) u can be by rounding alone, from the same of H."""
    return lambda vector: noise(root * vector)


def _for_the_next(pairs: RitzPairs) -> Tensor | None:
    """The vectors that the next snapshot is warm-started from."""
    return torch.cat([pairs.vectors, pairs.neighbours]) if pairs.converged else None


def _cells(pairs: RitzPairs, prefix: str = "") -> dict[str, float | bool]:
    """What the eigensolver found, by column."""
    found: dict[str, float | bool] = {}
    for name, values in {"lambda": pairs.values, "residual": pairs.residuals, "error": pairs.errors}.items():
        found |= {f"{prefix}{name}_{i}": value for i, value in enumerate(values.tolist(), start=1)}
    return found | {f"{prefix}matvecs": pairs.matvecs, f"{prefix}converged": pairs.converged}


def _notes(pairs: RitzPairs) -> list[Note]:
    """What could not be computed, and why."""
    if bool(pairs.values.isnan().all()):
        return [Note.H_NOT_FINITE]
    if bool(pairs.values.isnan().any()):
        return [Note.H_FEW_PRODUCTS]
    if not bool(pairs.projected.any()):
        return [Note.H_ZERO]
    if pairs.only_rounding:
        return [Note.H_ONLY_ROUNDING]
    return [] if float(pairs.values[0]) > 0 else [Note.H_NOT_POSITIVE]


def _preconditioned_notes(pairs: RitzPairs) -> list[Note]:
    """The same of P^(-1/2) H P^(-1/2), where that says more."""
    if bool(pairs.values.isnan().all()):
        return [Note.P_NOT_FINITE]
    return [Note.P_ONLY_ROUNDING] if pairs.only_rounding else []


def _over(trace: float | None, lambda_1: float) -> float | None:
    """Tr(H)/λ_H^1; None where it says nothing of the conditioning of H, or the trace is not had."""
    return trace / lambda_1 if trace is not None and lambda_1 > 0 else None


def start_vectors(previous: Tensor | None, gradient: Tensor, draws: torch.Generator, warm: int = WARM) -> Tensor:
    """The start vectors of the eigensolver, (b, D): b = ``warm`` from the Ritz vectors of the snapshot before, else b = `COLD`.

    A cold start is random: so many vectors that all of them lack a wanted eigenvector (almost) never happens. A warm start has
    two, so that two eigenvectors that (almost) coincide, or cross, are both found; the Ritz vectors, with the two that
    follow the wanted ones, since those rise, are dealt to them in turn. Each has a random part as well, and the last one
    the direction of the gradient, which lies mostly in directions of large curvature (Gur-Ari, Roberts, Dyer, 2018) and so knows
    an eigenvector that the snapshot before did not have. `benchmarks/calibrate_eigensolver.py` says how often that misses.
    """
    count = COLD if previous is None else warm
    start = torch.randn(count, len(gradient), generator=draws).to(gradient)
    start /= start.norm(dim=1, keepdim=True)
    if previous is not None:
        start *= RANDOM_PART
        for i, vector in enumerate(previous):
            start[i % count] += vector
    start[-1] += gradient / gradient.new_tensor(norm(gradient)).clamp(min=torch.finfo(gradient.dtype).tiny)
    return start


def columns(eigenvalues: int, preconditioned: bool = False) -> list[str]:
    """The columns of ``hessian.csv``, of a run whose optimizer has a preconditioner or has none."""
    numbers = range(1, eigenvalues + 1)
    lambdas, residuals, errors = ([f"{name}_{i}" for i in numbers] for name in ("lambda", "residual", "error"))
    ratios = ["trace_over_lambda_1", "trace_top_5_over_lambda_1"]
    found = ["trace", *residuals, *errors, "matvecs", "converged", *TRACE, "trace_top_5", *ratios]
    same = [*lambdas, *residuals, *errors, "matvecs", "converged"] if preconditioned else []
    return ["step", *lambdas, *found, *(f"{PRECONDITIONED}{name}" for name in same), "note"]
