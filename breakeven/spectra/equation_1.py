"""Is SGD stable along the direction of largest curvature? Equation 1 of the paper, beyond plain SGD, and its two proxies.

Along e_H^1 the loss of example i is quadratic with curvature H_i; their mean is λ = λ_H^1 and their variance s². SGD with
learning rate η and batch size S, drawn without replacement from N examples, is stable in mean square if and only if

    (1 − η λ)² + s² · η² ν ≤ 1,   ν = (N − S) / (S (N − 1))          (paper, Eq. 1; Wu, Ma, E, NeurIPS 2018)

With momentum or weight decay a step is (x, v) ← A_B (x, v), with the curvature of the mini-batch B (`breakeven.specs.condition`
defines it, with β, a, w, δ). Let A be the mean of A_B over mini-batches, t its trace, d its determinant, and c = η (a λ + w).
Curvature meets x alone: A_B = A + n_B b (1, 0), with n_B of mean 0 and variance τ = (η a)² s² ν, and

    heavy ball:  t = δ + β − c,           d = β δ,        b = (−1, −1)
    Nesterov:    t = δ + β − (1 + β) c,   d = β (δ − c),  b = (−(1 + β), −1)

One unit of noise leaves g_k = (1, 0) A^k b in x, k steps later, whose generating function is (b₁ z + b₀) / (z² − t z + d), with
b₁ = −1, b₀ = 0 (heavy ball) or b₁ = −(1 + β), b₀ = β (Nesterov). Noise is independent from step to step, so that E x² is what A
leaves of the start, plus τ Σ_k g_k² E x² of k steps before: a renewal equation. The second moments don't grow if and only if A is
stable and τ Σ g_k² ≤ 1. A is stable where 1 − t + d and 1 + t + d are above 0, and d below 1; then

    Σ g_k² = R / ((1 + d)² − t²),   R = ((b₁² + b₀²) (1 + d) + 2 b₁ b₀ t) / (1 − d),

the variance of an ARMA(2, 1) process. With (1 + d)² − t² = (1 − t + d) (1 + t + d), both conditions in one are

    left-hand side = t² − d (2 + d) + τ R = 1 − (1 − t + d) (1 + t + d) + τ R ≤ 1

For heavy ball with δ = 1 that is 1 − 2 (1 + β) c + c² + τ (1 + β) / (1 − β), and Eq. 1 itself with β = w = 0. Without noise:
c ≤ 2 (1 + β), or λ ≤ 2 (1 + β) / η; where noise dominates: s² ν / λ ≤ 2 (1 − β) / η.
The quantities here are plain numbers; λ and s² have the units of 1/η and its square.
"""

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from breakeven.specs.condition import PLAIN, Condition

GROWTH = 1.2  # the paper's α*: the step is stretched until the loss has grown by 20 %
# where α* is looked for
GROWING = [2.0**n for n in range(-2, 13)]  # 1/4 to 4096
SHRINKING = [4.0**-n for n in range(1, 76)]  # 1/4 to 2⁻¹⁵⁰, which times a number of order one is 0 in float32
PRECISION = 4e-3  # of α*, relative to it


class _Step(NamedTuple):
    """A step on the mean curvature: t, d; 1 − t + d and 1 + t + d, without cancellation; R, all as above."""

    trace: float
    determinant: float
    at_plus_1: float
    at_minus_1: float
    response: float


def left_hand_side(
    learning_rate: float,
    batch_size: int,
    examples: int,
    curvature: float,
    variance: float,
    condition: Condition = PLAIN,
) -> float:
    """The left-hand side of Eq. 1, from η, S, N, λ and s²; the optimizer is stable where it is at most 1.

    It is below 1 where λ is positive and so small that 1 is the nearest number; infinite where no number is large enough.
    """
    step = _step(learning_rate, curvature, condition)
    # A alone makes it grow, for reasons that the sum below does not see: absurd settings, momentum on a negative curvature
    if math.isinf(step.trace) or step.response < 0 or step.determinant >= 1 or max(step.at_plus_1, step.at_minus_1) < 0:
        return math.inf
    scale, nu = condition.scale, noise(batch_size, examples)
    try:
        fed = variance * (learning_rate * scale) ** 2 * nu * step.response
        side = step.trace**2 - step.determinant * (2 + step.determinant) + fed
    except OverflowError:  # of a power; products are infinite
        return math.inf
    # what 1 stands for, per η, which may be as small as numbers are
    pulled = scale * curvature + condition.weight_decay + condition.decoupled_decay * (1 - condition.momentum)
    above = variance * learning_rate * nu * scale**2 * step.response - pulled * step.at_minus_1
    return math.nextafter(1.0, 0.0) if side == 1 and above < 0 else side


def noise(batch_size: int, examples: int) -> float:
    """ν = (N − S) / (S (N − 1)): the variance of the mean of S of N values, drawn without replacement, is this times theirs."""
    return (examples - batch_size) / (batch_size * (examples - 1)) if examples > 1 else 0.0


def full_batch_threshold(learning_rate: float, condition: Condition = PLAIN) -> float:
    """The λ above which the optimizer is unstable on all examples at once: 2/η for gradient descent.

    2 (1 + β) / η − w with momentum, 2 (1 + β) / ((1 + 2β) η) − w with Nesterov's, (2 + 2β₁) / ((1 − β₁) η) for Adam. NaN where
    η is 0.
    """
    eta, beta = learning_rate, condition.momentum
    if not eta:
        return math.nan
    stays = 1 - eta * condition.decoupled_decay
    largest = (1 + stays) * (1 + beta) / (1 + 2 * beta if condition.nesterov else 1)
    return (largest / eta - condition.weight_decay) / condition.scale


