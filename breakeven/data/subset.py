"""Draw the subset of a data set's examples that is read at all."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from breakeven.store.errors import UserError

T = TypeVar("T")


def draw(
    loader: str, items: Sequence[T], examples: int | None, generator: np.random.Generator, where: object
) -> Sequence[T]:
    """``examples`` of the ``items`` found at ``where``, in their order; all of them where None."""
    if examples is None:
        return items
    if examples > len(items):
        raise UserError(f"{loader}: {examples} examples asked for, '{where}' has {len(items)}")
    return [items[i] for i in np.sort(generator.permutation(len(items))[:examples])]
