"""Linear warm-up."""

from dataclasses import dataclass

from breakeven.specs.multipliers import WarmUp
from breakeven.training.schedules import InSteps


@dataclass(frozen=True)
class Rising:
    """f + (1 − f)(t + 1)/T at the steps t < T, then 1; f is ``initial``, T is ``until``."""

    until: int
    initial: float

    def at(self, step: int) -> float:
        """The factor of the update from ``step`` to the next."""
        return 1.0 if step >= self.until else self.initial + (1 - self.initial) * (step + 1) / self.until


def build(entry: WarmUp, in_steps: InSteps, end: int) -> Rising:
    """The factor of an entry."""
    return Rising(in_steps(entry.until), entry.initial)
