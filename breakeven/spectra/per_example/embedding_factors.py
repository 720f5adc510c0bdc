"""The gradients of single examples with respect to an embedding, from the words of each example and what comes back to them.

Example i has the words w_it, and δ_it = ∂ℓ_i/∂z_it for their vectors z_it. Its gradient ∂ℓ_i/∂W = Σ_t e_{w_it} δ_itᵀ has
words·numbers entries, 10 MB on IMDB, nearly all of them zero. The inner product of two examples needs only the words that
both have: Σ_w D_iw · D_jw with D_iw = Σ_{t: w_it = w} δ_it, which is Σ_s Σ_t [w_is = w_jt] δ_is · δ_jt.
"""

import torch
from torch import Tensor, nn

from breakeven.spectra.blocked_gram import inner_products
from breakeven.spectra.per_example.positions import over_positions

Factors = tuple[Tensor, Tensor]  # the words, (examples, T), and δ, (examples, T, numbers)


def has_factors(layer: nn.Embedding) -> bool:
    """Whether a word's gradient is the sum of what comes back to it, as for every embedding without special options."""
    return layer.max_norm is None and not layer.scale_grad_by_freq


def without_padding(layer: nn.Embedding, words: Tensor, delta: Tensor) -> Tensor:
    """δ with zeros for the padding, whose vector is constant."""
    return delta if layer.padding_idx is None else delta * (words != layer.padding_idx)[..., None]


def gradients(layer: nn.Embedding, words: Tensor, delta: Tensor) -> Tensor:
    """∂ℓ_i/∂W of each example, (examples, words·numbers)."""
    count, (vocabulary, _) = len(words), layer.weight.shape
    rows = words + vocabulary * torch.arange(count, device=words.device)[:, None]
    return _summed(delta.flatten(0, 1), rows.flatten(), count * vocabulary).reshape(count, -1)


def embedding_inner_products(x: Factors, y: Factors, slice_bytes: float) -> Tensor:
    """Σ_w D_iw · D_jw in float64 for the examples i of ``x`` and j of ``y``.

    On a CPU word by word of those that both blocks have, a fiftieth of the work of all pairs of positions. On a GPU all pairs
    are had sooner than it would be asked for thousands of words.
    """
    if x[1].device.type == "cuda":
        return over_positions((x[0], y[0]), (x[1], y[1]), same_word, slice_bytes)
    return _word_by_word(x, y, slice_bytes)


def same_word(x: Tensor, y: Tensor) -> Tensor:
    """1 where word i of ``x`` is word j of ``y``, (m, k)."""
    return x[:, None] == y


def _word_by_word(x: Factors, y: Factors, slice_bytes: float) -> Tensor:
    ours, theirs = _by_word(*x), _by_word(*y) if y[0] is not x[0] else None
    total = torch.zeros(len(x[0]), len(y[0]), dtype=torch.float64, device=x[0].device)
    for word, (examples, sums) in ours.items():
        if theirs is None:
            total[examples[:, None], examples] += inner_products(sums, sums, slice_bytes)
        elif word in theirs:
            others, other_sums = theirs[word]
            total[examples[:, None], others] += inner_products(sums, other_sums, slice_bytes)
    return total


def _by_word(words: Tensor, delta: Tensor) -> dict[int, tuple[Tensor, Tensor]]:
    """For each word the examples that have it, each once, and the D_iw of those."""
    count = len(words)
    keys = words * count + torch.arange(count, device=words.device)[:, None]  # sorts by word, then by example
    pairs, places = keys.flatten().unique(return_inverse=True)
    sums = _summed(delta.flatten(0, 1), places.flatten(), len(pairs))
    found, sizes = (pairs // count).unique_consecutive(return_counts=True)
    parts = zip((pairs % count).split(sizes.tolist()), sums.split(sizes.tolist()), strict=True)
    return dict(zip(found.tolist(), parts, strict=True))


def _summed(delta: Tensor, places: Tensor, count: int) -> Tensor:
    """The sums of the rows of ``delta`` by their ``places``, (count, numbers): always in the same order, also on a GPU."""
    summed: Tensor = torch.ops.aten.embedding_dense_backward(delta, places, count, -1, False)
    return summed
