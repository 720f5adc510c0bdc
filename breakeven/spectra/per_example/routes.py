"""Which parameters' gradients of single examples come from the factors of a layer, and which directly: tried out.

On a few examples, the gradients that a layer's factors give are compared with ordinary ones. A layer whose weights are used
without calling it, or shared with another, or computed from others, or whose input's first axis is not that of the
examples fails the comparison, and its parameters go the direct way.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from breakeven.networks.batch_norm import mixes_examples
from breakeven.networks.loss import mean_loss, summed_loss
from breakeven.spectra.graph_memory import SavedTensors
from breakeven.spectra.parameters import close
from breakeven.spectra.per_example.direct_gradients import looped, vectorised
from breakeven.spectra.per_example.layer_factors import (
    Use,
    bias_gradients,
    can_be_factored,
    capturing,
    fits,
    gradients_of_outputs,
    positions,
    weight_gradients,
)
from breakeven.store.errors import UserError

PROBE = 3  # examples that are tried
MIXING = (
    "measurements.covariance.batch_size: 1 asks for the gradients of single examples, but network {}; use at least 2"
)


@dataclass(frozen=True)
class Layer:
    """A layer that contributes through its factors, and in which form that is kept.

    ``weight``, ``bias``: which of its parameters come this way. ``factored``: kept as (a, δ) for both of them;
    otherwise as the gradients themselves.
    """

    module: nn.Module
    weight: bool
    bias: bool
    factored: bool


@dataclass(frozen=True)
class Plan:
    """How each trainable parameter contributes, and what that takes.

    ``rest``: the names of the parameters that come directly, all at once if ``vectorise``. ``row_bytes``: what is kept of
    one example. ``working_bytes``: what a forward and backward pass takes for each of its examples, about.
    """

    layers: tuple[Layer, ...]
    rest: tuple[str, ...]
    vectorise: bool
    row_bytes: int
    working_bytes: int


def make_plan(model: nn.Module, inputs: Tensor, targets: Tensor, directly: bool = False) -> Plan | None:
    """The plan for ``model`` in its present mode; None where losses or gradients are not finite.

    ``directly``: for all parameters.

    Refuses networks in which the outputs for an example depend on the others of its mini-batch, or on chance.
    """
    if mixes_examples(model):
        raise UserError(MIXING.format("has batch normalization, whose statistics mix the examples of a mini-batch"))
    examples = torch.arange(PROBE, device=inputs.device) % len(targets)
    inputs, targets = inputs[examples], targets[examples]
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}

    saved = SavedTensors(parameters.values())
    with capturing(filter(can_be_factored, model.modules())) as uses, saved:
        logits = model(inputs)
    deltas = gradients_of_outputs(summed_loss(model, logits, targets), uses)
    saved.forget()
    ways = {
        parameter: (module, name)
        for module, used in uses.items()
        if used and fits(module, used, PROBE) and not directly
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.requires_grad and name in ("weight", "bias")
    }
    for i in range(PROBE):
        one = slice(i, i + 1)
        alone = model(inputs[one])
        loss = mean_loss(model, alone, targets[one])
        gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
        if not all(bool(tensor.isfinite().all()) for tensor in (alone, logits, *gradients)):
            return None
        if not close(alone.detach(), logits.detach()[one], float(logits.detach().norm())):
            raise UserError(MIXING.format("gives other outputs for an example in a mini-batch than for it alone"))
        size = math.hypot(*(float(gradient.norm()) for gradient in gradients))
        for parameter, gradient in zip(parameters.values(), gradients, strict=True):
            if parameter in ways and not close(_gradient(*ways[parameter], uses, deltas, one), gradient, size):
                del ways[parameter]

    layers = [_layer(module, used, [name for m, name in ways.values() if m is module]) for module, used in uses.items()]
    rest = tuple(name for name, parameter in parameters.items() if parameter not in ways)
    numbers = sum(_numbers(layer, uses[layer.module]) for layer in layers if layer is not None)
    numbers += sum(parameters[name].numel() for name in rest)
    row_bytes = numbers * logits.element_size()
    return Plan(
        tuple(layer for layer in layers if layer is not None),
        rest,
        bool(rest) and _vectorises(model, rest, inputs[:2], targets[:2]),
        row_bytes,
        2 * saved.bytes // PROBE + 2 * row_bytes,  # the backward pass needs about as much again
    )


def _layer(module: nn.Module, uses: list[Use], names: Sequence[str]) -> Layer | None:
    """How ``module`` contributes with its parameters ``names``: in the form whose inner products, and so memory, are less."""
    if not names:
        return None
    weight, bias = "weight" in names, "bias" in names
    out, into = _sizes(module)
    times = positions(module, uses)
    if isinstance(
        module, nn.Embedding
    ):  # the products of its factors are cheaper, of few words that two examples share
        return Layer(module, weight, bias, times <= out)
    return Layer(module, weight, bias, weight and times**2 * (into + out) <= into * out)


def _numbers(layer: Layer, uses: list[Use]) -> int:
    out, into = _sizes(layer.module)
    if layer.factored:
        return positions(layer.module, uses) * (into + (2 if isinstance(layer.module, nn.Embedding) else out))
    return layer.weight * into * out + layer.bias * out


def _sizes(module: nn.Module) -> tuple[int, int]:
    """The numbers of outputs and of inputs; those of a patch for a convolution."""
    weight = module.get_parameter("weight") if "weight" in module._parameters else module.weight
    assert isinstance(weight, Tensor)
    return weight.shape[0], weight[0].numel()


def _gradient(
    module: nn.Module, name: str, uses: dict[nn.Module, list[Use]], deltas: dict[nn.Module, list[Tensor]], one: slice
) -> Tensor:
    """The gradient of one of the examples that the factors of ``module`` give for its parameter ``name``."""
    delta = [tensor[one] for tensor in deltas[module]]
    if name == "bias":
        return bias_gradients(module, delta)
    return weight_gradients(module, [Use(use.input[one], use.output_shape, use.output) for use in uses[module]], delta)


def _vectorises(model: nn.Module, names: Sequence[str], inputs: Tensor, targets: Tensor) -> bool:
    try:
        found = vectorised(model, names, inputs, targets)
    except Exception:  # whatever it is that vmap can't do: the loop gives the same numbers
        return False
    expected = looped(model, names, inputs, targets)
    return close(found, expected, float(expected.norm()))
