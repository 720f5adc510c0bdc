"""Step decay."""

from dataclasses import dataclass

from breakeven.specs.multipliers import StepDecay
from breakeven.training.schedules import InSteps


@dataclass(frozen=True)
class Steps:
    """γ^⌊t / n⌋; γ is ``factor``, n is ``every``."""

    every: int
    factor: float

    def at(self, step: int) -> float:
        """The factor of the update from ``step`` to the next."""
        return float(self.factor ** (step // self.every))


def build(entry: StepDecay, in_steps: InSteps, end: int) -> Steps:
    """The factor of an entry; of a break-even point at the start, after each step."""
    return Steps(max(1, in_steps(entry.every)), entry.factor)
