"""Second-order Taylor arithmetic: evaluated on x(a) = x + a·x' + a²/2·x'', a network gives two derivatives of its output.

A `Jet` is a tensor that carries its value, first and second derivative with respect to a scalar a at a = 0 through whatever
is done with it (Taylor-mode differentiation; Griewank and Walther, Evaluating Derivatives, SIAM 2008, chapter 13). For any
operation f that is

    f(x(a))  ->  f(x),   Df(x)[x'],   D²f(x)[x', x'] + Df(x)[x''],

which two nested forward-mode derivatives of PyTorch give for that one operation. Of the whole network they would compute
the first derivative twice and multiply by zeros: 34 convolutions for SimpleCNN, where the product rule needs 18. So products,
which are nearly all of the cost, have rules of their own, and so have ReLU and max-pool, whose kinks are left out of the
derivatives as everywhere in PyTorch, what is linear in one tensor, and what recurrent networks and transformers do often.

An embedding's vector for padding is a constant to PyTorch's reverse mode, and to ours, but not to its forward mode.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp
from torch.nn import functional
from torch.utils._pytree import tree_flatten, tree_unflatten

from breakeven.spectra import recurrent
from breakeven.store.errors import UserError

Part = Tensor | None  # None is a derivative that is zero


class NoForwardMode(UserError):
    """An operation of the network has no second derivative in forward mode."""


class Jet(Tensor):
    """A tensor with its ``value`` and its ``first`` and ``second`` derivative; None where that is zero."""

    value: Tensor
    first: Part
    second: Part

    @staticmethod
    def __new__(cls, value: Tensor, first: Part, second: Part) -> "Jet":
        """A tensor that shares the value's memory."""
        jet: Jet = torch.Tensor._make_subclass(cls, value)
        jet.value, jet.first, jet.second = value, first, second
        return jet

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What PyTorch calls for every operation on a Jet."""
        return RULES.get(func, _any)(func, args, kwargs or {})


def _parts(x: Any) -> tuple[Tensor, Part, Part]:
    return (x.value, x.first, x.second) if isinstance(x, Jet) else (x, None, None)


def _any(func: Any, args: Any, kwargs: Any) -> Any:
    """Any operation on any number of Jets, by two nested forward-mode derivatives of it alone."""
    if getattr(func, "__name__", "") == "__setitem__":
        raise NoForwardMode("the network assigns to a part of a tensor, which has no second derivative in forward mode")
    leaves, structure = tree_flatten((args, kwargs))
    jets = [index for index, leaf in enumerate(leaves) if isinstance(leaf, Jet)]
    values = tuple(leaves[index].value for index in jets)
    firsts, seconds = (
        tuple(
            torch.zeros_like(leaves[index].value) if part is None else part
            for index in jets
            for part in (getattr(leaves[index], name),)
        )
        for name in ("first", "second")
    )
    output: list[Any] = []

    def of_values(*given: Tensor) -> tuple[Tensor, ...]:
        """The outputs that are differentiable; all of them, and their structure, are left in ``output``."""
        replaced = list(leaves)
        for index, tensor in zip(jets, given, strict=True):
            replaced[index] = tensor.clone() if _in_place(func, kwargs) else tensor
        new_args, new_kwargs = tree_unflatten(replaced, structure)
        output[:] = tree_flatten(func(*new_args, **new_kwargs))
        return tuple(leaf for leaf in output[0] if _differentiable(leaf))

    def derivative(*given: Tensor) -> Any:
        return jvp(of_values, given[: len(jets)], given[len(jets) :])

    with torch._C.DisableTorchFunctionSubclass():
        if not of_values(*values):  # a shape, a type, integers
            return tree_unflatten(*output)
        results, of_results = list(output[0]), output[1]
        try:
            both: Any = jvp(derivative, values + firsts, firsts + seconds)
        except NotImplementedError as error:
            raise NoForwardMode(_refusal(func)) from error
        (y, first), (_, second) = both
    found = iter(zip(y, first, second, strict=True))
    jets_out = [Jet(*next(found)) if _differentiable(leaf) else leaf for leaf in results]
    return _stored(args[0], jets_out[0]) if _in_place(func, kwargs) else tree_unflatten(jets_out, of_results)


def _refusal(func: Any) -> str:
    return (
        f"the network uses '{getattr(func, '__name__', func)}', of which PyTorch has no second derivative in forward mode: "
        "Eq. 1 can't be measured with it; write it in other operations"
    )


def _differentiable(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def _in_place(func: Any, kwargs: Any) -> bool:
    """Whether it changes its first argument; PyTorch hands ``inplace`` on by name."""
    name = getattr(func, "__name__", "")
    return (
        bool(kwargs.get("inplace"))
        or name in ("__iadd__", "__isub__", "__imul__", "__itruediv__")
        or (name[-1:] == "_" and name[-2:] != "__")
    )


def _stored(x: Any, result: Any) -> Any:
    """``x``, changed in place into ``result``."""
    x.value, x.first, x.second = _parts(result)
    return x


def _of_one(rule: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """``rule``, where it is given one Jet, first and by position; any other call in the general way."""

    def checked(func: Any, args: Any, kwargs: Any) -> Any:
        more = any(isinstance(other, Jet) for other in (*args[1:], *kwargs.values()))
        return _any(func, args, kwargs) if more else rule(func, args, kwargs)

    return checked


def _product(func: Any, args: Any, kwargs: Any) -> Any:
    """Linear layers, convolutions and products of matrices and of numbers; a bias is added."""
    if len(args) < 2:  # given by names
        return _any(func, args, kwargs)
    x, y, *rest = args
    bias: tuple[Part, Part, Part] = (None, None, None)
    if func in (functional.linear, torch.conv2d):
        given = rest.pop(0) if rest else kwargs.get("bias")
        kwargs = {name: value for name, value in kwargs.items() if name != "bias"}
        shape = (-1, 1, 1) if func is torch.conv2d else (-1,)
        if given is not None:
            b0, b1, b2 = (None if part is None else part.view(shape) for part in _parts(given))
            bias = (b0, b1, b2)
        rest = [None, *rest]

    def product(left: Part, right: Part) -> Part:
        return None if left is None or right is None else func(left, right, *rest, **kwargs)

    (x0, x1, x2), (y0, y1, y2) = _parts(x), _parts(y)
    mixed = product(x1, y1)
    return _jet(
        _sum(product(x0, y0), bias[0]),
        _sum(product(x1, y0), product(x0, y1), bias[1]),
        _sum(product(x2, y0), None if mixed is None else 2 * mixed, product(x0, y2), bias[2]),
    )


def _jet(value: Part, first: Part, second: Part) -> Jet:
    """A Jet whose derivatives have the shape of the value, also where they are those of a bias alone."""
    assert value is not None
    return Jet(value, *(None if part is None else part.expand_as(value) for part in (first, second)))


def _sum(*terms: Part) -> Part:
    total: Part = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


@_of_one
def _linear(func: Any, args: Any, kwargs: Any) -> Any:
    """What is linear in its first argument: it acts on each part alone."""
    if func is Tensor.view and kwargs:
        return _any(func, args, kwargs)
    x, *rest = args
    value = func(x.value, *rest, **kwargs)
    if not value.is_floating_point():
        return value
    act = Tensor.reshape if func is Tensor.view else func  # derivatives may lie in memory in another way
    return Jet(value, *(None if part is None else act(part, *rest, **kwargs) for part in (x.first, x.second)))


@_of_one
def _pieces(func: Any, args: Any, kwargs: Any) -> Any:
    """What cuts its first argument into several."""
    x, *rest = args
    value, first, second = (None if part is None else func(part, *rest, **kwargs) for part in _parts(x))
    assert value is not None
    none = [None] * len(value)
    return tuple(Jet(*parts) for parts in zip(value, first or none, second or none, strict=True))


def _join(func: Any, args: Any, kwargs: Any) -> Any:
    """`torch.cat`: zeros for the pieces that have no derivative where another one has."""
    if not args:
        return _any(func, args, kwargs)
    pieces, *rest = args
    parts = [_parts(piece) for piece in pieces]

    def joined(order: int) -> Part:
        if all(piece[order] is None for piece in parts):
            return None
        filled = [torch.zeros_like(piece[0]) if piece[order] is None else piece[order] for piece in parts]
        whole: Tensor | None = func(filled, *rest, **kwargs)
        return whole

    return _jet(joined(0), joined(1), joined(2))


def _addition(func: Any, args: Any, kwargs: Any) -> Any:
    """Sums and differences, broadcast."""
    if len(args) != 2 or kwargs:
        return _any(func, args, kwargs)
    (x0, x1, x2), (y0, y1, y2) = map(_parts, args)
    sign = -1 if func in (Tensor.sub, torch.sub) else 1

    def added(x: Part, y: Part) -> Part:
        return _sum(x, y if y is None or sign == 1 else -y)

    return _jet(func(x0, y0), added(x1, y1), added(x2, y2))


def _elementwise(derivatives: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[[Any, Any, Any], Any]:
    """A rule from f'(x) and f''(x), given x and f(x): f(x(a))' = f'(x) x', f(x(a))'' = f'(x) x'' + f''(x) x'²."""

    def rule(func: Any, args: Any, kwargs: Any) -> Any:
        if len(args) != 1 or kwargs.get("approximate", "none") != "none":
            return _any(func, args, kwargs)
        x, x1, x2 = _parts(args[0])
        y = func(x, **kwargs)
        if x1 is None and x2 is None:
            return Jet(y, None, None)
        slope, bend = derivatives(x, y)
        straight = None if x2 is None else slope * x2
        if x1 is None:
            return Jet(y, None, straight)
        return Jet(y, slope * x1, _sum(straight, bend * x1.square()))

    return rule


def _of_tanh(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    slope = 1 - y.square()
    return slope, -2 * y * slope


def _of_sigmoid(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    slope = y * (1 - y)
    return slope, slope * (1 - 2 * y)


def _of_square(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 2 * x, torch.full_like(x, 2)


def _of_rsqrt(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    slope = -0.5 * y / x
    return slope, -1.5 * slope / x


def _of_gelu(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Of x Φ(x), with Φ the normal distribution and φ its density: Φ + xφ and (2 − x²) φ."""
    density = torch.exp(-0.5 * x.square()) / math.sqrt(2 * math.pi)
    return torch.special.ndtr(x) + x * density, (2 - x.square()) * density


