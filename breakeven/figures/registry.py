"""The figures, in the order of the report: the modules of this folder that have a ``CAPTION``.

What a module says of its figure is read and not imported, so that the workflow can list the figures cheaply:

- ``CAPTION``: what the report says below it. It is in no digest of code, so that a better sentence redraws nothing.
- ``ORDER``: its place in the report, a number; without it, after the others. They are tens, so that one fits between two.
- ``ON_REQUEST = True``: it shows what only some studies have, and is drawn for those whose config names it.
- ``NEEDS_EMBEDDING = True``: it is also given the table that the stage embed writes.
- ``NEEDS_MEASUREMENT = "blocks"``: without this measurement, which a config has to ask for, it would show nothing.
- ``NEEDS_PRECONDITIONER = True``: so it would where no optimizer of the study has a preconditioner.
"""

import ast
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError

SAID = ("CAPTION", "ORDER", "ON_REQUEST", "NEEDS_EMBEDDING", "NEEDS_MEASUREMENT", "NEEDS_PRECONDITIONER")
DEFAULT = "default"  # in a config's list of figures: those that are drawn for every study that doesn't say


@dataclass(frozen=True)
class Figure:
    """What a module says of its figure."""

    name: str
    caption: str
    order: float = math.inf
    on_request: bool = False
    needs_embedding: bool = False
    needs_measurement: str = ""
    needs_preconditioner: bool = False


def figures_in(folder: Path) -> list[Figure]:
    """The figures whose modules lie in ``folder``, in the order of the report."""
    constants = {path: _constants(path) for path in sorted(folder.glob("*.py"))}
    figures = [_figure(path, assigned) for path, assigned in constants.items() if "CAPTION" in assigned]
    return sorted(figures, key=lambda figure: figure.order)


def _constants(path: Path) -> dict[str, ast.expr]:
    """What a module assigns to names of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assignments = (node for node in tree.body if isinstance(node, ast.Assign))
    return {target.id: node.value for node in assignments for target in node.targets if isinstance(target, ast.Name)}


def _figure(path: Path, assigned: dict[str, ast.expr]) -> Figure:
    values: dict[str, Any] = {}
    for name in SAID:
        if name in assigned:
            try:
                values[name.lower()] = ast.literal_eval(assigned[name])
            except ValueError:
                raise UserError(f"'{path}': {name} must be written out, not computed") from None
    return Figure(path.stem, **values)


_ALL = figures_in(Path(__file__).parent)
FIGURES = {figure.name: figure.caption for figure in _ALL}
ON_REQUEST = {figure.name for figure in _ALL if figure.on_request}
NEEDS_EMBEDDING = {figure.name for figure in _ALL if figure.needs_embedding}
NEEDS_MEASUREMENT = {figure.name: figure.needs_measurement for figure in _ALL if figure.needs_measurement}
NEEDS_PRECONDITIONER = {figure.name for figure in _ALL if figure.needs_preconditioner}


def chosen(names: list[str]) -> tuple[str, ...]:
    """The figures that a config's list stands for, in the order of the report."""
    return tuple(name for name in FIGURES if name in names or (DEFAULT in names and name not in ON_REQUEST))
