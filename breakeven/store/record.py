"""What a result was made from, beside it: the record of ``covariance.csv`` is the file ``.covariance.csv.record``.

It holds the *key* of the result, a digest of everything that it depends on (`breakeven.config.results`), and of each file that
the job wrote its size and SHA-256. A job writes it last, so that a result without one, with another key, or with other files than
it says is not what a job would make now, wherever the folder lies and whatever happened in between.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN, sha256, write_json

# Arrays are large: of them the size alone is compared at planning, and the SHA-256 by who reads them.
ARRAYS = ".safetensors"
HAVE_THEIR_OWN = ("data.safetensors", "snapshots/")  # whose SHA-256 stands in the manifest, or in training.json


def record_of(result: Path) -> Path:
    """The record of the result whose last file is ``result``."""
    return result.with_name(f".{result.name}.record")


def write_record(result: Path, key: str, outputs: Iterable[Path]) -> None:
    """Record that ``outputs``, files and folders beside ``result``, were made from what ``key`` says."""
    names = {os.path.relpath(file, result.parent): file for file in _files(outputs)}
    found = {name: _seen(file, not name.startswith(HAVE_THEIR_OWN)) for name, file in names.items()}
    write_json(record_of(result), {"key": key, "files": found})


def remove_record(result: Path) -> None:
    """From now on the result is none, until it is made again."""
    record = record_of(result)
    if record.is_dir():
        shutil.rmtree(record)
    record.unlink(missing_ok=True)


def leave_out(result: Path, names: Iterable[str]) -> None:
    """From now on the result is whole without the files of these names, see `left_out`."""
    record = _read(result)
    if record:
        gone = set(names)
        files = {name: seen for name, seen in record["files"].items() if name not in gone}
        write_json(
            record_of(result), record | {"files": files, "left_out": sorted({*record.get("left_out", []), *gone})}
        )


def left_out(result: Path) -> list[str] | None:
    """The files that were made with the result and are gone: who reads those must have it made again.

    None where nobody has looked yet what it can be without.
    """
    names: list[str] | None = _read(result).get("left_out")
    return names


def recorded_key(result: Path) -> str | None:
    """The key in the record of ``result``; None where it has none."""
    return _read(result).get("key")


def is_current(result: Path, key: str) -> bool:
    """Whether ``result`` was made from what ``key`` says, and its files are those that were made."""
    record = _read(result)
    if record.get("key") != key:
        return False
    try:
        return all(_is(result.parent / name, seen) for name, seen in record["files"].items())
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def check_recorded(result: Path, file: Path) -> None:
    """Refuse a ``file`` of ``result`` that is not as it was recorded."""
    files = _read(result).get("files", {})
    seen = files.get(os.path.relpath(file, result.parent), {}) if isinstance(files, dict) else {}
    if "sha256" in seen and file.is_file() and sha256(file) != seen["sha256"]:
        raise UserError(
            f"'{file}' was changed since it was written (its SHA-256 is another): delete '{result}', {AGAIN}"
        )


def _read(result: Path) -> dict[str, Any]:
    """The record of ``result``; nothing where it has none, or one that can't be read."""
    try:
        record = json.loads(record_of(result).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _files(outputs: Iterable[Path]) -> Iterator[Path]:
    for output in outputs:
        yield from sorted(output.glob("*")) if output.is_dir() else [output]


def _seen(file: Path, whole: bool) -> dict[str, Any]:
    return {"size": file.stat().st_size} | ({"sha256": sha256(file)} if whole else {})


def _is(file: Path, seen: dict[str, Any]) -> bool:
    try:
        if file.stat().st_size != seen["size"]:
            return False
        return file.suffix == ARRAYS or sha256(file) == seen["sha256"]
    except OSError:
        return False
