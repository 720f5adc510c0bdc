"""Files appear whole or not at all, and are known by their digest."""

import glob
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError
from breakeven.store.progress import within

AGAIN = "and the same command makes it again"
PIECE = 4 * 2**20  # bytes of a file that are in memory at a time


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends well, remove it when not.

    The temporary name keeps the suffix of ``path`` (Altair and pandas choose the format by it) and holds the host and the
    process id, so that two processes never write into the same temporary file. What a process that was killed has left is
    removed by the next one on the same host.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.stem}.{socket.gethostname()}."
    temporary = path.with_name(f"{prefix}{os.getpid()}.tmp{path.suffix}")
    for left in path.parent.glob(f"{glob.escape(prefix)}*.tmp{glob.escape(path.suffix)}"):
        if not _is_alive(left.name.removeprefix(prefix).removesuffix(f".tmp{path.suffix}")):
            left.unlink(missing_ok=True)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # a process of another user
        pass
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as JSON, whole or not at all."""
    write_text(path, json_text(content))


def read_json(path: Path, what: str, delete: str = "it") -> Any:
    """The content of ``path``; where it can't be read, the user reads ``what`` it is not, and what to ``delete``."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise UserError(f"'{path}' is no {what} ({error}): delete {delete}, {AGAIN}") from error


def missing(path: str | Path) -> UserError:
    """What a user reads where a result is not there."""
    return UserError(f"'{path}' is missing: snakemake makes it again")


def json_text(content: Any) -> str:
    """``content`` as indented JSON with sorted keys, so that equal content is equal bytes."""
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def sha256(path: str | Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal; that of a large one may take minutes."""
    path = Path(path)
    digest, count = hashlib.sha256(), -(-path.stat().st_size // PIECE)
    with path.open("rb") as file:
        for piece in within(iter(lambda: file.read(PIECE), b""), f"check {path.name}", unit="4 MiB", total=count):
            digest.update(piece)
    return digest.hexdigest()


def size_in_words(size: float) -> str:
    """So many bytes."""
    if size < 2**20:
        return f"{size / 2**10:.0f} kB"
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
