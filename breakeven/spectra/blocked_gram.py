"""Gram matrices of more rows than memory holds: a block of rows is held while the later rows pass by.

With N rows, of which a c-th part fits in memory, each row is evaluated about (c + 1) / 2 times. Inner products are
accumulated in float64, since the smallest eigenvalues of a Gram matrix can be below the rounding of its largest in float32.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from breakeven.store.errors import UserError

Rows = TypeVar("Rows")

MEGABYTE = 2**20
# of float64 columns at a time; more does not make the products faster on a CPU, and a GPU need not be asked so often
SLICE_BYTES, SLICE_BYTES_ON_GPU = 2**24, 2**30
ROWS_AT_ONCE = 64  # of a symmetric product; only blocks on or above the diagonal are computed


def blocked_gram(
    count: int,
    rows_of_block: Callable[[int, int, int], Rows],
    inner: Callable[[Rows, Rows], Tensor],
    capacity: int,
) -> Tensor:
    """A_ij = g_i · g_j, uncentred, (count, count), float64, with at most ``capacity`` rows in memory at once.

    ``rows_of_block(start, stop, place)`` computes the rows from start to stop, in whatever form, where those at the places
    from ``place`` on may be overwritten, of ``capacity`` places; ``inner(x, y)`` is the matrix of inner products of two
    blocks. Every row is computed once for its own block and once for each earlier block, which it has to pass by.
    """
    if count <= capacity:
        rows = rows_of_block(0, count, 0)
        return inner(rows, rows)
    passing = max(1, capacity // 8)
    held = capacity - passing
    if held < 1:
        raise ValueError(f"the inner product of two rows needs both in memory, and the capacity is {capacity}")
    gram: Tensor | None = None
    for start in range(0, count, held):
        stop = min(start + held, count)
        block = rows_of_block(start, stop, 0)
        corner = inner(block, block)
        gram = corner.new_empty(count, count) if gram is None else gram
        gram[start:stop, start:stop] = corner
        for first in range(stop, count, passing):
            last = min(first + passing, count)
            side = inner(block, rows_of_block(first, last, held))
            gram[start:stop, first:last] = side
            gram[first:last, start:stop] = side.T
    assert gram is not None
    return gram


def inner_products(x: Tensor, y: Tensor, slice_bytes: float = SLICE_BYTES) -> Tensor:
    """``x @ y.T`` in float64 for (p, d) and (q, d), a slice of columns at a time; half of the work where y is x."""
    columns = max(1, int(slice_bytes / 8 / (len(x) if y is x else len(x) + len(y))))
    total = torch.zeros(len(x), len(y), dtype=torch.float64, device=x.device)
    if y is not x:
        for left, right in zip(x.split(columns, dim=1), y.split(columns, dim=1), strict=True):
            total.addmm_(left.to(torch.float64), right.to(torch.float64).T)
        return total
    for part in x.split(columns, dim=1):
        part = part.to(torch.float64)
        for start in range(0, len(x), ROWS_AT_ONCE):
            total[start : start + ROWS_AT_ONCE, start:].addmm_(part[start : start + ROWS_AT_ONCE], part[start:].T)
    return total.triu() + total.triu(1).T


def slice_bytes(memory_mb: float, device: torch.device) -> float:
    """The part of a memory limit, in bytes, that is set aside for float64 slices: an eighth, and not more than is of use."""
    return min(_most(device), memory_mb * MEGABYTE / 8)


def _most(device: torch.device) -> int:
    return SLICE_BYTES_ON_GPU if device.type == "cuda" else SLICE_BYTES


def too_small(memory_mb: float, needed_bytes: float, what: str, device: torch.device) -> UserError:
    """The error for a limit that ``needed_bytes``, the least there can be, and the slices exceed."""
    needed = (needed_bytes + min(_most(device), needed_bytes / 7)) / MEGABYTE
    shown = f"{needed:.0f}" if needed >= 100 else f"{needed:.2g}"
    return UserError(f"memory_mb: {memory_mb:g} is too small for {what}: two at a time need about {shown}; raise it")
