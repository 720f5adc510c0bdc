"""Steps that are taken one after the other: each begins when it is known that the one before was finite."""

import math

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from breakeven.training.precision import computing
from breakeven.training.step import Problem, Step


class HostSteps:
    """The steps of a training, each whole when `take` returns."""

    ahead = 1
    replayed = False

    def __init__(self, step: Step) -> None:
        self._step = step
        self._problem: Problem | None = None

    def take(self, number: int, learning_rate: float) -> None:
        """θ_t → θ_{t+1} with t = ``number``; where the loss or a weight of θ_t is not finite, that is the `problem`."""
        step = self._step
        mini_batch = step.mini_batches.at(number)
        step.seed_layers(number)
        with computing(step.spec.precision, step.device):
            loss = step.loss(*mini_batch)
            found = _not_finite(loss, step.weights)
            if found:
                self._problem = Problem(number, *found)
            else:
                step.update(loss, learning_rate)

    def problem(self) -> Problem | None:
        """The first step that was not finite, if one was."""
        return self._problem


def _not_finite(loss: Tensor, weights: list[Tensor]) -> tuple[float, float] | None:
    """The loss and the largest weight, where one of them is not finite, in one transfer from the device.

    A weight can be infinite where the loss is finite, behind a ReLU that is 0. The 2-norms are had much sooner than the largest
    weight, and tell where all are finite; where one overflows, the largest weight decides.
    """
    value, *norms = torch.stack([loss.detach(), *(norm.to(loss) for norm in torch._foreach_norm(weights))]).tolist()
    if all(map(math.isfinite, (value, *norms))):
        return None
    largest = get_total_norm(weights, norm_type=math.inf).item()
    return None if math.isfinite(value) and math.isfinite(largest) else (value, largest)
