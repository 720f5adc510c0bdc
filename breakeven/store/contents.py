"""A digest of files as they lie on a disk, taken at planning: a data set or weights that were replaced in place have another.

It is of the names and the bytes of all files in a folder, whatever their times; where the names, sizes and times are those of the
last look, the bytes are not read again. Of more than `MOST_BYTES`, such as ImageNet, it is of names, sizes and times alone.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from breakeven.store.files import write_json
from breakeven.store.progress import within

MOST_BYTES = 2 * 2**30
JUST_NOW = 2.0  # seconds: a file that was written so lately may be written again without another time
# what operating systems, editors and archivers leave in a folder, beside names that begin with a dot
LEFT_BEHIND = (
    "__MACOSX",
    "__pycache__",
    "@eaDir",
    "@Recycle",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "System Volume Information",
    "Thumbs.db",
    "desktop.ini",
    "lost+found",
)

Seen = tuple[str, int, int]  # name, size in bytes, time of its last change in nanoseconds


def is_left_behind(name: str) -> bool:
    """Whether a file or folder of this name is none of a data set's, but something's that was there."""
    return name.startswith(".") or name in LEFT_BEHIND


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link to itself is none."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


class Contents:
    """Digests of what lies at paths; ``memory``, a file, holds those of the last look."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, dict[str, str]] = _read(memory)
        self._found: dict[str, dict[str, str]] = {}

    def digest(self, path: Path) -> str:
        """The digest of the file or folder at ``path``; "nothing" where there is none."""
        name = str(path.absolute())
        if name not in self._found:
            self._found[name] = self._look(path, self._known.get(name, {}))
        return self._found[name]["content"]

    def remember(self) -> None:
        """Write down what was found, for the next look, where it is new; what was changed just now is looked at again."""
        lasting = {name: found for name, found in self._found.items() if "listing" in found}
        if not lasting.items() <= self._known.items():
            write_json(self._memory, self._known | lasting)

    def _look(self, path: Path, known: dict[str, str]) -> dict[str, str]:
        digest, size, changed = hashlib.sha256(), 0, 0
        for folder, files in _folders(path):
            digest.update(repr((folder, files)).encode(errors="surrogateescape"))
            size += sum(file[1] for file in files)
            changed = max(changed, *(file[2] for file in files))
        if not changed:
            return {"content": "nothing"}
        listing = digest.hexdigest()[:16]
        if known.get("listing") != listing:
            known = {"content": listing if size > MOST_BYTES else _bytes(path)}
        settled = time.time() - changed / 1e9 > JUST_NOW
        return {"content": known["content"]} | ({"listing": listing} if settled else {})


def _read(memory: Path) -> dict[str, dict[str, str]]:
    try:
        known = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _folders(path: Path) -> Iterator[tuple[str, list[Seen]]]:
    """Each folder at ``path`` that has files, by its name in there, with them; in an order that is not the disk's.

    Links are followed, a folder that holds itself is not. A file alone is in a folder without a name.
    """
    try:
        found = path.stat()
    except OSError:
        return
    if not path.is_dir():
        yield "", [("", found.st_size, found.st_mtime_ns)]
        return
    waiting = [("", {os.path.realpath(path)})]
    while waiting:
        folder, above = waiting.pop()
        files, inside = [], []
        with os.scandir(path / folder) as entries:
            for entry in entries:
                if is_left_behind(entry.name):
                    continue
                if is_folder(entry):
                    inside.append(entry.name)
                else:
                    files.append(_seen(entry))
        if files:
            yield folder, sorted(files)
        for name in sorted(inside, reverse=True):
            place = os.path.realpath(path / folder / name)
            if place not in above:
                waiting.append((f"{folder}/{name}".removeprefix("/"), above | {place}))


def _seen(entry: os.DirEntry[str]) -> Seen:
    try:
        found = entry.stat()
    except OSError:  # a link to nothing
        return entry.name, 0, 0
    return entry.name, found.st_size, found.st_mtime_ns


def _bytes(path: Path) -> str:
    digest = hashlib.sha256()
    files = ((folder, name, changed) for folder, seen in _folders(path) for name, _, changed in seen)
    for folder, name, changed in within(files, f"look at {path}", unit="file"):
        digest.update(f"{folder}/{name}\n".encode(errors="surrogateescape"))
        if changed:
            with (path / folder / name if name else path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