@_of_one
def _softmax(func: Any, args: Any, kwargs: Any) -> Any:
    """With u = x' − Σ p x': p' = p u, p'' = p (u² + x'' − Σ p (u² + x''))."""
    x, x1, x2 = _parts(args[0])
    axis = kwargs.get("dim")
    if axis is None or x1 is None:
        return _any(func, args, kwargs)
    p = func(x, **kwargs)

    def centred(part: Tensor) -> Tensor:
        expected: Tensor = part - (p * part).sum(dim=axis, keepdim=True)
        return expected

    u = centred(x1)
    bent = u.square() if x2 is None else u.square() + x2
    return Jet(p, p * u, p * centred(bent))


def _embedding(func: Any, args: Any, kwargs: Any) -> Any:
    """Linear in the weight, whose derivatives are left out at the padding, as in reverse mode."""
    words, weight = args
    padding = kwargs.get("padding_idx")
    if kwargs.get("max_norm") is not None:
        return _any(func, args, kwargs)
    value, first, second = (None if part is None else functional.embedding(words, part) for part in _parts(weight))
    if padding is not None:
        there = (words != padding % len(weight.value))[..., None]
        first, second = (None if part is None else part * there for part in (first, second))
    return _jet(value, first, second)


@_of_one
def _dropout(func: Any, args: Any, kwargs: Any) -> Any:
    """Nothing, where the network is not in training."""
    return _any(func, args, kwargs) if kwargs.get("training", True) else args[0]


