"""A learning rate that is constant from one switch to the next."""

from bisect import bisect_right
from dataclasses import dataclass

from breakeven.specs.run import RunSpec, Switch
from breakeven.specs.schedule import in_steps
from breakeven.store.training_record import SwitchAtStep


@dataclass(frozen=True)
class Switches:
    """``rates[i]`` holds from the step ``starts[i]`` on, until the next one; ``switches`` are those that are declared."""

    switches: tuple[SwitchAtStep, ...]
    starts: tuple[int, ...]
    rates: tuple[float, ...]

    def rate(self, step: int) -> float:
        """The learning rate η of the update from ``step`` to the next."""
        return self.rates[bisect_right(self.starts, step) - 1]


def build(spec: RunSpec, steps_per_epoch: int, break_even_step: int | None) -> Switches:
    """The schedule of a run; where two switches hold at a step, the one that is declared later.

    A switch at a break-even point that never comes has no step, and is none.
    """
    switches = tuple(
        SwitchAtStep(_step(switch, steps_per_epoch, break_even_step), switch.learning_rate) for switch in spec.schedule
    )
    holding = [(0, spec.learning_rate)]
    for switch in switches:
        if switch.step is not None:
            at = switch.step
            holding = [(start, rate) for start, rate in holding if start < at] + [(at, switch.learning_rate)]
    starts, rates = zip(*holding, strict=True)
    return Switches(switches, starts, rates)


def _step(switch: Switch, steps_per_epoch: int, break_even_step: int | None) -> int | None:
    if switch.unit != "break_even":
        return in_steps(int(switch.at), switch.unit, steps_per_epoch)
    return None if break_even_step is None else round(switch.at * break_even_step)
