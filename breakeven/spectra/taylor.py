"""Second-order Taylor arithmetic: evaluated on x(a) = x + a·x' + a²/2·x'', a network gives two derivatives of its output.

A `Jet` is a tensor that carries its value, first and second derivative with respect to a scalar a at a = 0 through whatever
is done with it (Taylor-mode differentiation; Griewank and Walther, Evaluating Derivatives, SIAM 2008, chapter 13). For any
operation f that is

    f(x(a))  ->  f(x),   Df(x)[x'],   D²f(x)[x', x'] + Df(x)[x''],

which two nested forward-mode derivatives of PyTorch give for that one operation. Of the whole network they would compute
the first derivative twice and multiply by zeros: 34 convolutions for SimpleCNN, where the product rule needs 18. So products,
which are nearly all of the cost, have rules of their own, and so have ReLU and max-pool, whose kinks are left out of the
derivatives as everywhere in PyTorch, and what is linear in one tensor.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import jvp
from torch.nn import functional
from torch.utils._pytree import tree_flatten, tree_unflatten

Part = Tensor | None  # None is a derivative that is zero


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
        raise TypeError("assigning to a part of a tensor has no second derivative here: use torch.where or torch.cat")
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
            replaced[index] = tensor.clone() if _in_place(func) else tensor
        new_args, new_kwargs = tree_unflatten(replaced, structure)
        output[:] = tree_flatten(func(*new_args, **new_kwargs))
        return tuple(leaf for leaf in output[0] if _differentiable(leaf))

    def derivative(*given: Tensor) -> Any:
        return jvp(of_values, given[: len(jets)], given[len(jets) :])

    with torch._C.DisableTorchFunctionSubclass():
        if not of_values(*values):  # a shape, a type, integers
            return tree_unflatten(*output)
        results, of_results = list(output[0]), output[1]
        both: Any = jvp(derivative, values + firsts, firsts + seconds)
        (y, first), (_, second) = both
    found = iter(zip(y, first, second, strict=True))
    jets_out = [Jet(*next(found)) if _differentiable(leaf) else leaf for leaf in results]
    if _in_place(func):
        args[0].value, args[0].first, args[0].second = _parts(jets_out[0])
        return args[0]
    return tree_unflatten(jets_out, of_results)


def _differentiable(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def _in_place(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return name in ("__iadd__", "__isub__", "__imul__", "__itruediv__") or (name[-1:] == "_" and name[-2:] != "__")


def _product(func: Any, args: Any, kwargs: Any) -> Any:
    """Linear layers, convolutions and matrix products: (x y)'' = x'' y + 2 x' y' + x y''; a bias is added."""
    if len(args) < 2:  # given by names
        return _any(func, args, kwargs)
    x, y, *rest = args
    bias: tuple[Part, Part, Part] = (None, None, None)
    if func is not torch.matmul:
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
    value = _sum(product(x0, y0), bias[0])
    assert value is not None
    return Jet(
        value,
        _sum(product(x1, y0), product(x0, y1), bias[1]),
        _sum(product(x2, y0), None if mixed is None else 2 * mixed, product(x0, y2), bias[2]),
    )


def _sum(*terms: Part) -> Part:
    total: Part = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _linear(func: Any, args: Any, kwargs: Any) -> Any:
    """What is linear in its first argument: it acts on each part alone."""
    x, *rest = args
    value, first, second = (None if part is None else func(part, *rest, **kwargs) for part in _parts(x))
    return Jet(value, first, second) if value is not None else None


def _relu(func: Any, args: Any, kwargs: Any) -> Any:
    """Where the value is not positive, derivatives are zero."""
    value, first, second = _parts(args[0])
    positive = value > 0
    return Jet(torch.relu(value), *(None if part is None else part * positive for part in (first, second)))


def _max_pool(func: Any, args: Any, kwargs: Any) -> Any:
    """The derivatives at the places of the largest values."""
    value, first, second = _parts(args[0])
    largest, places = functional.max_pool2d_with_indices(value, *args[1:], **kwargs)

    def there(part: Part) -> Part:
        return None if part is None else part.flatten(-2).gather(-1, places.flatten(-2)).view_as(largest)

    return Jet(largest, there(first), there(second))


RULES: dict[Any, Callable[[Any, Any, Any], Any]] = {
    functional.linear: _product,
    torch.conv2d: _product,
    torch.matmul: _product,
    functional.relu: _relu,
    torch.relu: _relu,
    torch.max_pool2d: _max_pool,
    torch.flatten: _linear,
    Tensor.flatten: _linear,
    Tensor.view: _linear,
    Tensor.reshape: _linear,
    Tensor.mean: _linear,
    Tensor.__getitem__: _linear,
}
