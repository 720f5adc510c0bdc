"""The curvatures of the examples along e_H^1, held against λ_H^1: their mean must be it.

Where they differ, both are computed again in float64, which tells rounding from a wrong derivative:

| in the network's precision | in float64 | what is had |
|---|---|---|
| agree | | the curvatures |
| differ | a loss explodes | none: `Verdict.NOT_FINITE` |
| differ | differ, by rounding | none, where λ_H^1 is no more than that: `Verdict.ONLY_ROUNDING` |
| differ | differ, by more | an error: a derivative is wrong |
| differ | agree, and λ_H^1 is within 1 % | the curvatures of float64, and λ_H^1 is `Verdict.COARSE` |
| differ | agree, and float32 can't do better | none: `Verdict.TOO_COARSE` |
| differ | agree, and float32 now says something else | an error: e_H^1 is not of this network |
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum, auto

import torch
from torch import Tensor, nn

from breakeven.spectra.curvature import Way, forward_mode, per_example_curvature, reverse_mode, rounding
from breakeven.spectra.hessian import Batch, product
from breakeven.spectra.parameters import as_float64, in_float64
from breakeven.store.errors import MeasurementError
from breakeven.store.progress import within

# Of the root mean square of the curvatures. Rounding leaves 1e-6 of it in float32 and 1e-15 in float64; what PyTorch gets
# wrong along random directions by 5 to 80 % can be as little as 2e-5 along e_H^1.
MISMATCH = {torch.float32: 1e-4, torch.float64: 1e-9}
# What float32 may do to λ_H^1 where batch normalization divides by almost nothing; more is another matter.
COARSEST = 0.01
# What rounding leaves of the mean curvature, however small it is, in the units of `rounding`; less than one was seen.
ROUNDING_UNITS = 16


class Verdict(Enum):
    """What the comparison says, where it isn't an error."""

    AGREE = auto()
    COARSE = auto()  # the curvatures are right; λ_H^1 has fewer right digits than float64 would give
    TOO_COARSE = auto()  # no curvatures: float32 is too coarse
    NOT_FINITE = auto()  # no curvatures: they, or their squares, are not finite
    ONLY_ROUNDING = auto()  # no curvatures: the network is so certain that only rounding is left


@dataclass(frozen=True)
class MeasuredNetwork:
    """The network with the measured mini-batches, in one precision, and the way to its curvatures."""

    model: nn.Module
    batches: Sequence[Batch]
    way: Way

    @property
    def dtype(self) -> torch.dtype:
        """Its precision."""
        return next(self.model.parameters()).dtype

    def curvatures(self, direction: Tensor) -> Tensor:
        """The curvature of each example along ``direction`` (D,), as a float64 vector."""
        batches = within(self.batches, "curvatures", unit="mini-batch")
        direction = direction.to(self.dtype)
        return torch.cat([per_example_curvature(self.model, direction, *batch, self.way) for batch in batches]).double()

    def mean_curvature(self, direction: Tensor) -> float:
        """e·He by reverse mode along ``direction`` e."""
        direction = direction.to(self.dtype)
        return float(direction @ product(self.model, self.batches, direction))

    def noise(self, direction: Tensor) -> float:
        """How large a mean curvature can be by rounding alone."""
        direction = direction.to(self.dtype)
        units = torch.cat([rounding(self.model, direction, *batch, self.way) for batch in self.batches])
        return ROUNDING_UNITS * torch.finfo(units.dtype).eps * float(units.mean())

    @contextmanager
    def in_float64(self) -> Iterator["MeasuredNetwork"]:
        """The same in float64, as long as the block lasts."""
        batches = [(as_float64(inputs), as_float64(targets)) for inputs, targets in self.batches]
        with in_float64(self.model):
            yield MeasuredNetwork(self.model, batches, self.way)


def checked_curvatures(network: MeasuredNetwork, vector: Tensor, lambda_1: float) -> tuple[Tensor, Verdict]:
    """The curvatures (n,) of the examples along e_H^1, ``vector``, and what their comparison with ``lambda_1`` says.

    NaN where there are none. A `MeasurementError` where a derivative, or the eigenvector, is wrong. See the table above.
    """
    curvatures = network.curvatures(vector)
    if agree(curvatures, lambda_1, MISMATCH[network.dtype]):
        return curvatures, Verdict.AGREE
    if network.way is forward_mode:  # what it may get wrong only with these weights
        return checked_curvatures(replace(network, way=reverse_mode), vector, lambda_1)
    if network.dtype == torch.float64:
        verdict = _in_float64(network, vector, curvatures, lambda_1)
        return (curvatures if verdict is Verdict.AGREE else _none_of(curvatures)), verdict
    with network.in_float64() as double:
        curvatures, exact = double.curvatures(vector), double.mean_curvature(vector)
        verdict = _in_float64(double, vector, curvatures, exact)
    if verdict is not Verdict.AGREE:
        return _none_of(curvatures), verdict
    if agree(curvatures, lambda_1, COARSEST):
        return curvatures, Verdict.AGREE if exact == lambda_1 else Verdict.COARSE
    again = network.mean_curvature(vector)
    if abs(again - lambda_1) > COARSEST * abs(lambda_1) + network.noise(vector):
        raise _mismatch(curvatures, lambda_1)  # what was found as e_H^1 is of something else
    return _none_of(curvatures), Verdict.TOO_COARSE


def _in_float64(network: MeasuredNetwork, vector: Tensor, curvatures: Tensor, expected: float) -> Verdict:
    """What float64 says, in which only a network that is certain leaves rounding."""
    if not math.isfinite(expected) or not bool(curvatures.square().sum().isfinite()):
        return Verdict.NOT_FINITE
    if agree(curvatures, expected, MISMATCH[torch.float64]):
        return Verdict.AGREE
    noise = network.noise(vector)
    if abs(float(curvatures.mean()) - expected) > noise:
        raise _mismatch(curvatures, expected)
    return Verdict.ONLY_ROUNDING if abs(expected) <= noise else Verdict.AGREE


def agree(curvatures: Tensor, expected: float, tolerance: float) -> bool:
    """Whether the mean of the curvatures is ``expected``, to ``tolerance`` of their root mean square."""
    mean, scale = float(curvatures.mean()), float(curvatures.square().mean().sqrt())
    return math.isfinite(scale) and abs(mean - expected) <= tolerance * max(scale, abs(expected))


def _none_of(curvatures: Tensor) -> Tensor:
    return torch.full_like(curvatures, math.nan)


def _mismatch(curvatures: Tensor, expected: float) -> MeasurementError:
    return MeasurementError(
        f"the mean curvature of the examples along e_H^1 is {float(curvatures.mean()):.6g}, but e·He is {expected:.6g}, and "
        "they must be equal: hessian.csv or its eigenvectors are not of these snapshots (delete hessian.csv to measure H again), "
        "or PyTorch gets a derivative of this network wrong (write it in other operations)"
    )
