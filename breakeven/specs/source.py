"""The function that a name in a config stands for, a network's builder or a data set's loader, and its options.

The options of a function are its keyword-only arguments; what stands before the ``*``, the pipeline gives::

    def builder(input_shape, classes, *, width: int = 8, dropout: Annotated[float, Ge(0), Lt(1), "What it is."] = 0.0)

They are read from the source text: planning imports neither torch, which takes two seconds, nor a user's own code.
"""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache, wraps
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Annotated, Any, Literal, get_args

import annotated_types
from annotated_types import Ge, Lt, MinLen

from breakeven.specs.checked import check
from breakeven.specs.own_imports import make_importable, tree_of
from breakeven.specs.torchvision_import import let_torchvision_import
from breakeven.store.errors import UserError

TYPES = (
    "int, float, bool, str, File, Folder, tuple[TYPE, ...] for a list, Literal['a', 'b'], TYPE | None, "
    "Annotated[TYPE, Ge(0), 'text']"
)
BOUNDS = ("Ge", "Gt", "Le", "Lt", "MinLen")  # of annotated_types


@dataclass(frozen=True)
class AsPath:
    """Marks a text that is the path of a file or folder. ``identity``: it changes what is read from there."""

    identity: bool


# what is read from there counts: it is looked at when jobs are planned
Folder = Annotated[str, MinLen(1), AsPath(identity=True)]
File = Folder
# where a loader looks for official files, whose checksums it verifies: not part of a data set's identity
Location = Annotated[str, MinLen(1), AsPath(identity=False)]

NAMES = {"int": int, "float": float, "bool": bool, "str": str, "Folder": Folder, "File": File, "Location": Location}
DROPOUT = (Ge(0), Lt(1))  # of the option of that name, in every network


def _marks(declared: Any) -> set[Any]:
    """The marks in a type, however deep."""
    found = {each for each in get_args(declared) if isinstance(each, AsPath)}
    return found.union(*map(_marks, get_args(declared)))


@dataclass(frozen=True)
class Option:
    """An option: its type, with bounds and a text in `Annotated`, and its default, which may be MISSING."""

    type: Any
    default: Any = MISSING

    @property
    def is_location(self) -> bool:
        """Whether it only says where data lies."""
        return AsPath(identity=False) in _marks(self.type)

    @property
    def is_content(self) -> bool:
        """Whether it says what is read: a file or folder, or several."""
        return AsPath(identity=True) in _marks(self.type)


