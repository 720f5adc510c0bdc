"""Stage ``density``: the density of all eigenvalues of H at each snapshot of a run; only where a config asks for it."""

from pathlib import Path

import torch

from breakeven.measurements.measured import measured_snapshots
from breakeven.specs.randomness import generator
from breakeven.specs.run_file import read_spec
from breakeven.spectra.curvature import reverse_mode
from breakeven.spectra.curvature_check import MeasuredNetwork
from breakeven.spectra.density import quadrature
from breakeven.spectra.hessian import Hessian
from breakeven.store.notes import Note, cell
from breakeven.store.rows import write_rows


def measure_density(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    probes: int,
    steps: int,
    batch_size: int,
    precision: str,
) -> None:
    """Write ``density.csv``: step, eigenvalue, weight, note; the weights of a step add up to one. See `quadrature`.

    ``note``: why the other cells of the step are empty.
    """
    seed, rows = read_spec(run).seed, []
    for measured in measured_snapshots(run, data, precision, device, "density"):
        hessian = Hessian(measured.model, measured.batches(batch_size), memory_mb)
        draws = generator(seed, "density", measured.step)
        network = MeasuredNetwork(measured.model, measured.batches(batch_size), reverse_mode)
        nodes, weights = quadrature(hessian.matvec, hessian.gradient, probes, steps, draws, network.noise)
        note = cell([Note.H_NOT_FINITE] if bool(nodes.isnan().any()) else [])
        order = nodes.flatten().argsort(stable=True)
        pairs = zip(nodes.flatten()[order].tolist(), weights.flatten()[order].tolist(), strict=True)
        rows += [{"step": measured.step, "eigenvalue": node, "weight": weight, "note": note} for node, weight in pairs]
        del hessian  # its graph, before that of the next snapshot
    write_rows(out, ["step", "eigenvalue", "weight", "note"], rows)
