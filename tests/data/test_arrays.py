import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from breakeven.data import arrays as module
from breakeven.data.arrays import DTYPES, write_arrays

DRAWS = np.random.default_rng(0)
PICTURES = DRAWS.integers(0, 256, (7, 3, 5, 4), dtype=np.uint8)

CASES = {
    "nothing": {},
    "a data set": {
        "train_inputs": PICTURES,
        "train_labels": np.arange(7),
        "test_inputs": PICTURES[:2],
        "test_labels": np.arange(2),
        "measured": np.array([6, 2, 3]),
    },
    "texts": {"inputs": DRAWS.integers(0, 20_000, (11, 3, 9), dtype=np.int32), "labels": np.zeros(11, np.int64)},
    "every type": {name: DRAWS.integers(0, 2, (2, 3)).astype(name) for name in DTYPES},
    "one type, many names": {name: np.full(3, len(name), np.uint8) for name in ("b", "a", "ab", "Z", "é", 'x"y')},
    "empty": {"a": np.zeros((0, 3), np.uint8), "b": np.zeros((3, 0), np.int64), "c": np.zeros(0, np.float32)},
    "numbers without dimensions": {"a": np.array(3.5), "b": np.array(4, np.uint8)},
    "one large row": {"a": DRAWS.integers(0, 256, (2, 5000), dtype=np.uint8)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("piece", [1, 50, 64 * 2**20])
def test_what_safetensors_reads_and_writes(tmp_path, monkeypatch, case, piece):
    """Equal arrays, and the very bytes, in pieces of any size."""
    monkeypatch.setattr(module, "PIECE", piece)
    arrays = CASES[case]
    write_arrays(tmp_path / "ours", arrays)
    save_file(arrays, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    loaded = load_file(tmp_path / "ours")
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (loaded[name].dtype, loaded[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(loaded[name], array)


def test_the_order_of_the_names_changes_nothing(tmp_path):
    arrays = CASES["a data set"]
    write_arrays(tmp_path / "a", arrays)
    write_arrays(tmp_path / "b", dict(reversed(arrays.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("piece", [1, 50, 64 * 2**20])
def test_views_and_other_byte_orders(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    views = {
        "transposed": PICTURES.transpose(0, 3, 1, 2),
        "every second": PICTURES[::2, :, ::-1],
        "big-endian": np.arange(20).astype(">i4").reshape(5, 4),
    }
    write_arrays(tmp_path / "views", views)
    loaded = load_file(tmp_path / "views")
    for name, array in views.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_a_mapped_array_stays_out_of_memory(tmp_path, monkeypatch):
    """No piece is larger than allowed, and together they are the file."""
    monkeypatch.setattr(module, "PIECE", 1000)
    mapped = np.memmap(tmp_path / "mapped", np.uint8, "w+", shape=(100, 3, 5, 5))
    mapped[:] = DRAWS.integers(0, 256, mapped.shape, dtype=np.uint8)
    sizes = [len(piece) for piece in module._pieces(mapped)]
    assert max(sizes) <= 1000
    assert sum(sizes) == mapped.nbytes
    write_arrays(tmp_path / "written", {"a": mapped})
    np.testing.assert_array_equal(load_file(tmp_path / "written")["a"], mapped)
