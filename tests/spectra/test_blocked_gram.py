import pytest
import torch

from breakeven.spectra import blocked_gram as module
from breakeven.spectra.blocked_gram import blocked_gram, inner_products, slice_bytes, too_small


def rows_of(count, width=17, dtype=torch.float64):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 37])
@pytest.mark.parametrize("capacity", [2, 3, 9, 16, 36, 37, 100])
def test_blocks_change_nothing_and_never_hold_more_than_their_capacity(count, capacity):
    rows, evaluated = rows_of(count), []

    memory = torch.empty(capacity, 17, dtype=torch.float64)

    def rows_of_block(start, stop, place):
        assert 0 <= start < stop <= count
        evaluated.append(stop - start)
        block = memory[place : place + stop - start]
        block.copy_(rows[start:stop])
        return block

    def inner(x, y):
        return x @ y.T

    gram = blocked_gram(count, rows_of_block, inner, capacity)
    torch.testing.assert_close(gram, rows @ rows.T, rtol=1e-14, atol=1e-14)
    blocks = -(-count // max(1, capacity - max(1, capacity // 8)))
    assert sum(evaluated) <= count * (blocks + 1) / 2 + capacity
    if count <= capacity:
        assert evaluated == [count]


def test_a_pair_needs_two():
    with pytest.raises(ValueError, match="capacity is 1"):
        blocked_gram(2, lambda start, stop, place: rows_of(2)[start:stop], lambda x, y: x @ y.T, 1)


@pytest.mark.parametrize("bytes_at_once", [1, 500, 2**24])
@pytest.mark.parametrize("count", [1, 5, 150])
def test_inner_products_are_those_of_float64(count, bytes_at_once, monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 64)
    x, y = rows_of(count, dtype=torch.float32), rows_of(7, dtype=torch.float32).flip(0)
    for left, right in ((x, x), (x, y), (x, x.clone())):
        expected = left.double() @ right.double().T
        torch.testing.assert_close(inner_products(left, right, bytes_at_once), expected, rtol=1e-13, atol=1e-13)
    assert torch.equal(inner_products(x, x), inner_products(x, x).T)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("needed_mb", [0.004, 3, 50, 1000, 20000])
def test_the_limit_that_the_error_asks_for_is_enough(needed_mb, device):
    needed, on = needed_mb * 2**20, torch.device(device)
    error = str(too_small(0.001, needed, "these rows", on))
    assert error.startswith("memory_mb: 0.001 is too small for these rows")
    asked = float(error.partition("about ")[2].partition(";")[0])
    assert asked * 1.06 * 2**20 - slice_bytes(asked * 1.06, on) >= needed
    assert asked * 0.94 * 2**20 - slice_bytes(asked * 0.94, on) < needed
