"""Is SGD stable along the direction of largest curvature? Equation 1 of the paper, and its two proxies.

Along e_H^1 the loss of example i is quadratic with curvature H_i; their mean is λ = λ_H^1 and their variance s². SGD with
learning rate η and batch size S, drawn without replacement from N examples, is stable in mean square if and only if

    (1 − η λ)² + s² · η² (N − S) / (S (N − 1)) ≤ 1          (paper, Eq. 1; Wu, Ma, E, NeurIPS 2018)

It holds for plain SGD: with momentum or weight decay the condition is another one, see `holds_for`. The quantities here are
plain numbers; λ and s² have the units of 1/η and its square.
"""

import itertools
import math
from collections.abc import Callable
from functools import cache

GROWTH = 1.2  # the paper's α*: the step is stretched until the loss has grown by 20 %
# where α* is looked for
GROWING = [2.0**n for n in range(-2, 13)]  # 1/4 to 4096
SHRINKING = [4.0**-n for n in range(1, 76)]  # 1/4 to 2⁻¹⁵⁰, which times a number of order one is 0 in float32
PRECISION = 4e-3  # of α*, relative to it


def left_hand_side(learning_rate: float, batch_size: int, examples: int, curvature: float, variance: float) -> float:
    """The left-hand side of Eq. 1, from η, S, N, λ and s²; SGD is stable where it is at most 1.

    It is below 1 where λ is positive and so small that 1 is the nearest number; infinite where no number is large enough.
    """
    try:
        side = (1 - learning_rate * curvature) ** 2 + variance * learning_rate**2 * noise(batch_size, examples)
    except OverflowError:  # of a power; products are infinite
        return math.inf
    above = curvature * (learning_rate * curvature - 2) + variance * learning_rate * noise(batch_size, examples)
    return math.nextafter(1.0, 0.0) if side == 1 and above < 0 else side


def noise(batch_size: int, examples: int) -> float:
    """(N − S) / (S (N − 1)): the variance of the mean of S of N values, drawn without replacement, is this times theirs."""
    return (examples - batch_size) / (batch_size * (examples - 1)) if examples > 1 else 0.0


def break_even_curvature(
    learning_rate: float, batch_size: int, examples: int, curvature: float, variance: float
) -> float:
    """The λ at which the left-hand side of Eq. 1 reaches 1, where λ and s grow in proportion, as measured: r = s/λ.

    Then Eq. 1 is 1 − 2ηλ + η²λ² (1 + r² (N − S) / (S (N − 1))) ≤ 1, which is λ ≤ 2 / (η (1 + r² (N − S) / (S (N − 1)))).
    Full batch, or no variance: 2/η. Where the left-hand side is exactly 1, it is λ itself. NaN where λ is not positive.
    """
    if not curvature > 0:
        return math.nan
    try:
        excess = variance / curvature**2 * noise(batch_size, examples)
    except (OverflowError, ZeroDivisionError):  # of the square
        excess = variance * noise(batch_size, examples) / curvature / curvature
    return 2 / (learning_rate * (1 + excess))


def holds_for(optimizer: str, momentum: float, weight_decay: float) -> bool:
    """Whether Eq. 1 is the condition of stability of this optimizer."""
    return optimizer == "sgd" and momentum == 0 and weight_decay == 0


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