@dataclass(frozen=True)
class Source:
    """A function that a config names: the dotted name of its module, or the file of a user's own; its name; its options."""

    module: str
    function: str
    options: Mapping[str, Option] = field(compare=False)

    def files(self, given: Mapping[str, Any]) -> list[Path]:
        """The files and folders whose content it depends on, by the options that are ``given`` and the defaults of the others."""
        values = (given.get(name, each.default) for name, each in sorted(self.options.items()) if each.is_content)
        named = (path for value in values for path in (value if isinstance(value, list | tuple) else [value]))
        return [Path(path) for path in named if isinstance(path, str)]

    def imported(self) -> Callable[..., Any]:
        """The function itself, which refuses, with a UserError, options of other types than it declares."""
        made: Callable[..., Any] = getattr(self._module(), self.function)
        return self._checking(made)

    def imported_beside(self, function: str) -> Callable[..., Any] | None:
        """Another function of the same module, as it is; None where it has none."""
        made: Callable[..., Any] | None = getattr(self._module(), function, None)
        return made

    def has_beside(self, function: str) -> bool:
        """Whether its module has a function of that name, written there or imported from elsewhere; read from its text."""
        return function in _names(tree_of(_file(self.module)))

    def _module(self) -> ModuleType:
        if not self.module.endswith(".py"):
            return importlib.import_module(self.module)
        make_importable(self.module)
        let_torchvision_import()
        path = Path(self.module).resolve()
        name = f"own_code_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"  # no other file's
        spec = importlib.util.spec_from_file_location(name, self.module)
        assert spec is not None and spec.loader is not None, f"{self.module} is a Python file"
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # where dataclasses look for their module
        spec.loader.exec_module(module)
        return module

    def _checking(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, of which what is written by hand on the command line of a stage is checked, too."""

        @wraps(function)
        def called(*given: Any, **options: Any) -> Any:
            try:
                inspect.signature(function).bind(*given, **options)
                for name in self.options.keys() & options.keys():
                    check(self.options[name].type, options[name], f"option '{name}'")
            except (TypeError, ValueError) as error:
                raise UserError(f"'{self.function}' of '{self.module}' can't be called: {error}") from None
            return function(*given, **options)

        return called


@cache
def source(module: str, function: str, given: tuple[str, ...] | None = None) -> Source:
    """The function ``function`` in ``module``; a LookupError where there is none, a ValueError for a wrong declaration.

    With ``given``, the names of what the pipeline gives it before its options, it must take as many.
    """
    arguments = _arguments(_file(module), function)
    if given is not None:
        _check_given(arguments, given, function)
    declared = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    options = {argument.arg: _option(argument, default, function) for argument, default in declared}
    return Source(module, function, options)


def defines(file: str, function: str) -> bool:
    """Whether there is a function of that name in a Python file."""
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree_of(Path(file)).body)


def _names(tree: ast.Module) -> set[str]:
    """What a module defines or imports by name."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name for each in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _file(module: str) -> Path:
    if module.endswith(".py"):
        return Path(module)
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, f"no source for {module}"
    return Path(spec.origin)


def _arguments(path: Path, function: str) -> ast.arguments:
    found = [node for node in tree_of(path).body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        raise LookupError(f"'{path}' has no function '{function}'")
    return found[-1].args


def _check_given(arguments: ast.arguments, given: tuple[str, ...], function: str) -> None:
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    if len(given) < least or (len(given) > most and arguments.vararg is None):
        wanted = ", ".join([*given, "*", "OPTIONS"])
        raise ValueError(f"'{function}' has the arguments ({ast.unparse(arguments)}); allowed: ({wanted})")


def _option(argument: ast.arg, default: ast.expr | None, function: str) -> Option:
    words = f"option '{argument.arg}' of '{function}'"
    if argument.annotation is None:
        raise ValueError(f"{words} needs a type; allowed: {TYPES}")
    try:
        value = MISSING if default is None else ast.literal_eval(default)
    except (TypeError, ValueError):
        raise ValueError(f"the default of {words} must be written out, not computed") from None
    try:
        declared = _type(argument.annotation)
    except (SyntaxError, TypeError, ValueError):
        written = ast.unparse(argument.annotation)
        raise ValueError(f"{words} has the type {written}; allowed: {TYPES}") from None
    if declared is int and isinstance(value, int) and value >= 1:
        declared = Annotated[int, Ge(1)]  # it counts something
    if declared is float and argument.arg == "dropout":
        declared = Annotated[declared, *DROPOUT]
    return Option(declared, value)


def _type(node: ast.expr) -> Any:
    """The type that an annotation says, or the text of one; a SyntaxError, TypeError or ValueError for others.

    Integers in a tuple count something.
    """
    match _unqualified(node):
        case ast.Constant(str(text)):
            return _type(ast.parse(text.strip(), mode="eval").body)
        case ast.Name(name) if name in NAMES:
            return NAMES[name]
        case ast.Subscript(ast.Name("tuple"), ast.Tuple([inner, ast.Constant(value)])) if value is ...:
            item = _type(inner)
            return Annotated[GenericAlias(tuple, (Annotated[int, Ge(1)] if item is int else item, ...)), MinLen(1)]
        case ast.Subscript(ast.Name("Literal"), choices):
            names = ast.literal_eval(choices)
            names = names if isinstance(names, tuple) else (names,)
            if not all(isinstance(name, str) for name in names):
                raise TypeError
            return Literal[names]
        case ast.BinOp(inner, ast.BitOr(), ast.Constant(None)) | ast.BinOp(ast.Constant(None), ast.BitOr(), inner):
            return _type(inner) | None
        case ast.Subscript(ast.Name("Optional"), inner):
            return _type(inner) | None
        case ast.Subscript(ast.Name("Union"), ast.Tuple([inner, ast.Constant(None)] | [ast.Constant(None), inner])):
            return _type(inner) | None
        case ast.Subscript(ast.Name("Annotated"), ast.Tuple([inner, *marks])):
            return Annotated[_type(inner), *map(_mark, marks)]
        case _:
            raise TypeError


def _unqualified(node: ast.expr) -> ast.expr:
    """``node``, where a name of `typing` stands without its module."""
    match node:
        case ast.Subscript(ast.Attribute(ast.Name("typing"), name), inner):
            return ast.Subscript(ast.Name(name), inner)
        case _:
            return node


def _mark(node: ast.expr) -> Any:
    """A bound, or a text."""
    match node:
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name("annotated_types"), name), [bound], []) if name in BOUNDS:
            return getattr(annotated_types, name)(ast.literal_eval(bound))
        case ast.Constant(str(text)):
            return text
        case _:
            raise TypeError
