"""Code of the user's own: a function in a Python file outside of the package, named in a config as ``FILE.py:function``.

The file is found from the folder in which Snakemake runs. Planning reads it and does not import it; a job imports it by its path,
and what it imports in turn from beside it (`breakeven.specs.own_imports`).
"""

from pathlib import Path
from typing import Any

from breakeven.specs.own_imports import UNREADABLE, helpers, unreadable
from breakeven.specs.source import Source, source
from breakeven.store.errors import UserError

LONGEST = 1000


def is_own(name: Any) -> bool:
    """Whether ``name`` is that of a function in a file, and not of something that the package knows."""
    return isinstance(name, str) and ".py:" in name


def own_source(name: str, given: tuple[str, ...]) -> Source:
    """The function that ``name`` says, which is given ``given`` and its options; a UserError where it can't be used."""
    if len(name) > LONGEST or not name.isprintable():
        raise UserError(
            f"{name[:50]!r}... is no FILE.py:function: longer than {LONGEST}, or with a character that can't be seen"
        )
    file, _, function = name.rpartition(":")
    path = Path(file)
    try:
        if not path.is_file():
            raise UserError(f"there is no file '{path}' (looked for from '{Path.cwd()}')")
        found = source(str(path), function, given)
    except LookupError as error:
        raise UserError(str(error.args[0])) from None
    except UNREADABLE as error:  # a ValueError also where an option is none
        raise unreadable(path, error) from None
    helpers(str(path))
    return found


def problem(name: str, given: tuple[str, ...]) -> str | None:
    """Why the function that ``name`` says can't be used, if so."""
    try:
        own_source(name, given)
    except UserError as error:
        return str(error)
    return None
