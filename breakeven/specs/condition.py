"""What the stability of an optimizer depends on: plain data, from which `breakeven.spectra.equation_1` makes its condition."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """Along one direction, with the curvature h of a mini-batch, the optimizer takes the step

        v ← β v − c x,   x ← δ x + v,          c = η (a h + w),  δ = 1 − η d

    or with Nesterov's momentum, as PyTorch has it, v ← β v − c x, x ← δ x + β v − c x with the new v. β: ``momentum``, a:
    ``scale`` (1 − β₁ for Adam), w: ``weight_decay`` that is added to the gradient, d: ``decoupled_decay`` of the weights
    themselves. Plain SGD has all zero, and a = 1. ``preconditioned``: h and x are in the coordinates P^(1/2) θ of the optimizer's
    preconditioner P, which is taken as frozen.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    decoupled_decay: float = 0.0
    scale: float = 1.0
    preconditioned: bool = False


PLAIN = Condition()
