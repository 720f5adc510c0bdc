"""What the stability of an optimizer depends on: plain data, from which `breakeven.spectra.equation_1` makes its condition."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Condition:
    """Along one direction, with the curvature h of a mini-batch, the optimizer takes the step

        v ← β v − c x,   x ← δ x + v,          c = η (a h + w),  δ = 1 − η d

    or with Nesterov's momentum, as PyTorch has it, v ← β v − c x, x ← δ x + β v − c x with the new v. β: ``momentum``, a:
    ``scale`` (1 − β₁ for Adam), w: ``weight_decay`` that is added to the gradient, d: ``decoupled_decay`` of the weights
    themselves. Plain SGD has all zero, and a = 1. ``preconditioned``: h and x are in the coordinates P^(1/2) θ of the optimizer's
    preconditioner P, which is taken as frozen; there w is ``weight_decay`` times the squared norm of the direction in θ.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    decoupled_decay: float = 0.0
    scale: float = 1.0
    preconditioned: bool = False

    def along(self, squared_norm: float) -> "Condition":
        """The same along a direction of this squared norm in θ: P^(-1/2) u of a unit vector u where it is preconditioned.

        Weight decay adds w I to H, and w P⁻¹ to P^(-1/2) H P^(-1/2). Along u that is w uᵀP⁻¹u; that u turns a little is left out.
        """
        return replace(self, weight_decay=self.weight_decay * squared_norm) if self.preconditioned else self


PLAIN = Condition()
