"""Stage ``stability``: Eq. 1 along e_H^1, and the paper's proxies for it, at each snapshot of a run."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven.measurements.measured import Measured, measured_snapshots
from breakeven.specs.run import RunSpec, run_id
from breakeven.specs.run_file import read_spec
from breakeven.spectra.curvature import per_example_curvature, rounding
from breakeven.spectra.equation_1 import TOO_LARGE, alpha_star, inapplicable, left_hand_side
from breakeven.spectra.hessian import product
from breakeven.store import eigenvectors
from breakeven.store.errors import UserError
from breakeven.store.progress import within
from breakeven.store.tables import read_table, write_table
from breakeven.store.training_record import read_training

COLUMNS = ["step", "lambda_1", "curvature_variance", "stability_lhs", "two_over_lr", "alpha_star", "delta_loss", "note"]

# Of the root mean square of the curvatures. Rounding leaves 1e-6 of it in float32 and 1e-15 in float64; what PyTorch gets
# wrong along random directions by 5 to 80 % can be as little as 2e-5 along e_H^1.
MISMATCH = {torch.float32: 1e-4, torch.float64: 1e-9}
# What float32 may do to λ_H^1 where batch normalization divides by almost nothing; more is another matter.
ROUNDING = 0.01
MOST_LOSSES = 50  # that `alpha_star` needs, about
# What rounding leaves of the mean curvature, however small it is, in the units of `rounding`; less than one was seen.
UNITS = 16


def measure_stability(run: Path, data: Path, out: Path, device: torch.device, batch_size: int, precision: str) -> None:
    """Write ``stability.csv``, one row per snapshot.

    ``lambda_1``: λ_H^1 as the hessian stage found it. ``curvature_variance``: s², the variance of the curvatures of the
    measured examples along e_H^1, divided by their number. ``stability_lhs``: the left-hand side of Eq. 1 with the
    learning rate of that step; where it is empty, ``note`` begins with the reason. ``note`` also says where float32 is too
    coarse for λ_H^1, and why losses are missing. ``two_over_lr``: 2/η.
    ``alpha_star``: see `breakeven.spectra.equation_1`; empty where the loss never grows so much. ``delta_loss``:
    L(θ_{t+1}) − L(θ_t). Losses and curvatures are of the measured examples in mini-batches of ``batch_size``, which must
    be the hessian stage's. That the mean curvature is λ_H^1 is checked at each snapshot.
    """
    spec = read_spec(run)
    training = read_training(run)
    rates = {entry.step: entry.learning_rate for entry in training.snapshots}
    eigenvalues = _eigenvalues(run)
    rows = []
    for measured in measured_snapshots(run, data, precision, device, "stability"):
        found = eigenvalues.get(measured.step)
        if found is None:
            raise UserError(f"'{run / 'hessian.csv'}' has no step {measured.step}: delete it, and measure H again")
        eta = rates[measured.step]
        variance, notes = math.nan, ["e_H^1 was not found"]
        if math.isfinite(found):
            vector = eigenvectors.read(run / "eigenvectors", run_id(spec), measured.step)
            curvatures, remark = checked_curvatures(measured, vector.to(device), found, batch_size)
            variance = float(curvatures.var(correction=0))
            notes = [_inapplicable(spec), remark]
        if found == 0 and variance == 0:
            notes.insert(0, "there is no curvature along e_H^1")
        lhs = math.nan
        if math.isfinite(variance) and not notes[0]:
            lhs = left_hand_side(eta, spec.batch_size, training.train_examples, found, variance)
        if math.isinf(lhs):
            lhs, notes = math.nan, [TOO_LARGE, *notes]
        now, after, stretched = losses_along_the_step(measured, batch_size)
        rows.append(
            {
                "step": measured.step,
                "lambda_1": found,
                "curvature_variance": variance,
                "stability_lhs": lhs,
                "two_over_lr": 2 / eta,
                "alpha_star": stretched,
                "delta_loss": after - now,
                "note": "; ".join(filter(None, [*notes, missing_loss(now, after)])),
            }
        )
    write_table(out, pd.DataFrame(rows, columns=COLUMNS))


def _inapplicable(spec: RunSpec) -> str:
    return inapplicable(spec.momentum, spec.weight_decay)


def missing_loss(now: float, after: float) -> str:
    """Why α*, and then why ΔL, are empty, where it is not for a lack of growth."""
    if not math.isfinite(now):
        return "the loss is not finite"
    reasons = ["the loss is 0 and has no α*"] if now == 0 else []
    reasons += [] if math.isfinite(after) else ["the loss is not finite after the next SGD step"]
    return "; ".join(reasons)


def _eigenvalues(run: Path) -> dict[int, float]:
    """λ_H^1 by step, as the hessian stage wrote it."""
    table = read_table(run / "hessian.csv")
    return dict(zip(table["step"].tolist(), table["lambda_1"].tolist(), strict=True))


def curvatures_along(measured: Measured, direction: Tensor, batch_size: int) -> Tensor:
    """The curvature of each measured example along ``direction`` (D,), a float64 vector."""
    batches = within(measured.batches(batch_size), "curvatures", unit="mini-batch")
    return torch.cat([per_example_curvature(measured.model, direction, *batch) for batch in batches]).to(torch.float64)


def checked_curvatures(measured: Measured, vector: Tensor, found: float, batch_size: int) -> tuple[Tensor, str]:
    """The curvatures along e_H^1, ``vector``, after the comparison of their mean with e·He, ``found``; and a remark on rounding.

    Where they differ in float32, both are computed again in float64, to tell rounding from a wrong derivative, which raises.
    NaN, and why, where the loss explodes, or where the network is so certain that only rounding is left.
    """
    dtype = next(measured.model.parameters()).dtype
    curvatures = curvatures_along(measured, vector.to(dtype), batch_size)
    if agree(curvatures, found, MISMATCH[dtype]):
        return curvatures, ""
    double, exact = measured, found
    if dtype != torch.float64:
        double, vector = in_float64(measured), vector.double()
        curvatures = curvatures_along(double, vector, batch_size)
        exact = float(vector @ product(double.model, double.batches(batch_size), vector))
    problem = lost(double, vector, curvatures, exact, batch_size)
    if problem:
        return torch.full_like(curvatures, math.nan), problem
    if dtype == torch.float64:
        return curvatures, ""
    coarse = f"float32 is too coarse: lambda_1 is {exact:.6g} in float64" if exact != found else ""
    if agree(curvatures, found, ROUNDING):
        return curvatures, coarse
    single = vector.to(dtype)
    again = float(single @ product(measured.model, measured.batches(batch_size), single))
    if abs(again - found) > ROUNDING * abs(found) + noise(
        measured, single, batch_size
    ):  # what the hessian stage measured was something else
        raise mismatch(curvatures, found, measured.step)
    return torch.full_like(curvatures, math.nan), f"{coarse} (set measurements.hessian.precision to float64)"


def in_float64(measured: Measured) -> Measured:
    """The same snapshot in double precision."""
    inputs = measured.inputs.double() if measured.inputs.is_floating_point() else measured.inputs
    targets = measured.targets.double() if measured.targets.is_floating_point() else measured.targets
    return replace(measured, model=deepcopy(measured.model).double(), inputs=inputs, targets=targets)


def lost(measured: Measured, vector: Tensor, curvatures: Tensor, expected: float, batch_size: int) -> str:
    """Why the curvatures, in float64, can't be had; empty where they can; raises where they are wrong."""
    if not math.isfinite(expected) or not bool(curvatures.square().sum().isfinite()):
        return "the curvatures along e_H^1, or their squares, are not finite"
    if agree(curvatures, expected, MISMATCH[torch.float64]):
        return ""
    left = noise(measured, vector, batch_size)
    if abs(float(curvatures.mean()) - expected) > left:
        raise mismatch(curvatures, expected, measured.step)
    return "lambda_1 is 0 up to rounding" if abs(expected) <= left else ""


