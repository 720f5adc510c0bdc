"""A learning rate that is constant from one switch to the next."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from breakeven.store.training_record import SwitchAtStep


@dataclass(frozen=True)
class Switches:
    """The rate is ``first`` up to the first of the ``switches``; where two hold at a step, it is that of the one declared later.

    A switch without a step is none: it counts in a break-even point that never comes.
    """

    first: float
    switches: tuple[SwitchAtStep, ...]

    @cached_property
    def _holding(self) -> tuple[list[int], list[float]]:
        """The steps from which on a rate holds until the next, and the rates."""
        holding = [(0, self.first)]
        for switch in self.switches:
            if switch.step is not None:
                at = switch.step
                holding = [(start, rate) for start, rate in holding if start < at] + [(at, switch.learning_rate)]
        return [start for start, _ in holding], [rate for _, rate in holding]

    def rate(self, step: int) -> float:
        """The learning rate of the update from ``step`` to the next."""
        starts, rates = self._holding
        return rates[bisect_right(starts, step) - 1]
