"""Cosine decay."""

import math

from breakeven.specs.multipliers import Cosine
from breakeven.training.schedules import InSteps
from breakeven.training.schedules.falling import Falling, between


def half_a_wave(x: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * x)) / 2


def build(entry: Cosine, in_steps: InSteps, end: int) -> Falling:
    """The factor of an entry."""
    return between(entry, in_steps, end, half_a_wave)