def noise(measured: Measured, vector: Tensor, batch_size: int) -> float:
    """How large a mean curvature can be by rounding alone, in the precision of the network."""
    units = torch.cat([rounding(measured.model, vector, *batch) for batch in measured.batches(batch_size)])
    return UNITS * torch.finfo(units.dtype).eps * float(units.mean())


def agree(curvatures: Tensor, expected: float, tolerance: float) -> bool:
    """Whether the mean of the curvatures is ``expected``, to ``tolerance`` of their root mean square."""
    mean, scale = float(curvatures.mean()), float(curvatures.square().mean().sqrt())
    return math.isfinite(scale) and abs(mean - expected) <= tolerance * max(scale, abs(expected))


def mismatch(curvatures: Tensor, expected: float, step: int) -> UserError:
    """The mean of the curvatures (forward mode) is not e·He, which is λ_H^1 (reverse mode)."""
    return UserError(
        f"step {step}: the mean curvature of the examples along e_H^1 is {float(curvatures.mean()):.6g}, but e·He is "
        f"{expected:.6g}, and they must be equal: a derivative of this network is wrong, or hessian.csv and its "
        "eigenvectors are not of these snapshots; write the network with layers whose forward-mode derivatives are right "
        "(breakeven/networks), delete hessian.csv to measure H again, or set measurements.hessian.precision to float64"
    )


@torch.no_grad()
def losses_along_the_step(measured: Measured, batch_size: int) -> tuple[float, float, float]:
    """L(θ_t), L(θ_{t+1}) and α* on the measured examples, with the loss of the mini-batches as H has it."""
    model, batches = measured.model, measured.batches(batch_size)
    now = {name: parameter.detach() for name, parameter in model.named_parameters()}
    step = {name: measured.snapshot.next[name].to(weight) - weight for name, weight in now.items()}

    def loss(alpha: float) -> float:
        # not 0 times a step that may be infinite
        weights = {name: weight + alpha * step[name] for name, weight in now.items()} if alpha else now
        sums = [cross_entropy(functional_call(model, weights, (x,)), y, reduction="sum") for x, y in batches]
        return float(torch.stack(sums).to(torch.float64).sum()) / len(measured.targets)

    at_zero = loss(0.0)
    return at_zero, loss(1.0), alpha_star(_counted(loss), at_zero)


def _counted(loss: Callable[[float], float]) -> Callable[[float], float]:
    """``loss``, which says how often it was called, where that takes long."""
    calls = within(range(MOST_LOSSES), "losses along the step, at most", unit="loss")

    def counted(alpha: float) -> float:
        next(calls, None)
        return loss(alpha)

    return counted
