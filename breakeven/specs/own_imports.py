"""What a file of the user's own imports from beside it: modules and packages in its folder, or else in the working folder.

Of one name, the standard library's comes first, then what is installed, then the folder of the file, then the working folder: a
``random.py`` beside the file is never taken for Python's. Jobs import in this order, and planning follows it, which reads files
and runs none. A module that is imported by a name that is only made when the code runs is not seen.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from breakeven.store.errors import UserError

OTHERS = {"breakeven", *sys.stdlib_module_names}  # never beside a file
# what reading a file can end in; ValueError: it is no text; the last two: it is nested too deeply for the parser
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)

# in this process: the folders of files of the user's own; the names that those import, and the folders that these lie in
_folders: set[Path] = set()
_needed: set[tuple[str, Path]] = set()


@dataclass(frozen=True)
class Helper:
    """A module that an own file imports from the folder ``root``: its dotted name, its file, and the package that holds it."""

    name: str
    file: Path
    package: str
    root: Path


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a Python file; one of `UNREADABLE` where it has none."""
    return ast.parse(text_of(path), path.name)


def text_of(path: Path) -> str:
    """The text of a Python file, in the encoding that its first bytes or its coding line say, as Python reads it."""
    return importlib.util.decode_source(path.read_bytes())


def unreadable(path: Path, error: BaseException) -> UserError:
    """What a user reads of one of `UNREADABLE`."""
    why = " ".join(str(error).split()) or type(error).__name__
    return UserError(f"'{path}' can't be read: {why}")


def helpers(file: str) -> tuple[Helper, ...]:
    """What ``file`` imports from beside it, and what that imports in turn, by name; a UserError where something can't be."""
    return _helpers(file, Path.cwd())


@cache
def _helpers(file: str, working_folder: Path) -> tuple[Helper, ...]:
    importlib.invalidate_caches()
    folder = Path(file).parent
    installed = _without(sys.path, folder, working_folder, *_folders)
    found: dict[str, Helper] = {}
    waiting = [Helper("", Path(file), "", folder)]
    while waiting:
        for name in set(_imports(waiting.pop())):
            for helper in _beside(name, (folder, Path()), installed):
                if helper.name not in found:
                    found[helper.name] = helper
                    waiting.append(helper)
    return tuple(found[name] for name in sorted(found))


def make_importable(file: str) -> None:
    """Let this process import what lies beside ``file``; a UserError where another module would be imported by such a name."""
    folder = Path(file).absolute().parent
    others = _without(sys.path, folder, Path.cwd())
    path = [*others, str(folder), *(entry for entry in _without(sys.path, folder) if entry not in others)]
    needed = _needed | {(helper.name.partition(".")[0], helper.root.resolve()) for helper in helpers(file)}
    for name, root in sorted(needed):
        spec = PathFinder.find_spec(name, path)
        if spec is not None and _folder_of(spec) != root:
            raise UserError(
                f"'{file}': '{name}' is a module in '{root}' and one in '{_folder_of(spec)}', of which one process can import "
                "only one: give one of them another name"
            )
    sys.path[:] = path
    _folders.add(folder)
    _needed.update(needed)


def _imports(module: Helper) -> Iterator[str]:
    """The dotted names of all that ``module`` imports, also inside functions; of ``from a import b``, ``a.b`` may be none."""
    try:
        nodes = list(ast.walk(tree_of(module.file)))
    except UNREADABLE as error:
        raise unreadable(module.file, error) from None
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = _whole_name(node, module)
            yield from ([whole] if node.module else [])
            yield from (f"{whole}.{alias.name}" for alias in node.names)


def _whole_name(node: ast.ImportFrom, module: Helper) -> str:
    """The dotted name of what ``node`` imports from, in ``module``."""
    if not node.level:
        return node.module or ""
    packages = module.package.split(".") if module.package else []
    if node.level > len(packages):
        names = ", ".join(alias.name for alias in node.names)
        instead = f"from {node.module} import {names}" if node.module else f"import {names}"
        raise UserError(
            f"'{module.file}' can't be read: '{ast.unparse(node)}' in line {node.lineno} is a relative import, and the file is "
            f"in no package; write '{instead}', which finds what lies beside the file"
        )
    return ".".join([*packages[: len(packages) - node.level + 1], *([node.module] if node.module else [])])


def _beside(name: str, roots: tuple[Path, ...], installed: list[str]) -> Iterator[Helper]:
    """The files below ``roots`` that ``import name`` would run: the packages on the way, and the module."""
    parts = name.split(".")
    if parts[0] in OTHERS or _is_module(PathFinder.find_spec(parts[0], installed)):
        return
    path = [str(root.absolute()) for root in roots]
    for count, part in enumerate(parts, start=1):
        spec = PathFinder.find_spec(part, path)  # not by the dotted name, for which Python would run the packages
        if spec is None:
            return
        path = list(spec.submodule_search_locations or ())
        if _is_module(spec) and str(spec.origin).endswith(".py"):
            origin = Path(str(spec.origin))
            root = next(root for root in roots if origin.is_relative_to(root.absolute()))
            file, package = root / origin.relative_to(root.absolute()), parts[: count if path else count - 1]
            yield Helper(".".join(parts[:count]), file, ".".join(package), root.absolute())


def _is_module(spec: ModuleSpec | None) -> bool:
    """Whether something is there, and more than a folder."""
    return spec is not None and spec.origin is not None


def _folder_of(spec: ModuleSpec) -> Path:
    """The folder in which a module, or the folder of a package, lies."""
    place = next(iter(spec.submodule_search_locations or [str(spec.origin)]))
    return Path(place).parent.resolve()


def _without(path: Iterable[str], *folders: Path) -> list[str]:
    left_out = {folder.resolve() for folder in folders}
    return [entry for entry in path if Path(entry).resolve() not in left_out]
