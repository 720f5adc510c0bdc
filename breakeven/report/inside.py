"""What the page holds beside its text, so that the one file is whole: tables, and code of the user's own."""

import base64
import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from breakeven.specs.own_code import is_own
from breakeven.specs.own_imports import UNREADABLE, helpers, text_of
from breakeven.specs.run import RunSpec
from breakeven.store.errors import UserError
from breakeven.store.files import missing

MOST_BYTES = 5_000_000  # of all tables as they stand in the page, which then stays below 10 MB


class Tables:
    """Tables that can be downloaded from the page: each compressed, as long as there is room."""

    def __init__(self, out: Path) -> None:
        self._folder, self._room = out.parent, MOST_BYTES

    def table(self, path: Path, name: str) -> dict[str, Any]:
        """What the template shows of a table: ``content`` is empty where there is no room for it."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            raise missing(path) from None
        content = base64.b64encode(gzip.compress(raw, mtime=0)).decode()
        if len(content) > self._room:
            content = ""
        self._room -= len(content)
        link = quote(Path(os.path.relpath(path, self._folder)).as_posix())
        return {"name": name, "link": link, "content": content, "size": size(len(raw))}


def size(count: float) -> str:
    """A number of bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"


def own_code(specs: Iterable[RunSpec]) -> list[tuple[str, str]]:
    """The files of the user's own code that runs name, and those that they import from beside them, with their texts."""
    named = {name for spec in specs for name in (spec.network, spec.dataset.get("loader")) if is_own(name)}
    files = sorted({str(name).rpartition(":")[0] for name in named})
    found = {file: Path(file) for file in files}
    for file in files:
        try:
            found |= {_shown(helper.file): helper.file for helper in helpers(file)}
        except (UserError, *UNREADABLE):
            continue  # the text of the file itself says what it imports
    return [(name, _text(path)) for name, path in found.items()]


def _shown(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()


def _text(path: Path) -> str:
    try:
        return text_of(path)
    except UNREADABLE as error:
        return f"# this file can no longer be read: {error}"
