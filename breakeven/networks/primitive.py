"""A network measured in primitive operations, in place of those whose second derivatives PyTorch gets wrong or has not.

Tried on torch 2.13, CPU, float64, through each operation alone (pytorch#196699 and #198017 for normalisations):

| operation | what PyTorch's own derivatives are |
|---|---|
| batch, layer and instance normalization | forward mode and reverse mode of third order wrong, by 5 to 400 % |
| weight normalization, both forms | second order wrong: H is not symmetric, by 36 % |
| hardsigmoid, hardswish's kin of MobileNetV3 | second order missing |
| an embedding's vector of padding | constant in reverse mode, not in forward mode |

Written out in mean, square, rsqrt and the like, all are right to 1e-13. The functions are replaced and not the modules, so that
subclasses and networks that call them directly are measured right as well. Group and RMS normalization are right as they are.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from breakeven.store.errors import UserError


def with_primitive_operations(model: nn.Module) -> nn.Module:
    """``model``, which from now on computes in the operations of this module; they don't change running averages.

    In float64 it computes in float64 throughout, also what it casts to float32 by itself, as LLaMA's normalization, or makes
    without saying a type. Code that TorchScript compiled is out of reach, and refused.
    """
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"layer '{name}'" if name else "the network"
            raise UserError(
                f"{where} is compiled by TorchScript, through which second derivatives can't be had right: "
                "build it without torch.jit.script and torch.jit.trace"
            )
    modes: list[PrimitiveOperations] = []

    def enter(module: nn.Module, _: Any) -> None:
        modes.append(PrimitiveOperations(next(module.parameters()).dtype))
        modes[-1].__enter__()

    def leave(*_: Any) -> None:
        modes.pop().__exit__(None, None, None)

    model.register_forward_pre_hook(enter, prepend=True)  # before the hook of weight normalization
    model.register_forward_hook(leave, always_call=True)
    return model


class PrimitiveOperations(TorchFunctionMode):
    """Inside the block, the functions of `PRIMITIVE` are those of this module, and float32 is ``dtype`` where that is float64."""

    def __init__(self, dtype: torch.dtype):
        super().__init__()
        self._double = dtype == torch.float64

    def __enter__(self) -> "PrimitiveOperations":
        """What is made without a type has ours."""
        self._default = torch.get_default_dtype()
        if self._double:
            torch.set_default_dtype(torch.float64)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Everything is as it was."""
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        torch.set_default_dtype(self._default)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What PyTorch calls for every function inside the block."""
        kwargs = kwargs or {}
        if self._double:
            func = Tensor.double if func is Tensor.float else func
            args = tuple(map(_in_double, args))
            kwargs = {name: _in_double(value) for name, value in kwargs.items()}
        return PRIMITIVE.get(func, func)(*args, **kwargs)


def _in_double(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Over all axes but the second one, as `torch.nn.functional.batch_norm`."""
    if training:
        return _affine(_standardised(input, (0, *range(2, input.dim())), eps), weight, bias)
    assert running_mean is not None and running_var is not None
    centred = input - _of_channels(running_mean, input)
    return _affine(centred * torch.rsqrt(_of_channels(running_var, input) + eps), weight, bias)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Over all axes but the first two, as `torch.nn.functional.instance_norm`."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    return _affine(_standardised(input, tuple(range(2, input.dim())), eps), weight, bias)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Over the last axes, those of ``normalized_shape``, as `torch.nn.functional.layer_norm`."""
    y = _standardised(input, tuple(range(-len(normalized_shape), 0)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``g v / ‖v‖``, with the norm over all axes but ``dim``, or over all where it is −1."""
    axes = tuple(axis for axis in range(v.dim()) if dim == -1 or axis != dim % v.dim())
    squares = v.square().sum(dim=axes, keepdim=True) if axes else v.square()
    return v * (g * torch.rsqrt(squares))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    y = functional.relu6(input + 3) / 6
    return input.copy_(y) if inplace else y


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, *more: Any, **options: Any) -> Tensor:
    """As `torch.nn.functional.embedding`, with a vector of padding that is constant to forward mode, too."""
    found = functional.embedding(input, weight, padding_idx, *more, **options)
    if padding_idx is None:
        return found
    return torch.where((input == padding_idx % len(weight)).unsqueeze(-1), found.detach(), found)


def _standardised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """(x − mean) / sqrt(var + eps), with the biased variance over ``axes``."""
    if not axes:  # of single numbers, each its own mean
        return x - x
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(dim=axes, keepdim=True) + eps)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * _of_channels(weight, x)
    return x if bias is None else x + _of_channels(bias, x)


def _of_channels(values: Tensor, x: Tensor) -> Tensor:
    return values.view(1, -1, *(1 for _ in x.shape[2:]))


def _torch_batch_norm(input: Tensor, weight: Any, bias: Any, mean: Any, var: Any, *how: Any) -> Tensor:
    """`torch.batch_norm`, which has its arguments in another order, and one more."""
    return batch_norm(input, mean, var, weight, bias, *how[:3])


def _torch_instance_norm(input: Tensor, weight: Any, bias: Any, mean: Any, var: Any, *how: Any) -> Tensor:
    """`torch.instance_norm`, likewise."""
    return instance_norm(input, mean, var, weight, bias, *how[:3])


# by the functions that networks call: those of torch.nn.functional, and those of torch beneath them
PRIMITIVE: dict[Any, Any] = {
    functional.batch_norm: batch_norm,
    torch.batch_norm: _torch_batch_norm,
    functional.instance_norm: instance_norm,
    torch.instance_norm: _torch_instance_norm,
    functional.layer_norm: layer_norm,
    torch.layer_norm: layer_norm,
    torch._weight_norm: weight_norm,  # what both forms of torch's weight normalization call
    functional.hardsigmoid: hardsigmoid,
    functional.embedding: embedding,
}
