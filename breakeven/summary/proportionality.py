"""Is λ_K^1 = α λ_H^1 early on, as the paper assumes? The α of a run, and how far its measured steps are from one."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

FEWEST = 4  # steps, for a spread and a slope


@dataclass(frozen=True)
class Proportionality:
    """Over the measured steps up to the break-even point at which both eigenvalues are positive; None where there are too few.

    ``alpha``: the geometric mean of λ_K^1/λ_H^1. ``spread``: the factor by which that ratio strays from it, exp of the standard
    deviation of its logarithm; 1 if the two are proportional. ``slope``: of log λ_K^1 over log λ_H^1, least squares; 1 likewise.
    """

    alpha: float | None = None
    spread: float | None = None
    slope: float | None = None


def proportionality(covariance: pd.DataFrame, hessian: pd.DataFrame, until: int | None) -> Proportionality:
    """Of a run's tables up to step ``until``; where that is None nobody knows which steps are early."""
    if until is None:
        return Proportionality()
    both = covariance[["step", "lambda_1"]].merge(hessian[["step", "lambda_1"]], on="step", suffixes=("_K", "_H"))
    both = both[(both["step"] <= until) & (both["lambda_1_K"] > 0) & (both["lambda_1_H"] > 0)]
    if both.empty:
        return Proportionality()
    k, h = (np.log(both[f"lambda_1_{matrix}"].to_numpy(float)) for matrix in "KH")
    alpha = math.exp((k - h).mean())
    if len(both) < FEWEST:
        return Proportionality(alpha)
    centred = h - h.mean()
    squares = float(centred @ centred)
    return Proportionality(alpha, math.exp((k - h).std(ddof=1)), float(centred @ k) / squares if squares > 0 else None)