def break_even_curvature(
    learning_rate: float,
    batch_size: int,
    examples: int,
    curvature: float,
    variance: float,
    condition: Condition = PLAIN,
) -> float:
    """The λ at which the left-hand side of Eq. 1 reaches 1, where λ and s grow in proportion, as measured: r = s/λ.

    Then Eq. 1 is 1 − 2ηλ + η²λ² (1 + r²ν) ≤ 1, which is λ ≤ 2 / (η (1 + r²ν)). With momentum it is
    λ ≤ 2 (1 + β) / (η (1 + r²ν (1 + β) / (1 − β))); with weight decay or Nesterov's momentum it is found as a root, the only one.
    Full batch, or no variance: `full_batch_threshold`. Where the left-hand side is exactly 1, it is λ itself. NaN where λ is not
    positive, or none is small enough.
    """
    if not (curvature > 0 and learning_rate > 0):
        return math.nan
    try:
        excess = variance / curvature**2 * noise(batch_size, examples)
    except (OverflowError, ZeroDivisionError):  # of the square
        excess = variance * noise(batch_size, examples) / curvature / curvature
    beta, decays = condition.momentum, condition.weight_decay or condition.decoupled_decay
    if not decays and not condition.nesterov:
        return 2 * (1 + beta) / (learning_rate * condition.scale * (1 + excess * (1 + beta) / (1 - beta)))
    return _root(learning_rate, excess, condition)


def _root(learning_rate: float, excess: float, condition: Condition) -> float:
    """The λ at which the left-hand side is 1, where the variance of a mini-batch's curvature is ``excess`` λ²."""
    from scipy.optimize import brentq  # takes longer to import than most tables to read

    def above(curvature: float) -> float:
        step = _step(learning_rate, curvature, condition)
        fed = excess * (learning_rate * condition.scale * curvature) ** 2 * step.response
        return fed - step.at_plus_1 * step.at_minus_1

    largest = full_batch_threshold(learning_rate, condition)
    if not 0 < largest < math.inf or above(largest) <= 0:
        return largest if largest > 0 else math.nan
    low = largest / 16
    while low and not above(low) < 0:
        low /= 16
    return float(brentq(above, low, 16 * low, xtol=1e-13 * low, rtol=1e-13)) if low * 1e-13 else math.nan


def _step(learning_rate: float, curvature: float, condition: Condition) -> _Step:
    """The step of the optimizer on the curvature λ."""
    beta, lost = condition.momentum, learning_rate * condition.decoupled_decay
    c = learning_rate * (condition.scale * curvature + condition.weight_decay)
    stays, at_plus_1 = 1 - lost, lost * (1 - beta) + c
    if not condition.nesterov:
        t, d = stays + beta - c, beta * stays
        return _Step(t, d, at_plus_1, (1 + stays) * (1 + beta) - c, _response(-1, 0, t, d))
    t, d = stays + beta - (1 + beta) * c, beta * (stays - c)
    return _Step(t, d, at_plus_1, (1 + stays) * (1 + beta) - (1 + 2 * beta) * c, _response(-(1 + beta), beta, t, d))


def _response(b_1: float, b_0: float, t: float, d: float) -> float:
    """R: the sum of squares of what (b₁ z + b₀) / (z² − t z + d) makes of one unit of noise, times (1 + d)² − t²."""
    return ((b_1**2 + b_0**2) * (1 + d) + 2 * b_1 * b_0 * t) / (1 - d) if d < 1 else math.inf


def alpha_star(loss: Callable[[float], float], at_zero: float) -> float:
    """α*, the smallest α with loss(α) ≥ 1.2 · loss(0), where loss(α) = L(θ_t − α (θ_t − θ_{t+1})) (paper, section 3).

    α is doubled from 1/4 until the loss is there, then the crossing between the last two is found to a relative precision of
    4e-3 or better. Where 1/4 is too much already, as with a learning rate that makes the loss explode, it shrinks by factors of
    4 while a quarter of it is, too. An excursion above the bound that is narrower than the factor between two tries may be
    missed. A loss that is not finite counts as above. NaN where even α = 4096 is not enough, where no α down to 2⁻¹⁵⁰ is small
    enough, as of a step that is not finite, or where the loss at zero is not positive.
    """
    bound = GROWTH * at_zero
    if not (math.isfinite(bound) and at_zero > 0):
        return math.nan

    @cache
    def excess(alpha: float) -> float:
        value = loss(alpha) - bound
        return value if math.isfinite(value) else bound

    if excess(GROWING[0]) < 0:
        tries = itertools.pairwise(GROWING)
        bracket = next(((below, above) for below, above in tries if excess(above) >= 0), None)
    else:
        tries = itertools.pairwise(SHRINKING)
        bracket = next(((below, above) for above, below in tries if excess(below) < 0), None)
    return math.nan if bracket is None else _crossing(excess, *bracket)


def _crossing(excess: Callable[[float], float], below: float, above: float) -> float:
    """Where ``excess`` crosses 0 between ``below`` and ``above``, to the relative `PRECISION`.

    The interval is halved until a straight line through its ends will do, which takes three values or so where the curve is
    smooth: one that is b off its chord in the middle is b/4 off the chords of the halves, and at most 2b where it has a kink or
    jumps. A middle that is on the chord by chance says nothing of the halves, so that the one before counts, too.
    """
    low, high = excess(below), excess(above)
    last = bend = math.inf
    while above - below > PRECISION * below and 2 * max(bend, last / 4) * (above - below) > PRECISION * below * (
        high - low
    ):
        middle = (below + above) / 2
        value = excess(middle)
        last, bend = bend, abs(value - (low + high) / 2)
        if value < 0:
            below, low = middle, value
        else:
            above, high = middle, value
    return below + (above - below) * low / (low - high)
