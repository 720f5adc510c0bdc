"""The schedules of the learning rate, one module for each kind.

Each has a function ``build(spec, steps_per_epoch, break_even_step)``, which gives the `Schedule` of a run. ``break_even_step`` is
that of the run `breakeven.specs.run.source_of` (spec); None where there is none.
"""

from typing import Protocol

from breakeven.store.training_record import SwitchAtStep


class Schedule(Protocol):
    """The learning rate at each step, and its switches in the order in which they are declared."""

    @property
    def switches(self) -> tuple[SwitchAtStep, ...]:
        """What is recorded of its switches; empty where it changes at each step."""
        ...

    def rate(self, step: int) -> float:
        """The learning rate η of the update from ``step`` to the next."""
        ...
