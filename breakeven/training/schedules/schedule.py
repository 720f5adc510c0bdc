"""The schedule of a run, put together."""

import math
from dataclasses import dataclass

from breakeven.specs.run import Entry, RunSpec, Switch
from breakeven.specs.schedule import in_steps, total_steps
from breakeven.store.training_record import SwitchAtStep
from breakeven.training.registry import build_factor
from breakeven.training.schedules import Factor, InSteps
from breakeven.training.schedules.switches import Switches


@dataclass(frozen=True)
class Schedule:
    """The learning rate at each step; ``never``: the kinds of multipliers that count in a break-even point that never comes."""

    constants: Switches
    factors: tuple[Factor, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def switches(self) -> tuple[SwitchAtStep, ...]:
        """Those that are declared, in their order."""
        return self.constants.switches

    def rate(self, step: int) -> float:
        """The learning rate η of the update from ``step`` to the next."""
        return math.prod((factor.at(step) for factor in self.factors), start=self.constants.rate(step))

    def __str__(self) -> str:
        """All of it; where nothing multiplies, its switches."""
        return "\n".join(map(str, [self.switches, *self.factors]))


def build(spec: RunSpec, steps_per_epoch: int, break_even_step: int | None) -> Schedule:
    """The schedule of a run. ``break_even_step``: of the run `breakeven.specs.run.source_of` (spec); None where there is none."""
    end = total_steps(spec, steps_per_epoch)
    found = [(each, _in_steps_of(each, steps_per_epoch, break_even_step)) for each in spec.schedule]
    switches = [
        SwitchAtStep(None if steps is None else steps(each.at), each.learning_rate)
        for each, steps in found
        if isinstance(each, Switch)
    ]
    multipliers = [(each, steps) for each, steps in found if not isinstance(each, Switch)]
    return Schedule(
        Switches(spec.learning_rate, tuple(switches)),
        tuple(build_factor(each, steps, end) for each, steps in multipliers if steps),
        tuple(each.kind for each, steps in multipliers if not steps),
    )


def _in_steps_of(entry: Entry, steps_per_epoch: int, break_even_step: int | None) -> InSteps | None:
    """What turns the moments of an entry into steps; None where it counts in a break-even point that never comes."""
    if entry.unit != "break_even":
        return lambda count: in_steps(int(count), entry.unit, steps_per_epoch)
    return None if break_even_step is None else lambda count: round(count * break_even_step)
