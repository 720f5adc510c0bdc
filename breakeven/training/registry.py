"""What a run is trained with, by name: its optimizer, its schedule, its augmentation.

A new one is a module in ``optimizers``, ``schedules`` or ``augmentations``, whose packages say what it holds, and a value in
`breakeven.specs.run`. Planning imports this, so nothing here imports torch.
"""

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from breakeven.specs.condition import Condition
from breakeven.specs.run import RunSpec

if TYPE_CHECKING:
    from torch import Tensor

    from breakeven.training.augmentations import Augmentation
    from breakeven.training.optimizers import Optimizer
    from breakeven.training.schedules import Schedule


def modules_of(spec: RunSpec) -> list[str]:
    """The modules by these names, which the digest of a training's code starts from: those of other runs don't count."""
    modules = [optimizer_module(spec), _schedule(spec)]
    return modules if spec.augmentation == "none" else [*modules, _augmentation(spec)]


def optimizer_module(spec: RunSpec) -> str:
    """The module of a run's optimizer."""
    return f"breakeven.training.optimizers.{spec.optimizer}"


def build_optimizer(parameters: "Iterable[tuple[str, Tensor]]", spec: RunSpec) -> "Optimizer":
    """The optimizer of a run, see `breakeven.training.optimizers`."""
    optimizer: Optimizer = importlib.import_module(optimizer_module(spec)).build(parameters, spec)
    return optimizer


def condition(spec: RunSpec) -> Condition | None:
    """What the stability of a run's optimizer depends on; None where no condition is known."""
    found: Condition | None = importlib.import_module(optimizer_module(spec)).condition(spec)
    return found


def build_schedule(spec: RunSpec, steps_per_epoch: int, break_even_step: int | None) -> "Schedule":
    """The schedule of a run, see `breakeven.training.schedules`."""
    schedule: Schedule = importlib.import_module(_schedule(spec)).build(spec, steps_per_epoch, break_even_step)
    return schedule


def augmentation(spec: RunSpec) -> "Augmentation | None":
    """How a run augments its mini-batches, see `breakeven.training.augmentations`; None where it does not."""
    if spec.augmentation == "none":
        return None
    module: Augmentation = importlib.import_module(_augmentation(spec))
    return module


def _optimizer(spec: RunSpec) -> str:
    return f"breakeven.training.optimizers.{spec.optimizer}"


def _schedule(spec: RunSpec) -> str:
    return f"breakeven.training.schedules.{spec.schedule_kind}"


def _augmentation(spec: RunSpec) -> str:
    return f"breakeven.training.augmentations.{spec.augmentation}"
