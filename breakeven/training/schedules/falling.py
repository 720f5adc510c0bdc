"""A factor that falls from 1, along a shape between two steps."""

from collections.abc import Callable
from dataclasses import dataclass, field

from breakeven.specs.multipliers import Cosine, Linear
from breakeven.training.schedules import InSteps


@dataclass(frozen=True)
class Falling:
    """1 up to the step ``start``, ``final`` from ``until`` on, and f + (1 − f) ``shape``(x) between them, x from 0 to 1.

    ``until`` is the end of the run, or nearer; what would begin after it never does.
    """

    start: int
    until: int
    final: float
    shape: Callable[[float], float] = field(repr=False)

    def at(self, step: int) -> float:
        """The factor of the update from ``step`` to the next."""
        if step >= self.until >= self.start:
            return self.final
        if step <= self.start:
            return 1.0
        return self.final + (1 - self.final) * self.shape((step - self.start) / (self.until - self.start))


def between(entry: Cosine | Linear, in_steps: InSteps, end: int, shape: Callable[[float], float]) -> Falling:
    """The factor of an entry, whose decay ends with the run where it does not say where."""
    return Falling(in_steps(entry.at), end if entry.until is None else in_steps(entry.until), entry.final, shape)
