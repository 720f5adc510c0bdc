"""JSON written whole or not at all with its digest beside it, and refused where it isn't what was written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError
from breakeven.store.files import json_text
from breakeven.store.sealed import AGAIN, NONE, sealed_file, verify


def write_sealed_json(path: Path, content: Any, *also: Path, known: Mapping[Path, str] = NONE) -> None:
    """Write ``content``; ``also``: finished files whose digests belong to it, ``known``: those of more files."""
    with sealed_file(path, *also, known=known) as temporary:
        temporary.write_text(json_text(content), encoding="utf-8")


def read_sealed_json(path: Path, what: str, delete: str = "it") -> dict[str, Any]:
    """The content of ``path``, whose digest is verified; the user reads ``what`` it is not, and what to ``delete``."""
    verify(path)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"'{path}' is no {what} ({error}): delete {delete}, {AGAIN}") from error
    return content
