"""CSV tables: written whole or not at all with their digest beside them, and refused where they aren't what was written."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from breakeven.store.errors import UserError
from breakeven.store.sealed import AGAIN, sealed_file, verify

# of columns whose type their text does not say
TYPES = {"study": str, "run": str, "diverged": bool, "converged": bool}


def write_table(
    path: str | Path, table: pd.DataFrame, also: Sequence[Path] = (), float_format: str | None = None
) -> None:
    """Write ``table``; ``also``: finished files whose digests belong to it. What is not finite is an empty cell."""
    with sealed_file(path, *also) as temporary:
        table.replace([math.inf, -math.inf], math.nan).to_csv(temporary, index=False, float_format=float_format)


def read_table(path: str | Path, by: Path | None = None) -> pd.DataFrame:
    """Read a table that is what was written, by the digest written with it or with the file ``by``.

    Columns come back with their types, see `TYPES`; a study or a run may be called ``nan`` or ``1e30``. Only an empty cell is a
    missing value: ``none`` and ``NA`` can be swept values.
    """
    verify(Path(path), by)
    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=TYPES)
    except ValueError as error:
        raise UserError(f"'{path}' is no table ({error}): delete it, {AGAIN}") from error


def cell(value: Any) -> Any:
    """A swept value as a cell: lists and mappings as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value
