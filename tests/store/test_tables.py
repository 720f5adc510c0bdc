import math

import pandas as pd
import pytest

from breakeven.store.errors import UserError
from breakeven.store.sealed import seal
from breakeven.store.tables import read_table, write_table


def test_only_an_empty_cell_is_missing(tmp_path):
    written = pd.DataFrame(
        {
            "study": ["nan", "1e30", None],
            "network": ["none", "NA", "null"],
            "value": [1.5, math.nan, math.inf],
            "step": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    write_table(tmp_path / "a.csv", written)
    assert (tmp_path / "a.csv").read_text() == "study,network,value,step\nnan,none,1.5,1\n1e30,NA,,\n,null,,3\n"
    read = read_table(tmp_path / "a.csv")
    assert list(read["study"][:2]) == ["nan", "1e30"] and pd.isna(read["study"][2])
    assert list(read["network"]) == ["none", "NA", "null"]
    assert list(read["value"].isna()) == [False, True, True]
    assert list(read["step"].isna()) == [False, True, False]


def test_what_is_no_table_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n1,2,3,4\n")
    seal(path)
    with pytest.raises(UserError, match=r"a\.csv' is no table"):
        read_table(path)
