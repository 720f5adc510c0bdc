"""The gradients of single examples with respect to the weights of one layer, from what enters and leaves the layer.

A linear layer z = W a + b that example i uses at T positions (of a sequence, or calls in a loop), with inputs a_it and
δ_it = ∂ℓ_i/∂z_it, has the gradient

    ∂ℓ_i/∂W = Σ_t δ_it a_itᵀ,      ∂ℓ_i/∂b = Σ_t δ_it,

so that the inner product of two examples' gradients is Σ_s Σ_t (a_is · a_jt + 1)(δ_is · δ_jt), the 1 for the bias. A
convolution is the same with the patches of its input for a, an embedding with one-hot vectors of its words
(`embedding_factors`). Both forms are exact: the gradient itself, in·out numbers,
and its factors, T·(in + out) numbers, with inner products that cost T²·(in + out) in place of in·out.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.functional import pad, unfold

from breakeven.spectra.blocked_gram import inner_products
from breakeven.spectra.per_example import embedding_factors
from breakeven.spectra.per_example.positions import over_positions


@dataclass(frozen=True)
class Use:
    """One call of a layer in a forward pass: what it was given, and where ∂loss/∂output can be asked for.

    An edge of the graph and not the output itself, which a later operation may overwrite in place.
    """

    input: Tensor
    output_shape: torch.Size
    output: GradientEdge


@contextmanager
def capturing(layers: Iterable[nn.Module]) -> Iterator[dict[nn.Module, list[Use]]]:
    """Record each use of ``layers`` in the forward passes inside the block."""
    uses: dict[nn.Module, list[Use]] = {layer: [] for layer in layers}

    def record(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        given = args[0] if args else kwargs.get("input")
        if isinstance(given, Tensor) and isinstance(output, Tensor) and output.requires_grad:
            uses[layer].append(Use(given.detach(), output.shape, get_gradient_edge(output)))

    with ExitStack() as handles:
        for layer in uses:
            handle = layer.register_forward_hook(record, with_kwargs=True)
            handles.callback(handle.remove)
        yield uses


def gradients_of_outputs(loss: Tensor, uses: dict[nn.Module, list[Use]]) -> dict[nn.Module, list[Tensor]]:
    """∂loss/∂z for each use of each layer, from one backward pass; zeros where nothing depends."""
    edges = [use for used in uses.values() for use in used]
    found = torch.autograd.grad(loss, [use.output for use in edges], allow_unused=True) if edges else ()
    deltas = (
        loss.new_zeros(use.output_shape) if part is None else part for part, use in zip(found, edges, strict=True)
    )
    return {layer: [next(deltas) for _ in used] for layer, used in uses.items()}


def can_be_factored(layer: nn.Module) -> bool:
    """Whether this module has a formula: linear, embedding, or an ungrouped convolution of zero-padded pictures."""
    if isinstance(layer, nn.Embedding):
        return embedding_factors.has_factors(layer)
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and layer.padding_mode == "zeros"
    return isinstance(layer, nn.Linear)


def fits(layer: nn.Module, uses: list[Use], examples: int) -> bool:
    """Whether the first axis of all inputs and outputs can be that of the examples."""
    least = 4 if isinstance(layer, nn.Conv2d) else 1 if isinstance(layer, nn.Embedding) else 2
    return all(use.input.dim() >= least and use.input.shape[0] == use.output_shape[0] == examples for use in uses)


def positions(layer: nn.Module, uses: list[Use]) -> int:
    """T, at how many positions of an example the layer was used."""
    channel = 1 if isinstance(layer, nn.Conv2d) else -1
    return sum(use.output_shape.numel() // (use.output_shape[0] * use.output_shape[channel]) for use in uses)


def factors(layer: nn.Module, uses: list[Use], deltas: list[Tensor]) -> tuple[Tensor, Tensor]:
    """a, (examples, T, in), and δ, (examples, T, out), of all uses; in counts the numbers of a patch for a convolution.

    For an embedding, in place of a the words, (examples, T), and δ is zero at the padding.
    """
    inputs, outputs = [], []
    for use, delta in zip(uses, deltas, strict=True):
        if isinstance(layer, nn.Conv2d):
            given, padding = _padded(layer, use.input)
            patches = unfold(given, layer.kernel_size, layer.dilation, padding, layer.stride)
            inputs.append(patches.transpose(1, 2))
            outputs.append(delta.flatten(2).transpose(1, 2))
        elif isinstance(layer, nn.Embedding):
            kept = embedding_factors.without_padding(layer, use.input, delta)
            inputs.append(use.input.reshape(len(delta), -1))
            outputs.append(kept.reshape(len(delta), -1, delta.shape[-1]))
        else:
            inputs.append(use.input.reshape(len(delta), -1, use.input.shape[-1]))
            outputs.append(delta.reshape(len(delta), -1, delta.shape[-1]))
    return torch.cat(inputs, dim=1), torch.cat(outputs, dim=1)


def weight_gradients(layer: nn.Module, uses: list[Use], deltas: list[Tensor]) -> Tensor:
    """∂ℓ_i/∂W of each example, (examples, in·out)."""
    if isinstance(layer, nn.Conv2d):
        parts = [_convolution_gradients(layer, use.input, delta) for use, delta in zip(uses, deltas, strict=True)]
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]
    given, delta = factors(layer, uses, deltas)
    if isinstance(layer, nn.Embedding):
        return embedding_factors.gradients(layer, given, delta)
    return (delta.transpose(1, 2) @ given).flatten(1)


def bias_gradients(layer: nn.Module, deltas: list[Tensor]) -> Tensor:
    """∂ℓ_i/∂b of each example, (examples, out)."""
    if isinstance(layer, nn.Conv2d):
        return torch.stack([delta.sum(dim=(2, 3)) for delta in deltas]).sum(dim=0)
    return torch.stack([delta.reshape(len(delta), -1, delta.shape[-1]).sum(dim=1) for delta in deltas]).sum(dim=0)


def factored_inner_products(
    inputs: tuple[Tensor, Tensor], deltas: tuple[Tensor, Tensor], bias: bool, slice_bytes: float
) -> Tensor:
    """Σ_s Σ_t (a_is · a_jt + 1)(δ_is · δ_jt) in float64; without the 1 where no ``bias`` is.

    ``inputs``: a of the examples i and j, (p, T, in) and (q, T, in); ``deltas``: δ of both. The result is (p, q).
    """

    def alike(x: Tensor, y: Tensor) -> Tensor:
        return inner_products(x, y, slice_bytes / 2) + float(bias)

    return over_positions(inputs, deltas, alike, slice_bytes)


def _padded(layer: nn.Conv2d, given: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """The input and the padding that is left to do; "same" may pad one side by one more than the other."""
    if not isinstance(layer.padding, str):
        return given, (int(layer.padding[0]), int(layer.padding[1]))
    if layer.padding == "valid":
        return given, (0, 0)
    sides: list[int] = []
    for size, dilation in zip(reversed(layer.kernel_size), reversed(layer.dilation), strict=True):
        missing = dilation * (size - 1)
        sides += [missing // 2, missing - missing // 2]
    return pad(given, sides), (0, 0)


def _convolution_gradients(layer: nn.Conv2d, given: Tensor, delta: Tensor) -> Tensor:
    """The weight gradient of each example: that of one convolution with a group for each example, (examples, in·out).

    As fast as the gradient of the batch on a CPU, and four times as fast as patches times δ.
    """
    examples = len(delta)
    given, padding = _padded(layer, given)
    shape = (examples * layer.out_channels, *layer.weight.shape[1:])
    gradient = torch.ops.aten.convolution_backward(
        delta.reshape(1, -1, *delta.shape[2:]),
        given.reshape(1, -1, *given.shape[2:]),
        given.new_empty(1).expand(shape),  # only its shape matters
        None,
        layer.stride,
        padding,
        layer.dilation,
        False,
        (0, 0),
        examples,
        (False, True, False),
    )[1]
    flat: Tensor = gradient.reshape(examples, -1)
    return flat
