"""Every network with its options, from its signature."""

import ast
import importlib.util
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from breakeven.networks.registry import NETWORKS, network_source
from breakeven.publish.markdown import code, plain, table
from breakeven.specs.source import Folder, Source


def text() -> str:
    """The networks, in the order of the registry."""
    return "\n\n".join(_network(name) for name in NETWORKS)


def _network(name: str) -> str:
    network, source = NETWORKS[name], network_source(name)
    first, _, rest = _docstring(source).partition("\n")
    more = " ".join(rest.split())
    statistics = (
        " It has batch normalization, so that the gradient of a single example does not exist."
        * network.batch_statistics
    )
    rows = [
        (code(option), kind(each.type), code(_default(each.default)), words(each.type))
        for option, each in source.options.items()
    ]
    options = table(("option", "type", "default", "what it is"), rows) if rows else "It has no options."
    said = f"{_marked(first)} It reads {network.reads}.{statistics}"
    return "\n\n".join(part for part in (f"## `{name}`", said, _marked(more), options) if part)


def _default(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else "null" if value is None else str(value)


def _docstring(source: Source) -> str:
    """The function's own words, read and not imported, as the options are."""
    spec = importlib.util.find_spec(source.module)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == source.function]
    return ast.get_docstring(function) or ""


def _marked(docstring: str) -> str:
    """A docstring, in which two backticks mark code."""
    return "".join(code(part) if index % 2 else plain(part) for index, part in enumerate(docstring.split("``")))


def kind(declared: Any) -> str:
    """A declared type and its bounds, in words."""
    if declared == Folder:
        return "path of a file or folder"
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        bounds = [plain(_bound(each)) for each in arguments[1:] if _bound(each)]
        return ", ".join([kind(arguments[0]), *bounds])
    if origin is Literal:
        return ", ".join(code(each) for each in arguments)
    if origin is tuple:
        return f"list of {kind(arguments[0])}"
    if arguments:
        return " or ".join("null" if each is type(None) else kind(each) for each in arguments)
    return {int: "integer", float: "number", bool: "true or false", str: "string"}.get(declared, str(declared))


def _bound(mark: Any) -> str:
    for name, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
        if hasattr(mark, name):
            return f"{sign}\u00a0{getattr(mark, name):g}"
    return ""


def words(declared: Any) -> str:
    """The texts in the annotation of a type."""
    if declared == Folder or get_origin(declared) is not Annotated:
        return ""
    return plain(" ".join(each for each in get_args(declared)[1:] if isinstance(each, str)))