def _recurrent(func: Any, args: Any, kwargs: Any) -> Any:
    """A layer of PyTorch's own, written out."""
    if recurrent.packed(args):
        raise NoForwardMode(
            f"the network gives a packed sequence to '{func.__name__}': Eq. 1 can't be measured with it; give it padded ones"
        )
    if kwargs or not recurrent.supported(args):
        return _any(func, args, kwargs)
    return getattr(recurrent, func.__name__)(*args)


def _recurrent_cell(func: Any, args: Any, kwargs: Any) -> Any:
    return getattr(recurrent, func.__name__)(*args, **kwargs)


def _of_value(func: Any, args: Any, kwargs: Any) -> Any:
    """Shapes and types."""
    return func(args[0].value, *args[1:], **kwargs)


@_of_one
def _relu(func: Any, args: Any, kwargs: Any) -> Any:
    """Where the value is not positive, derivatives are zero."""
    value, first, second = _parts(args[0])
    positive = value > 0
    result = Jet(torch.relu(value), *(None if part is None else part * positive for part in (first, second)))
    return _stored(args[0], result) if _in_place(func, kwargs) else result


@_of_one
def _max_pool(func: Any, args: Any, kwargs: Any) -> Any:
    """The derivatives at the places of the largest values."""
    if kwargs.get("return_indices"):
        return _any(func, args, kwargs)
    value, first, second = _parts(args[0])
    largest, places = functional.max_pool2d_with_indices(value, *args[1:], **kwargs)

    def there(part: Part) -> Part:
        return None if part is None else part.flatten(-2).gather(-1, places.flatten(-2)).view_as(largest)

    return Jet(largest, there(first), there(second))


