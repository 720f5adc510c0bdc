"""Arrays that are larger than the memory: mapped from temporary files, and written as safetensors without a copy in memory."""

import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from breakeven.store.errors import UserError
from breakeven.store.progress import progress

# In the order in which safetensors' own writers put them into a file: the largest alignment first, then by name.
DTYPES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "complex64": "C64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
PIECE = 64 * 2**20  # bytes that are in memory at a time


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """Write ``arrays``, which may be mapped from files, into one file; its bytes are those of `safetensors.numpy.save_file`.

    Returns the SHA-256 of the file, which is not read again for it.

    The format: the header's length as eight bytes, the header as JSON, padded with spaces to a multiple of eight, and
    the arrays in C order, one after the other, little-endian.
    """
    order = list(DTYPES)
    names = sorted(arrays, key=lambda name: (order.index(arrays[name].dtype.name), name))
    header, offset = {}, 0
    for name in names:
        array = arrays[name]
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": array.shape,
            "data_offsets": (offset, offset + array.nbytes),
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    pieces: Iterator[bytes] = (piece for name in names for piece in _pieces(arrays[name]))
    if offset > PIECE:
        count = sum(len(_starts(arrays[name])) for name in names)
        pieces = progress(pieces, "write", unit="piece", total=count)
    digest = hashlib.sha256()
    with Path(path).open("wb") as file:
        for piece in itertools.chain([len(text).to_bytes(8, "little") + text], pieces):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def mapped(loader: str, shape: tuple[int, ...], dtype: np.dtype) -> np.memmap:
    """An array in a file that has no name, so that it is gone when the array is, even if the process is killed.

    Its room is taken at once: a full disk, met only when a mapped page is written, would end the process.
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    try:
        with tempfile.TemporaryFile(prefix="breakeven-") as file:
            os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, dtype, "r+", shape=shape)
    except OSError as error:
        raise UserError(
            f"{loader}: no room for {size / 1e9:.1f} GB of decoded examples in '{tempfile.gettempdir()}' "
            f"({error.strerror}): set the environment variable TMPDIR to a folder with more"
        ) from error


def rows(array: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The ``chosen`` rows of ``array``; mapped from a file, where it is."""
    if not isinstance(array, np.memmap):
        taken: np.ndarray = array[chosen]
        return taken
    taken = mapped("prepare", (len(chosen), *array.shape[1:]), array.dtype)
    starts = _starts(taken)
    for start in starts:
        taken[start : start + starts.step] = array[chosen[start : start + starts.step]]
    return taken


def _starts(array: np.ndarray) -> range:
    """Where pieces of whole rows begin; a row that is larger than a piece is one."""
    rows = len(array) if array.ndim else 1
    row_bytes = max(1, array.nbytes // max(1, rows))
    return range(0, rows, max(1, PIECE // row_bytes))


def _pieces(array: np.ndarray) -> Iterator[bytes]:
    rows = np.atleast_1d(array)
    starts = _starts(array)
    for start in starts:
        piece = rows[start : start + starts.step]
        yield piece.astype(piece.dtype.newbyteorder("<"), copy=False).tobytes()
