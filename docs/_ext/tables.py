"""Every table's columns with symbol, formula and unit, from the package's own tables of names."""

from collections.abc import Iterable, Iterator, Sequence

from _ext import formulas
from _ext.other_columns import HESSIAN_NUMBERED, TABLES
from breakeven.claims import evaluate
from breakeven.measurements import assumptions, blocks, covariance, hessian, locate, sharpness, stability
from breakeven.publish.markdown import code, plain, prose, table
from breakeven.specs.measurements import QUANTITIES, RUN_COLUMNS
from breakeven.store.notes import Note
from breakeven.training.results import HISTORY

# columns of the files that a run and an evaluation write, in their order
FILES: dict[str, Sequence[str]] = {
    "history": HISTORY,
    "covariance": covariance.COLUMNS,
    "hessian": hessian.columns(1, preconditioned=True),
    "stability": stability.COLUMNS,
    "assumptions": assumptions.COLUMNS,
    "sharpness": sharpness.COLUMNS,
    "blocks": blocks.COLUMNS,
    "locate": locate.COLUMNS,
    "density": ("step", "eigenvalue", "weight", "note"),
    "embedding": ("run", "step", "x", "y", "distance", "moved", "distance_to_path"),
    "claims": evaluate.COLUMNS,
}
HEADS = ("column", "what it is", "formula", "unit")


def math(formula: str) -> str:
    """A formula in a line."""
    return f"${formula}$"


def named(symbol: str, words: str) -> str:
    """A symbol with its words, which may be the same."""
    return prose(words) if symbol == words else f"{prose(symbol)}: {prose(words)}"


def prose_of(words: str) -> str:
    """Words with code in backticks."""
    return "".join(code(part) if index % 2 else prose(part) for index, part in enumerate(words.split("`")))


def quantities() -> str:
    """The quantities along a run, in ``trajectories.csv``."""
    rows = [
        (
            code(each.name) + (", `…_2`, …" if each.numbered else ""),
            f"{named(each.symbol, each.words)}; `{each.column}` of `{each.table}.csv`"
            + (f", {each.split}" if each.split else ""),
            math(formulas.QUANTITIES[each.name]),
            each.unit or "1",
        )
        for each in QUANTITIES
    ]
    return table(("quantity", *HEADS[1:]), rows)


def runs() -> str:
    """The numbers of a run, in ``runs.csv``."""
    units = {each.maximum: each.unit for each in QUANTITIES} | formulas.UNITS
    rows = [
        (
            code(each.name),
            named(each.symbol, each.words),
            math(formulas.COLUMNS[each.name]),
            each.unit or units.get(each.name) or "1",
        )
        for each in RUN_COLUMNS
    ]
    return table(HEADS, [*rows, *_others("runs", TABLES["runs"])])


def files() -> str:
    """The other tables, each with its columns in their order."""
    return "\n\n".join(f"### `{name}.csv`\n\n{table(HEADS, _others(name, columns))}" for name, columns in FILES.items())


def _others(name: str, columns: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """A quantity's words and formula where the column is one; else those of docs/_ext/other_columns.py."""
    measured = {each.column: each for each in QUANTITIES if each.table == name}
    for column in columns:
        if column in measured and column not in TABLES[name]:
            each = measured[column]
            more = ", `…_2`, …" if each.numbered else ""
            yield (
                code(column) + more,
                named(each.symbol, each.words),
                math(formulas.QUANTITIES[each.name]),
                each.unit or "1",
            )
        elif name == "covariance" and column.startswith("lambda_") and column[7:].isdigit():
            continue  # told with the first
        else:
            words, unit = TABLES[name][column]
            more = ", `…_2`, …" if column in HESSIAN_NUMBERED else ""
            yield code(column) + more, prose_of(words), "", unit


def notes() -> str:
    """Why a cell is empty, or doubtful."""
    return table(("code", "what it says"), [(code(note.code), plain(note.sentence)) for note in Note])
