"""Linear decay."""

from breakeven.specs.multipliers import Linear
from breakeven.training.schedules import InSteps
from breakeven.training.schedules.falling import Falling, between


def what_is_left(x: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 1 - x


def build(entry: Linear, in_steps: InSteps, end: int) -> Falling:
    """The factor of an entry."""
    return between(entry, in_steps, end, what_is_left)
