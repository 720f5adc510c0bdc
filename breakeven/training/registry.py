"""What a run is trained with, by name: its optimizer, what multiplies its learning rate, its augmentation.

A new one is a module in ``optimizers``, ``schedules`` or ``augmentations``, whose packages say what it holds; an optimizer has a
line here, the others a value in `breakeven.specs.run` or `breakeven.specs.multipliers`. A config may also name an optimizer in a
file of the user's own, see `breakeven.specs.own_code`. Planning imports this, so nothing here imports torch.
"""

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from breakeven.specs.condition import Condition
from breakeven.specs.multipliers import Multiplier
from breakeven.specs.own_code import is_own, own_source
from breakeven.specs.run import RunSpec, Switch
from breakeven.specs.source import Source, source
from breakeven.store.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from breakeven.training.augmentations import Augmentation
    from breakeven.training.optimizers import Optimizer
    from breakeven.training.schedules import Factor, InSteps

# optimizers, and which hyperparameters of a run are theirs, beside their own options
OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov", "weight_decay"),
    "adam": ("weight_decay",),
    "adamw": ("weight_decay",),
    "rmsprop": ("momentum", "weight_decay"),
}
GIVEN = ("parameters", "spec")  # what ``build`` is given, before its options
OWN_GIVEN = ("parameters",)  # one of the user's own, which has its options alone
# what may stand beside ``build`` in such a file, and is given this
OWN_BESIDE: Mapping[str, tuple[str, ...]] = {"condition": (), "preconditioner": ("state",)}
OWN = "breakeven.training.torch_optimizer"  # makes one of what that builds; imported by name, no other run needs it

Preconditioner = Callable[["Mapping[str, Tensor]"], "dict[str, Tensor]"]


def modules_of(spec: RunSpec) -> list[str]:
    """The modules by these names, which the digest of a training's code starts from: those of other runs don't count."""
    own = [OWN] if is_own(spec.optimizer) else []
    multipliers = {_multiplier(each) for each in spec.schedule if not isinstance(each, Switch)}
    return [optimizer_module(spec), *own, *sorted(multipliers), *augmentation_modules(spec)]


def augmentation_modules(spec: RunSpec) -> list[str]:
    """The module of a run's augmentation; none where it does not augment."""
    return [] if spec.augmentation == "none" else [_augmentation(spec)]


# ------------------------------------------------------------------ optimizers


def optimizer_source(name: str) -> Source:
    """The function that builds optimizer ``name``, with its options."""
    if is_own(name):
        return own_source(name, OWN_GIVEN)
    if name not in OPTIMIZERS:
        raise UserError(f"there is no optimizer {name!r}; allowed: {', '.join(OPTIMIZERS)}, or FILE.py:function")
    return source(f"breakeven.training.optimizers.{name}", "build", GIVEN)


def optimizer_module(spec: RunSpec) -> str:
    """The module of a run's optimizer; the file of one of the user's own."""
    return optimizer_source(spec.optimizer).module


def build_optimizer(parameters: "Iterable[tuple[str, Tensor]]", spec: RunSpec) -> "Optimizer":
    """The optimizer of a run, see `breakeven.training.optimizers`."""
    build = optimizer_source(spec.optimizer).imported()
    if is_own(spec.optimizer):
        named = dict(parameters)
        with _told(spec.optimizer):
            own: Optimizer = importlib.import_module(OWN).own_optimizer(
                build(list(named.items()), **spec.optimizer_options), named
            )
        return own
    optimizer: Optimizer = build(parameters, spec, **spec.optimizer_options)
    return optimizer


def condition(spec: RunSpec) -> Condition | None:
    """What the stability of a run's optimizer depends on; None where no condition is known."""
    function = _beside_build(spec, "condition")
    if function is None:
        return None
    with _told(spec.optimizer):
        found = function()
        if not isinstance(found, Condition):
            raise UserError(
                f"'condition' returned a {type(found).__name__}; allowed: a breakeven.specs.condition.Condition"
            )
    return replace(found, preconditioned=preconditioner(spec) is not None)


def preconditioner(spec: RunSpec) -> Preconditioner | None:
    """What gives P of a step by the names of the parameters, from the optimizer's state after it; None where it has none.

    A parameter that the optimizer has never moved has no state, and no P.
    """
    function = _beside_build(spec, "preconditioner")
    if function is None:
        return None

    def of_state(state: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        by_parameter: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            parameter, _, quantity = name.rpartition("/")
            by_parameter.setdefault(parameter, {})[quantity] = tensor
        with _told(spec.optimizer):
            return {name: function(remembered) for name, remembered in by_parameter.items()}

    return of_state


def _beside_build(spec: RunSpec, name: str) -> Callable[..., Any] | None:
    """The function ``name`` of the optimizer's module, with the specification, if it is of the package, and its options."""
    built = optimizer_source(spec.optimizer)
    function = built.imported_beside(name)
    if function is None:
        return None
    values = {option: each.default for option, each in built.options.items()} | dict(spec.optimizer_options)
    parameters = inspect.signature(function).parameters.values()
    wanted = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    known = {option: values[option] for option in wanted if option in values}
    given = () if is_own(spec.optimizer) else (spec,)
    return lambda *state: function(*state, *given, **known)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever goes wrong in the user's own code inside the block, in a sentence that names the optimizer and the line."""
    try:
        yield
    except UserError as error:
        raise UserError(f"optimizer '{name}': {error}") from error
    except MemoryError:
        raise
    except Exception as error:
        if not is_own(name):
            raise
        file = Path(name.rpartition(":")[0]).resolve()
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if Path(frame.filename).resolve() == file]
        where = f", in line {lines[-1]}" if lines else ""
        said = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"optimizer '{name}'{where}: {type(error).__name__}: {said}") from error


# ------------------------------------------------------------------ schedules and augmentations


def build_factor(entry: Multiplier, in_steps: "InSteps", end: int) -> "Factor":
    """What an entry of a schedule multiplies the learning rate by, see `breakeven.training.schedules`."""
    factor: Factor = importlib.import_module(_multiplier(entry)).build(entry, in_steps, end)
    return factor


def augmentation(spec: RunSpec) -> "Augmentation | None":
    """How a run augments its mini-batches, see `breakeven.training.augmentations`; None where it does not."""
    if spec.augmentation == "none":
        return None
    module: Augmentation = importlib.import_module(_augmentation(spec))
    return module


def _multiplier(entry: Multiplier) -> str:
    return f"breakeven.training.schedules.{entry.kind}"


def _augmentation(spec: RunSpec) -> str:
    return f"breakeven.training.augmentations.{spec.augmentation}"
