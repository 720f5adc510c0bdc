"""Why a cell of a table is empty, or doubtful: codes in its column ``note``, and a sentence for each.

A note is the codes of its row, separated by ``; ``. A code is ``SUBJECT:REASON``, where the subject is what could not be
computed: K, H, the preconditioned H (P), the left-hand side of Eq. 1 (lhs), λ_H^1, the steps between two snapshots, the loss, or
what is along e_H^1 (e_H).
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN

SEPARATOR = "; "


class Note(Enum):
    """A code, and its sentence, which has no other place."""

    K_NOT_FINITE = (
        "K:not_finite",
        "the gradients, or their inner products, are not finite in the precision of the measurement",
    )
    K_ZERO = ("K:zero", "K is 0, and has no conditioning")
    K_NO_TOP_PART = (
        "K:no_top_part",
        "a gradient is 0 or has no part along the top eigenvectors of K, so that ‖g‖/‖g_5‖ is not finite",
    )
    K_COARSE = (
        "K:coarse",
        "float32 is too coarse for the last digits of K, or for more (set measurements.covariance.precision to float64)",
    )
    K_FEW_BATCHES = ("K:few_batches", "K of so few mini-batches has fewer eigenvalues")
    H_NOT_FINITE = (
        "H:not_finite",
        "a product of H and a vector, or its norm, is not finite in the precision of the measurement",
    )
    H_FEW_PRODUCTS = ("H:few_products", "max_matvecs is fewer than the eigenvalues that were asked for")
    H_ZERO = ("H:zero", "H is 0")
    H_ONLY_ROUNDING = ("H:only_rounding", "H is 0 up to rounding, as where the network is certain of every example")
    H_NOT_POSITIVE = (
        "H:not_positive",
        "λ_H^1 is not above 0, so that Tr(H)/λ_H^1 says nothing of the conditioning of H",
    )
    P_NOT_FINITE = (
        "P:not_finite",
        "a product of P⁻¹H and a vector, or its norm, is not finite in the precision of the measurement",
    )
    P_ONLY_ROUNDING = ("P:only_rounding", "P⁻¹H is 0 up to rounding")
    NO_EIGENVECTOR = ("lhs:no_eigenvector", "e_H^1 was not found")
    NO_CURVATURE = ("lhs:no_curvature", "there is no curvature along e_H^1")
    NO_CONDITION = ("lhs:no_condition", "no condition of stability is known for the optimizer")
    CURVATURES_NOT_FINITE = (
        "lhs:curvatures_not_finite",
        "the curvatures along e_H^1, or their squares, are not finite",
    )
    ONLY_ROUNDING = ("lhs:only_rounding", "lambda_1 is 0 up to rounding")
    TOO_COARSE = (
        "lhs:too_coarse",
        "float32 is too coarse for the curvatures along e_H^1 (set measurements.hessian.precision to float64)",
    )
    NOT_CONVERGED = ("lambda_1:not_converged", "lambda_1 has not converged within max_matvecs")
    OTHER_BITS = (
        "steps:other_bits",
        "the steps that were taken again are those of the training but for rounding: it ran on another device or machine, or "
        "with another number of threads",
    )
    NOT_REPEATED = (
        "steps:not_repeated",
        "the steps of the training can't be taken again on this device, by more than rounding: the break-even point is that of "
        "the snapshots",
    )
    COARSE = ("lambda_1:coarse", "float32 is too coarse for the last digits of lambda_1")
    SHARPNESS_NOT_FINITE = (
        "sharpness:not_finite",
        "the gradient of a mini-batch, or a product with it, is not finite in the precision of the measurement",
    )
    SHARPNESS_ZERO_GRADIENT = (
        "sharpness:zero_gradient",
        "the gradient of a drawn mini-batch is 0 and has no direction: batch_sharpness is the mean over the others",
    )
    SHARPNESS_FEW_DRAWS = (
        "sharpness:few_draws",
        "max_draws is too few for the tolerance: the error of batch_sharpness says how precise it is",
    )
    INTERACTION_ZERO_GRADIENT = (
        "interaction:zero_gradient",
        "the gradient of the whole loss is 0, and there is no gradient-noise interaction",
    )
    BATCH_LAMBDA_1_UNCONVERGED = (
        "batch_lambda_1:unconverged",
        "the largest eigenvalue of a mini-batch's Hessian did not converge, or is not finite",
    )
    E_H_NOT_FOUND = ("e_H:not_found", "e_H^1 was not found, and nothing is measured along it")
    E_H_NOT_FINITE = ("e_H:not_finite", "the loss along e_H^1, or a derivative of it, is not finite")
    NEXT_CURVATURE_NOT_FINITE = (
        "e_H:next_not_finite",
        "the weights after the next step, or the curvature along e_H^1 there, are not finite",
    )
    NO_THIRD_DERIVATIVE = (
        "e_H:no_third_derivative",
        "PyTorch has no third derivative of an operation of the network",
    )
    QUADRATIC_ROUNDING = (
        "e_H:quadratic_rounding",
        "the step along e_H^1 is so short, or the curvature so small, that rounding hides whether the loss is quadratic there",
    )
    NO_PLATEAU = ("plateau:unknown", "no plateau of batch sharpness is known for the optimizer")
    LOSS_NOT_FINITE = ("loss:not_finite", "the loss is not finite")
    LOSS_ZERO = ("loss:zero", "the loss is 0 and has no α*")
    NEXT_LOSS_NOT_FINITE = ("loss:next_not_finite", "the loss is not finite after the next SGD step")

    def __init__(self, code: str, sentence: str):
        self.code = code
        self.sentence = sentence

    @property
    def subject(self) -> str:
        """What could not be computed."""
        return self.code.partition(":")[0]


BY_CODE = {note.code: note for note in Note}


def cell(notes: Iterable[Note]) -> str:
    """The cell of a table for ``notes``."""
    return SEPARATOR.join(note.code for note in notes)


def notes_of(cell: Any) -> list[Note]:
    """The notes in a cell as it was read; none in an empty one."""
    codes = cell.split(SEPARATOR) if isinstance(cell, str) and cell else []
    unknown = [code for code in codes if code not in BY_CODE]
    if unknown:
        raise UserError(f"there is no note {unknown[0]!r}: the table is another version's; delete it, {AGAIN}")
    return [BY_CODE[code] for code in codes]
