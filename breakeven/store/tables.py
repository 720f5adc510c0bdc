"""CSV tables: written whole or not at all, and read back with the types of what was written."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN, missing, whole_file

# of columns whose type their text does not say
TYPES = {"study": str, "run": str, "block": str, "diverged": bool, "converged": bool}


def write_table(
    path: str | Path, table: pd.DataFrame, infinite: Sequence[str] = (), float_format: str | None = None
) -> None:
    """Write ``table``. What is not finite is an empty cell, but in the columns ``infinite``, where infinity is a value."""
    others = table.columns.difference(list(infinite), sort=False)
    table = table.copy()
    table[others] = table[others].replace([math.inf, -math.inf], math.nan)
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, float_format=float_format)


def read_table(path: str | Path, needed: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table, which must have the columns ``needed``.

    Columns come back with their types, see `TYPES`; a study or a run may be called ``nan`` or ``1e30``. Only an empty cell is a
    missing value: ``none`` and ``NA`` can be swept values.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=TYPES)
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise UserError(f"'{path}' is no table ({error}): delete it, {AGAIN}") from error
    lacking = [column for column in needed if column not in table]
    if lacking:
        raise UserError(f"'{path}' has no column {', '.join(map(repr, lacking))}: delete it, {AGAIN}")
    return table


def cell(value: Any) -> Any:
    """A swept value as a cell: lists and mappings as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value
