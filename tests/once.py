"""What is slow to make and only read is made once for a whole session, also where pytest-xdist starts several workers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], str]) -> tuple[Path, str]:
    """The folder that ``make`` has filled, and the text that it returned."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, text = shared / name, shared / f"{name}.txt"
    with FileLock(shared / f"{name}.lock"):
        if not text.exists():
            text.write_text(make(folder), encoding="utf-8")
    return folder, text.read_text(encoding="utf-8")
