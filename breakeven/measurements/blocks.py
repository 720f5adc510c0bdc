"""Stage ``blocks``: the largest eigenvalue of each block of H at each snapshot of a run; only where a config asks for it."""

from pathlib import Path

import torch
from torch import Tensor

from breakeven.measurements.hessian import start_vectors
from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.randomness import generator
from breakeven.specs.run_file import read_spec
from breakeven.spectra.blocks import blocks_of, part, restricted
from breakeven.spectra.hessian import Hessian
from breakeven.spectra.lanczos import RitzPairs, Rounding, largest_eigenpairs
from breakeven.store.notes import Note, cell
from breakeven.store.progress import within
from breakeven.store.rows import read_steps, write_rows
from breakeven.store.training_record import read_training

ROUNDING_UNITS = 1000  # of λ_H^1, which rounding may leave in a block that has no curvature
COLUMNS = ["step", "block", "parameters", "lambda_1", "residual", "error", "matvecs", "converged", "note"]


def measure_blocks(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    blocks: str,
    tolerance: float,
    max_matvecs: int,
    batch_size: int,
    precision: str,
) -> None:
    """Write ``blocks.csv``, a row for each block of parameters and snapshot, warm-started from the snapshot before.

    ``blocks``: what a block is, see `blocks_of`; ``parameters``: how many numbers it has. ``lambda_1``: the largest eigenvalue of
    the block of H, by the solver, to the ``tolerance`` and with the checks of the hessian stage. A product costs as much as one
    with all of H, from the same graph. ``note``: why a value is empty, or nothing, as that of a bias before batch normalization.
    """
    seed, rows = read_spec(run).seed, []
    found = read_steps(run / "hessian.csv", ["lambda_1"], read_training(run).measured_steps)
    of_all = {step: value for step, value in found}  # λ_H^1
    previous: dict[str, Tensor] = {}
    for measured in measured_snapshots(run, data, precision, device, "blocks"):
        hessian = Hessian(measured.model, measured.batches(batch_size), memory_mb)
        gradient = hessian.gradient
        rounding = ROUNDING_UNITS * torch.finfo(gradient.dtype).eps * abs(of_all[measured.step])
        of_network = list(blocks_of(measured.model, blocks).items())
        for index, (name, block) in enumerate(within(of_network, "blocks", unit="block")):
            draws = generator(seed, "blocks", measured.step, index)
            start = start_vectors(previous.get(name), part(gradient, block), draws)
            matvec = restricted(hessian.matvec, block, gradient)
            pairs = largest_eigenpairs(matvec, start, 1, tolerance, max_matvecs, draws, _at_most(rounding))
            if pairs.converged:
                previous[name] = torch.cat([pairs.vectors, pairs.neighbours])
            else:
                previous.pop(name, None)
            rows.append({"step": measured.step, "block": name, "parameters": start.shape[1]} | _cells(pairs))
        del hessian  # its graph, before that of the next snapshot
    write_rows(out, COLUMNS, rows)


def _at_most(size: float) -> Rounding:
    return lambda _: size


def _cells(pairs: RitzPairs) -> dict[str, object]:
    numbers = {"lambda_1": pairs.values, "residual": pairs.residuals, "error": pairs.errors}
    found: dict[str, object] = {name: float(values[0]) for name, values in numbers.items()}
    return found | {"matvecs": pairs.matvecs, "converged": pairs.converged, "note": cell(_notes(pairs))}


def _notes(pairs: RitzPairs) -> list[Note]:
    """Why there is no value, or it is 0."""
    if bool(pairs.values.isnan().any()):
        return [Note.H_NOT_FINITE]
    if not bool(pairs.projected.any()):
        return [Note.H_ZERO]
    return [Note.H_ONLY_ROUNDING] if pairs.only_rounding else []
