"""A digest of files as they lie on a disk, taken at planning: a data set or weights that were replaced in place have another.

It is of the names and the bytes of all files in a folder, whatever their times; where the names, sizes and times are those of the
last look, the bytes are not read again. Of more than `MOST_BYTES`, such as ImageNet, it is of names, sizes and times alone.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from breakeven.store.files import write_json
from breakeven.store.progress import within

MOST_BYTES = 2 * 2**30
NO_FILE = -1  # the size of a link to nothing
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

# name, size in bytes, times in nanoseconds: of the last change of its content, and of that or its name and the like
Seen = tuple[str, int, int, int]


def is_left_behind(name: str) -> bool:
    """Whether a file or folder of this name is none of a data set's, but something's that was there."""
    return name.startswith(".") or name in LEFT_BEHIND


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link to itself is none."""
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and Path(entry).is_dir())


class Contents:
    """Digests of what lies at paths; ``memory``, a file, holds those of the last look."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, dict[str, str]] = {} if memory is None else _read(memory)
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
        if self._memory is not None and not lasting.items() <= self._known.items():
            write_json(self._memory, self._known | lasting)

    def _look(self, path: Path, known: dict[str, str]) -> dict[str, str]:
        """Times of the second kind can't be set, so that they betray new bytes of an old size and date."""
        listed, all_times, count, size, changed = hashlib.sha256(), hashlib.sha256(), 0, 0, 0
        for folder, files in _folders(path):
            listed.update(repr((folder, [file[:3] for file in files])).encode())
            all_times.update(repr((folder, files)).encode())
            count += len(files)
            size += sum(file[1] for file in files)
            changed = max(changed, *(max(file[2:]) for file in files))
        if not count:
            return {"content": "nothing"}
        listing = all_times.hexdigest()[:16]
        if known.get("listing") != listing:
            known = {"content": listed.hexdigest()[:16] if size > MOST_BYTES else _bytes(path)}
        settled = time.time() - changed / 1e9 > JUST_NOW
        return {"content": known["content"]} | ({"listing": listing} if settled else {})


def _read(memory: Path) -> dict[str, dict[str, str]]:
    try:
        known = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    found = known.items() if isinstance(known, dict) else ()
    return {name: each for name, each in found if isinstance(each, dict) and {"content", "listing"} <= each.keys()}


def _folders(path: Path) -> Iterator[tuple[str, list[Seen]]]:
    """Each folder at ``path`` that has files, by its name in there, with them; in an order that is not the disk's.

    Links are followed, a folder that holds itself is not. A file alone is in a folder without a name.
    """
    if path.is_file():
        found = path.stat()
        yield "", [("", found.st_size, found.st_mtime_ns, found.st_ctime_ns)]
    if not path.is_dir():
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
                    files += _seen(entry)
        if files:
            yield folder, sorted(files)
        for name in sorted(inside, reverse=True):
            place = os.path.realpath(path / folder / name)
            if place not in above:
                waiting.append((f"{folder}/{name}".removeprefix("/"), above | {place}))


def _seen(entry: os.DirEntry[str]) -> list[Seen]:
    """A file; of a link to nothing the name alone, and nothing of what is no file."""
    try:
        found = entry.stat()
    except OSError:
        return [(entry.name, NO_FILE, 0, 0)]
    regular = stat.S_ISREG(found.st_mode)
    return [(entry.name, found.st_size, found.st_mtime_ns, found.st_ctime_ns)] if regular else []


def _bytes(path: Path) -> str:
    digest = hashlib.sha256()
    files = ((folder, name, size) for folder, seen in _folders(path) for name, size, *_ in seen)
    for folder, name, size in within(files, f"look at {path}", unit="file"):
        digest.update(f"{folder}/{name}\n".encode(errors="surrogateescape"))
        if size != NO_FILE:
            with (path / folder / name if name else path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