RULES: dict[Any, Callable[[Any, Any, Any], Any]] = {
    **dict.fromkeys([functional.linear, torch.conv2d, torch.matmul, Tensor.matmul, Tensor.mul, torch.mul], _product),
    **dict.fromkeys([Tensor.add, torch.add, Tensor.sub, torch.sub], _addition),
    **dict.fromkeys([functional.relu, torch.relu], _relu),
    **dict.fromkeys([functional.max_pool2d, torch.max_pool2d], _max_pool),
    **dict.fromkeys([Tensor.tanh, torch.tanh], _elementwise(_of_tanh)),
    **dict.fromkeys([Tensor.sigmoid, torch.sigmoid], _elementwise(_of_sigmoid)),
    **dict.fromkeys([Tensor.square, torch.square], _elementwise(_of_square)),
    **dict.fromkeys([Tensor.rsqrt, torch.rsqrt], _elementwise(_of_rsqrt)),
    functional.gelu: _elementwise(_of_gelu),
    functional.softmax: _softmax,
    functional.embedding: _embedding,
    functional.dropout: _dropout,
    **dict.fromkeys([torch.lstm, torch.gru], _recurrent),
    **dict.fromkeys([torch.lstm_cell, torch.gru_cell], _recurrent_cell),
    torch.cat: _join,
    **dict.fromkeys([Tensor.chunk, torch.chunk, Tensor.unbind, torch.unbind], _pieces),
    **dict.fromkeys([torch.flatten, Tensor.flatten, Tensor.view, Tensor.reshape, Tensor.transpose], _linear),
    **dict.fromkeys([Tensor.permute, Tensor.contiguous, Tensor.mean, Tensor.sum, Tensor.__getitem__], _linear),
    **dict.fromkeys([functional.avg_pool2d, functional.adaptive_avg_pool2d], _linear),
    **dict.fromkeys([Tensor.to, Tensor.neg, Tensor.unsqueeze], _linear),
    **dict.fromkeys([Tensor.size, Tensor.dim, Tensor.__len__], _of_value),
    **{getattr(Tensor, name).__get__: _of_value for name in ("shape", "dtype", "device", "ndim")},
}
