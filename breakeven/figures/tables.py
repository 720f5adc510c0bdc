"""Read the tables of a study."""

from pathlib import Path

import pandas as pd


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV table. Only an empty cell or nan is a missing value: ``none`` and ``NA`` can be swept values."""
    return pd.read_csv(path, keep_default_na=False, na_values=["", "nan", "NaN"])
