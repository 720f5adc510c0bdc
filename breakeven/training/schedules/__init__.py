"""The learning rate of a run at each step: what its switches say, times the factors of its multipliers.

There is one module for each kind of multiplier, with a function ``build(entry, in_steps, end)``, which gives the `Factor` of an
entry of a schedule (`breakeven.specs.multipliers`). ``in_steps`` turns a moment of it into a step, ``end`` is the length of the
run in steps. A factor is a frozen dataclass, whose text says all of it: by that text a training is known, among others.
"""

from collections.abc import Callable
from typing import Protocol

InSteps = Callable[[int | float], int]


class Factor(Protocol):
    """What the learning rate is multiplied by at each step."""

    def at(self, step: int) -> float:
        """The factor of the update from ``step`` to the next."""
        ...
