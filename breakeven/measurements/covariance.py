"""Stage ``covariance``: the spectrum of K at each snapshot of a run."""

import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.networks.batch_norm import BatchNorm2d
from breakeven.spectra.coarseness import relative_rounding
from breakeven.spectra.gram_spectrum import TOP, CovarianceSpectrum, spectrum
from breakeven.spectra.mini_batch_gram import mini_batch_gram
from breakeven.spectra.per_example.gram import per_example_gram
from breakeven.store.errors import UserError
from breakeven.store.notes import Note, cell
from breakeven.store.rows import write_rows

FEW = 4  # examples of a mini-batch whose statistics may be degenerate
ASKED, COARSE = 3, 1e-3  # how many of the largest gradients are asked, and what is too much rounding in one of them
LAMBDAS = [f"lambda_{i}" for i in range(1, TOP + 1)]
RATIOS = ["lambda_star_over_lambda_1", "trace_over_lambda_1", "g_over_g5"]
COLUMNS = ["step", *LAMBDAS, "lambda_star", "trace", *RATIOS, "gamma_norm", "note"]


def measure_covariance(
    run: Path,
    data: Path,
    out: Path,
    device: torch.device,
    memory_mb: float,
    *,
    batch_size: int,
    batches: int | None,
    precision: str,
) -> None:
    """Write ``covariance.csv``, one row per snapshot; the cost of a row is its L gradients, if ``memory_mb`` holds them.

    The measured examples are cut into L mini-batches of M = ``batch_size``, a remainder left out; ``batches`` limits L.
    M = 1 is K of single examples, which takes much less memory and time than one backward pass for each. Beside K stands
    ``gamma_norm``, which explains its scale: see `gamma_norm`. ``note``: why cells are empty, or doubtful.
    """
    rows = []
    for measured in measured_snapshots(run, data, precision, device, "covariance"):
        whole = [batch for batch in measured.batches(batch_size) if len(batch[1]) == batch_size][:batches]
        if len(whole) < 2:
            raise UserError(
                f"measurements.covariance.batch_size: {batch_size} leaves {len(whole)} mini-batches of the "
                f"{len(measured.targets)} measured examples, and K needs at least 2: lower it, or raise measured_fraction"
            )
        gram = _gram(measured, whole, memory_mb)
        k = spectrum(gram)
        values = k.eigenvalues.tolist()
        largest = values[0]
        rows.append(
            {"step": measured.step}
            | dict(zip(LAMBDAS, values, strict=False))
            | {
                "lambda_star": k.lambda_star,
                "trace": k.trace,
                "lambda_star_over_lambda_1": k.lambda_star / largest if largest > 0 else None,
                "trace_over_lambda_1": k.trace / largest if largest > 0 else None,
                "g_over_g5": k.g_over_g5,
                "gamma_norm": gamma_norm(measured.model),
                "note": cell(_notes(k, len(whole), _is_coarse(measured, whole, gram))),
            }
        )
    write_rows(out, COLUMNS, rows)


def _notes(k: CovarianceSpectrum, batches: int, coarse: bool) -> Iterator[Note]:
    """Why cells are empty or doubtful: what could not be computed, then what K does not have."""
    largest = float(k.eigenvalues[0])
    if not math.isfinite(largest):
        yield Note.K_NOT_FINITE
    elif not largest > 0:
        yield Note.K_ZERO
    elif not math.isfinite(k.g_over_g5):
        yield Note.K_NO_TOP_PART
    if coarse:
        yield Note.K_COARSE
    if batches <= TOP:
        yield Note.K_FEW_BATCHES


def _is_coarse(measured: Measured, batches: list[tuple[Tensor, Tensor]], gram: Tensor) -> bool:
    """Whether λ_K^1 is off by some thousandths, or more, in the precision of the measurement.

    The largest gradients are asked, which weigh the most: λ_K^1 was off by about twice as much as they, on networks with batch
    normalization of two numbers. Mini-batches of more than `FEW` examples are not: what they divide by is not almost nothing.
    """
    if len(batches[0][1]) > FEW or not bool(gram.isfinite().all()):
        return False
    largest = gram.diagonal().topk(min(ASKED, len(batches))).indices.tolist()
    return relative_rounding(measured.model, [batches[index] for index in largest]) > COARSE


def _gram(measured: Measured, batches: list[tuple[Tensor, Tensor]], memory_mb: float) -> Tensor:
    """The inner products of the gradients of the mini-batches, the first of the measured examples."""
    count = len(batches)
    if len(batches[0][1]) == 1:
        inputs, targets = measured.inputs[:count], measured.targets[:count]
        return per_example_gram(measured.model, inputs, targets, memory_mb, seed=measured.step)
    return mini_batch_gram(measured.model, batches, memory_mb)


def gamma_norm(model: nn.Module) -> float | None:
    """‖γ‖, the 2-norm of the scale of the last batch normalization in the order of the modules (Figure 5); None without one."""
    scales = [module.weight for module in model.modules() if isinstance(module, BatchNorm2d)]
    return float(scales[-1].detach().norm()) if scales else None
