"""Code of the user's own: a function in a Python file outside of the package, named in a config as ``FILE.py:function``.

The file is found from the folder in which Snakemake runs. Planning reads it and does not import it; a job imports it by its
path. Keyword-only arguments of the function are its options.
"""

import ast
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError

LONGEST = 1000


@dataclass(frozen=True)
class Option:
    """An option: its type as written in the function's signature (``int``, ``tuple[int, ...]``)."""

    type: str
    default: Any


def is_own(name: Any) -> bool:
    """Whether ``name`` is that of a function in a file, and not of something that the package knows."""
    return isinstance(name, str) and ".py:" in name


def file_of(name: str) -> Path:
    """The file that ``name`` says."""
    return Path(name.rpartition(":")[0])


def problem(name: str) -> str | None:
    """Why the function that ``name`` says can't be used, if so."""
    if len(name) > LONGEST or not name.isprintable():
        return f"{name[:50]!r}... is no FILE.py:function: longer than {LONGEST}, or with a character that can't be seen"
    path, function = file_of(name), name.rpartition(":")[2]
    try:
        if not path.is_file():
            return f"there is no file '{path}' (looked for from '{Path.cwd()}')"
        options(path, function)
    # ValueError: an option that is none, or a file that is no text; the last two: nested too deeply for the parser
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"'{path}' can't be read: {' '.join(str(error).split()) or type(error).__name__}"
    except LookupError:
        return f"'{path}' has no function '{function}'"
    return None


@cache
def options(path: Path, function: str) -> dict[str, Option]:
    """The keyword-only arguments of ``function`` in the file ``path`` with their defaults, from its source text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        raise LookupError(function)
    arguments, declared = found[-1].args, {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if argument.annotation is None or default is None:
            raise ValueError(f"option '{argument.arg}' of '{function}' needs a type and a default")
        try:
            declared[argument.arg] = Option(ast.unparse(argument.annotation), ast.literal_eval(default))
        except (TypeError, ValueError):
            raise ValueError(
                f"the default of option '{argument.arg}' of '{function}' must be written out, not computed"
            ) from None
    return declared


def function(name: str) -> Callable[..., Any]:
    """The function that ``name`` says; its file is imported."""
    found = problem(name)
    if found:
        raise UserError(found)
    path = file_of(name)
    spec = importlib.util.spec_from_file_location(f"own_code_{path.stem}", path)
    assert spec is not None and spec.loader is not None, f"{path} is a Python file"
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[..., Any] = getattr(module, name.rpartition(":")[2])
    return made
