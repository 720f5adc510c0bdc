"""CSV tables as rows, for the stages of a run: pandas takes longer to import than they to write."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN, missing, whole_file


def write_rows(
    path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], infinite: Sequence[str] = ()
) -> None:
    """Write ``rows``. What is not finite is an empty cell, but in the columns ``infinite``, where infinity is a value."""
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row.get(name), name in infinite) for name in columns] for row in rows)


def _cell(value: Any, infinite: bool) -> Any:
    if isinstance(value, float) and not math.isfinite(value) and not (infinite and math.isinf(value)):
        return None
    return value


def read_numbers(path: str | Path, columns: Sequence[str]) -> list[tuple[float, ...]]:
    """The numbers in these columns, row by row; an empty cell is NaN."""
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file, strict=True)
            lacking = [name for name in columns if name not in (table.fieldnames or ())]
            rows = [] if lacking else [_numbers(row, columns) for row in table]
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"'{path}' is no table ({error}): delete it, {AGAIN}") from error
    if lacking:
        raise UserError(f"'{path}' has no column {', '.join(map(repr, lacking))}: delete it, {AGAIN}")
    return rows


def read_steps(path: Path, columns: Sequence[str], steps: Sequence[int]) -> list[tuple[float, ...]]:
    """The step and these columns of a table that must have a row for each of ``steps``, those of the run's snapshots."""
    rows = read_numbers(path, ["step", *columns])
    check_steps(path, [row[0] for row in rows], steps)
    return rows


def check_steps(path: Path, found: Sequence[float], steps: Sequence[int]) -> None:
    """A table with other steps is cut, or that of another run."""
    if list(found) != list(steps):
        raise UserError(f"'{path}' does not have the steps of the run's snapshots: delete it, {AGAIN}")


def _numbers(row: Mapping[str | None, Any], columns: Sequence[str]) -> tuple[float, ...]:
    if None in row:  # csv's name for what is beyond the header
        raise ValueError("a row is too long")
    if None in row.values():
        raise ValueError("a row is cut off")
    return tuple(float(row[name]) if row[name] else math.nan for name in columns)
