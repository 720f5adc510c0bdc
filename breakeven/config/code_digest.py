"""A digest of the code that a stage runs, for the parameters of its rule.

Snakemake sees a rule's command, but not the modules that the command imports. The digest covers the stage's module and
every module of this package that it imports, directly or not, as text without comments, docstrings, captions of figures,
blank lines and trailing spaces: editing those reruns nothing. Text and not the syntax tree, because trees differ between
versions of Python. Nothing is imported.

It also covers a file of the user's own, and what that imports from beside it.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tokenize import TokenInfo

from breakeven.specs.own_imports import helpers, text_of, tree_of

PACKAGE = Path(__file__).parents[1]

# Registries only map names to modules. A stage's digest starts from the one module that its run names, so that adding a network
# (a line in the registry) doesn't retrain the runs of all the others; the name of its function is a parameter of its rule. How
# files are written and recorded, locks, progress and the sentences of notes change no number; what `specs.run` says of a run, and
# `specs.multipliers` of its schedule, is in its id; `specs.source` and those of own code only turn a name into a function;
# `specs.checked` only refuses.
UNCOUNTED = (
    "breakeven.networks.registry",
    "breakeven.data.registry",
    "breakeven.figures.registry",
    "breakeven.training.registry",
    "breakeven.specs.run",
    "breakeven.specs.multipliers",
    "breakeven.specs.purposes",
    "breakeven.specs.source",
    "breakeven.specs.checked",
    "breakeven.specs.own_code",
    "breakeven.specs.own_imports",
    "breakeven.store.errors",
    "breakeven.store.files",
    "breakeven.store.notes",
    "breakeven.store.progress",
    "breakeven.store.record",
    "breakeven.store.training_record",
    "breakeven.jobs",
)

BETWEEN_STATEMENTS = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


def code_digest(modules: Iterable[str], files: Iterable[str] = ()) -> str:
    """Twelve hexadecimal digits for the code reached from ``modules`` (dotted names) and the text of ``files``.

    A module may also be a file of the user's own, ``FILE.py``; what it imports of this package or from beside it counts, too.

    ``files`` are relative to the package's folder: templates and style sheets.
    """
    digest = hashlib.sha256()
    for module in sorted(closure(modules)):
        digest.update(f"{module}\n{_code(_path(module))}\n".encode())
    for file in sorted(files):
        digest.update(file.encode() + b"\n" + (PACKAGE / file).read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Code:
    """The code of a stage: the modules that it starts from, other files, its digest; ``listing`` tells an edit quickly."""

    modules: tuple[str, ...]
    files: tuple[str, ...]
    digest: str
    listing: str

    def is_unchanged(self) -> bool:
        """Whether it is the same now, but for comments and the like."""
        own = any(map(_is_file, self.modules))
        return (not own and self.listing == _listing()) or self.digest == code_digest(self.modules, self.files)


@cache
def code_of(modules: tuple[str, ...], files: tuple[str, ...] = ()) -> Code:
    """The code that is reached from ``modules``, and ``files``, see `code_digest`."""
    return Code(modules, files, code_digest(modules, files), _once_listed())


@cache
def _once_listed() -> str:
    return _listing()


def _listing() -> str:
    """A digest of the package's files by their names, sizes and times: where it is the same, nothing was edited."""
    seen = ((str(path), path.stat()) for path in sorted(PACKAGE.rglob("*")) if path.suffix != ".pyc" and path.is_file())
    text = "\n".join(f"{path} {found.st_size} {found.st_mtime_ns}" for path, found in seen)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def closure(modules: Iterable[str]) -> set[str]:
    """``modules``, what files of the user's own import from beside them, all modules of this package that these import, with
    the packages that hold them.
    """
    found: set[str] = set()
    waiting = list(modules)
    waiting += [str(helper.file) for module in waiting if _is_file(module) for helper in helpers(module)]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(module)
            waiting += [module.rpartition(".")[0]] if "." in module and not _is_file(module) else []
    return {module for module in found if not _is_uncounted(module)}


def _is_uncounted(module: str) -> bool:
    """Of the package as a whole, which holds its version alone, and of those above."""
    return module == PACKAGE.name or any(module == name or module.startswith(f"{name}.") for name in UNCOUNTED)


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules of this package that ``module`` imports, also inside functions."""
    found = set()
    for node in _statements_in(tree_of(_path(module))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0 or _is_file(module), f"{module}: imports in this package are absolute"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE.name and _exists(name))


def _statements_in(node: ast.AST) -> Iterator[ast.AST]:
    """All statements, at any depth: a fifth of the nodes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements_in(child)


def _exists(module: str) -> bool:
    return _candidates(module)[0].exists() or _candidates(module)[1].exists()


def _is_file(module: str) -> bool:
    """Whether this is a file of the user's own and not the dotted name of a module."""
    return module.endswith(".py")


def _path(module: str) -> Path:
    if _is_file(module):
        return Path(module)
    as_module, as_package = _candidates(module)
    return as_module if as_module.exists() else as_package


def _candidates(module: str) -> tuple[Path, Path]:
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base.with_suffix(".py"), base / "__init__.py"


@cache
def _code(path: Path) -> str:
    """The text of a module without comments, docstrings, captions of figures, blank lines and trailing spaces.

    Inside of other strings, blank lines and spaces are content.
    """
    source = text_of(path)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    left_out = [(token.start, token.end) for token in tokens if token.type == tokenize.COMMENT]
    content: set[int] = set()  # lines that end inside of a string
    for statement in _statements(tokens):
        if _is_docstring(statement) or _is_caption(statement):
            left_out.append((statement[0].start, statement[-1].end))
        else:
            content.update(row for token in statement for row in range(token.start[0] - 1, token.end[0] - 1))
    lines = source.split("\n")
    for (row, column), (end_row, _) in left_out:
        lines[row - 1 : end_row] = [lines[row - 1][:column]] + [""] * (end_row - row)
    return "\n".join(
        line if row in content else line.rstrip() for row, line in enumerate(lines) if row in content or line.strip()
    )


def _statements(tokens: Iterable[TokenInfo]) -> Iterator[list[TokenInfo]]:
    """The tokens of each statement, or of several that stand on a line, without comments and indentation."""
    statement: list[TokenInfo] = []
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            if statement:
                yield statement
            statement = []
        elif token.type not in BETWEEN_STATEMENTS:
            statement.append(token)


def _is_docstring(statement: list[TokenInfo]) -> bool:
    """Whether it is nothing but a string."""
    return [token.type for token in statement] == [tokenize.STRING]


def _is_caption(statement: list[TokenInfo]) -> bool:
    """Whether it assigns a text to ``CAPTION`` of a module; `breakeven.figures.registry` reads it, and no job does."""
    if len(statement) < 3 or statement[0].start[1] > 0:
        return False
    name, sign, *value = statement
    is_text = all(token.type == tokenize.STRING or token.string in ("(", ")") for token in value)
    return name.string == "CAPTION" and sign.string == "=" and is_text
