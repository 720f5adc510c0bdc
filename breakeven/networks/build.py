"""Build the network of a run, initialised from the run's seed."""

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from breakeven.networks.loss import set_predicts_numbers
from breakeven.networks.registry import builder
from breakeven.specs.randomness import derived_seed
from breakeven.specs.run import RunSpec
from breakeven.store.errors import UserError


def build(
    spec: RunSpec,
    input_shape: tuple[int, ...],
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
    predicts_numbers: bool = False,
) -> nn.Module:
    """The network of ``spec`` for inputs of ``input_shape`` (see `breakeven.data.dataset`), in ``dtype`` on ``device``.

    ``predicts_numbers``: as many as ``classes``, by the squared loss. It is initialised on the CPU in float32, so that every
    device and precision starts from the same weights.
    """
    _reproducible()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(spec.seed, "initialisation"))
        try:
            model = builder(spec.network)(input_shape, classes, **spec.network_options)
        except ValueError as error:
            raise UserError(f"network '{spec.network}': {error}") from error
    if not isinstance(model, nn.Module):
        raise UserError(f"network '{spec.network}': it returned a {type(model).__name__}; allowed: a torch.nn.Module")
    lazy = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise UserError(
            f"network '{spec.network}': the size of '{lazy[0]}' must be given, not left to a lazy module of torch"
        )
    set_predicts_numbers(model, predicts_numbers)
    built: nn.Module = model.to(device=device, dtype=dtype)
    return built


def _reproducible() -> None:
    """From now on, on CUDA: convolutions are deterministic, and float32 is float32 (no TF32)."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
