"""P^(-1/2) H P^(-1/2), for the preconditioner P of an optimizer that steps by θ ← θ − η P⁻¹ m, as Adam does.

In the coordinates x = P^(1/2) θ that is a step of SGD on a loss with this Hessian, so that its largest eigenvalue takes the place
of λ_H^1 in Eq. 1. P⁻¹H, which the name is of, has the same eigenvalues. P is taken as frozen, which is the usual approximation:
it moves as the gradients do, with a memory of 1/(1 − β₂) steps.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from breakeven.spectra.hessian import Hessian
from breakeven.store.errors import UserError


class Preconditioned:
    """P^(-1/2) H P^(-1/2) as an operator; ``root``: the diagonal of P^(-1/2), (D,); ``gradient``: that of the loss by x."""

    def __init__(self, hessian: Hessian, root: Tensor):
        self._hessian, self._root = hessian, root
        self.gradient = root * hessian.gradient

    def matvec(self, vector: Tensor) -> Tensor:
        """Its product with ``vector``, both (D,)."""
        return self._root * self._hessian.matvec(self._root * vector)


def inverse_root(model: nn.Module, preconditioner: Mapping[str, Tensor]) -> Tensor:
    """The diagonal of P^(-1/2), (D,), in the precision of ``model``, from P by the names of its parameters.

    It is 0 for a parameter without P, which the optimizer has never moved.
    """
    parts = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        part = preconditioner.get(name)
        if part is None:
            parts.append(torch.zeros_like(parameter).reshape(-1))
            continue
        if part.shape != parameter.shape or not bool((part > 0).all()):
            what = "not above 0" if part.shape == parameter.shape else f"of shape {tuple(part.shape)}"
            raise UserError(
                f"the optimizer's preconditioner of '{name}' is {what}; allowed: numbers above 0, one for each weight"
            )
        parts.append(part.to(parameter.device, torch.float64).rsqrt().to(parameter.dtype).reshape(-1))
    return torch.cat(parts)
