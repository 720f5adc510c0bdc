"""Stage ``stability``: Eq. 1 along e_H^1, and the paper's proxies for it, at each snapshot of a run."""

import json
import math
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from breakeven import eigenvectors
from breakeven.config.run_spec import RunSpec, run_id
from breakeven.config.schedule import learning_rate_at
from breakeven.device import DTYPES
from breakeven.errors import UserError
from breakeven.files import whole_file
from breakeven.measurement import Measured, measured_snapshots, read_spec
from breakeven.spectra.curvature import per_example_curvature
from breakeven.stability import alpha_star, inapplicable, left_hand_side

COLUMNS = ["step", "lambda_1", "curvature_variance", "stability_lhs", "two_over_lr", "alpha_star", "delta_loss", "note"]

# Of the root mean square of the curvatures. Rounding leaves 1e-6 of it in float32 and 1e-15 in float64; what PyTorch gets
# wrong along random directions by 5 to 80 % can be as little as 2e-5 along e_H^1.
MISMATCH = {torch.float32: 1e-4, torch.float64: 1e-9}


def measure_stability(run: Path, data: Path, out: Path, device: torch.device, batch_size: int, precision: str) -> None:
    """Write ``stability.csv``, one row per snapshot.

    ``lambda_1``: λ_H^1 as the hessian stage found it. ``curvature_variance``: s², the variance of the curvatures of the
    measured examples along e_H^1, divided by their number. ``stability_lhs``: the left-hand side of Eq. 1 with the
    learning rate of that step; empty, with a reason in ``note``, where Eq. 1 is not the condition. ``two_over_lr``: 2/η.
    ``alpha_star``: see `breakeven.stability`; empty where the loss never grows so much. ``delta_loss``:
    L(θ_{t+1}) − L(θ_t). Losses and curvatures are of the measured examples in mini-batches of ``batch_size``, which must
    be the hessian stage's. That the mean curvature is λ_H^1 is checked at each snapshot.
    """
    spec = read_spec(run)
    training = json.loads((run / "training.json").read_text(encoding="utf-8"))
    eigenvalues = _eigenvalues(run)
    rows = []
    for measured in measured_snapshots(run, data, precision, device, "stability"):
        found = eigenvalues.get(measured.step)
        if found is None:
            raise UserError(f"'{run / 'hessian.csv'}' has no step {measured.step}: delete it, and measure H again")
        eta = learning_rate_at(training["learning_rates"], measured.step)
        variance, note = math.nan, "e_H^1 was not found"
        if math.isfinite(found):
            vector = eigenvectors.read(run / "eigenvectors", run_id(spec), measured.step)
            curvatures = curvatures_along(measured, vector.to(device, DTYPES[precision]), batch_size)
            check(curvatures, found, measured.step, MISMATCH[DTYPES[precision]])
            variance, note = float(curvatures.var(correction=0)), _inapplicable(spec)
        lhs = left_hand_side(eta, spec.batch_size, training["train_examples"], found, variance)
        now, after, stretched = losses_along_the_step(measured, batch_size)
        rows.append(
            {
                "step": measured.step,
                "lambda_1": found,
                "curvature_variance": variance,
                "stability_lhs": math.nan if note else lhs,
                "two_over_lr": 2 / eta,
                "alpha_star": stretched,
                "delta_loss": after - now,
                "note": note,
            }
        )
    with whole_file(out) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False)


def _inapplicable(spec: RunSpec) -> str:
    return inapplicable(spec.momentum, spec.weight_decay)


def _eigenvalues(run: Path) -> dict[int, float]:
    """λ_H^1 by step, as the hessian stage wrote it."""
    try:
        table = pd.read_csv(run / "hessian.csv", usecols=["step", "lambda_1"])
    except (OSError, ValueError) as error:
        raise UserError(f"'{run / 'hessian.csv'}' is missing or damaged ({error}): delete it") from error
    return dict(zip(table["step"].tolist(), table["lambda_1"].tolist(), strict=True))


def curvatures_along(measured: Measured, direction: Tensor, batch_size: int) -> Tensor:
    """The curvature of each measured example along ``direction`` (D,), a float64 vector."""
    batches = measured.batches(batch_size)
    return torch.cat([per_example_curvature(measured.model, direction, *batch) for batch in batches]).to(torch.float64)


def check(curvatures: Tensor, expected: float, step: int, tolerance: float) -> None:
    """Compare the mean of the curvatures (forward mode) with e·He, which is λ_H^1 (reverse mode); raise if they differ."""
    mean, scale = float(curvatures.mean()), float(curvatures.square().mean().sqrt())
    if not abs(mean - expected) <= tolerance * max(scale, abs(expected)):
        raise UserError(
            f"step {step}: the mean curvature of the examples along e_H^1 is {mean:.6g}, but e·He is {expected:.6g}, "
            "and they must be equal: a derivative of this network is wrong, or hessian.csv and its eigenvectors are not "
            "of these snapshots; write the network with layers whose forward-mode derivatives are right "
            "(breakeven/networks), or delete hessian.csv to measure H again"
        )


@torch.no_grad()
def losses_along_the_step(measured: Measured, batch_size: int) -> tuple[float, float, float]:
    """L(θ_t), L(θ_{t+1}) and α* on the measured examples, with the loss of the mini-batches as H has it."""
    model, batches = measured.model, measured.batches(batch_size)
    now = {name: parameter.detach() for name, parameter in model.named_parameters()}
    step = {name: measured.snapshot.next[name].to(weight) - weight for name, weight in now.items()}

    def loss(alpha: float) -> float:
        weights = {name: weight + alpha * step[name] for name, weight in now.items()}
        sums = [cross_entropy(functional_call(model, weights, (x,)), y, reduction="sum") for x, y in batches]
        return float(torch.stack(sums).to(torch.float64).sum()) / len(measured.targets)

    at_zero = loss(0.0)
    return at_zero, loss(1.0), alpha_star(loss, at_zero)
