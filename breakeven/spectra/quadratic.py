"""Is the loss quadratic along e_H^1, as the paper assumes of that of each example? It is compared with its quadratic there.

With ℓ_i(a) = ℓ_i(θ + a·e) and the length a of a step along e, the relative error of the quadratic model of example i is

    |ℓ_i(±a) − ℓ_i(0) ∓ a ℓ_i'(0) − a² ℓ_i''(0) / 2|  /  |a² ℓ_i''(0) / 2|,

0 where it is quadratic, 1 where the error is as large as the term itself. Kinks of ReLU count, which no derivative sees.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# a quadratic term below so many units of rounding says nothing; above, its error is known to a hundredth
RESOLVED = 100
MOST = 0.9  # of the examples, which must be resolved for a median over them that says something of all


@dataclass(frozen=True)
class QuadraticErrors:
    """Relative errors of quadratic models, NaN where only rounding is left.

    ``loss``: of the mean loss, the mean of both sides ±a. ``example``: the median over the examples, and both sides, whose
    quadratic term is above rounding, if at least half of them are. ``resolved``: `MOST` of them are, and that of the mean loss.
    """

    loss: float
    example: float
    resolved: bool


def quadratic_errors(
    derivatives: tuple[Tensor, Tensor, Tensor], sides: tuple[Tensor, Tensor], a: float
) -> QuadraticErrors:
    """From the losses of the examples with their first two derivatives along e, each (n,), and their losses at +a and −a."""
    rounding = RESOLVED * torch.finfo(derivatives[0].dtype).eps
    loss, slope, curvature = (values.double() for values in derivatives)
    term = a**2 / 2 * curvature
    off = torch.stack(
        [side.double() - loss - sign * a * slope - term for side, sign in zip(sides, (1, -1), strict=True)]
    )
    known = term.abs() > rounding * (1 + loss.abs())
    ratios = (off / term).abs()[:, known].flatten()
    enough = len(ratios) >= len(known) and not bool(ratios.isnan().any())
    of_mean = abs(float(term.mean()))
    mean_known = of_mean > rounding * (1 + abs(float(loss.mean())))
    return QuadraticErrors(
        float(off.mean(dim=1).abs().mean()) / of_mean if mean_known else math.nan,
        float(ratios.quantile(0.5)) if enough else math.nan,
        mean_known and float(known.double().mean()) >= MOST,
    )
