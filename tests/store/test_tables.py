import math

import pandas as pd
import pytest

from breakeven.store.errors import UserError
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


def test_infinity_is_a_value_where_it_is_said_to_be(tmp_path):
    written = pd.DataFrame({"a": [math.inf, 1.0], "b": [math.inf, -math.inf]})
    write_table(tmp_path / "a.csv", written, infinite=["a"])
    read = read_table(tmp_path / "a.csv")
    assert read["a"].tolist() == [math.inf, 1.0] and read["b"].isna().all()
    assert math.isinf(written["b"][0])  # what was given stays as it was


def test_columns_come_back_with_their_types(tmp_path):
    written = pd.DataFrame({"run": ["1e3"], "diverged": [False], "converged": [True], "seed": [3]})
    write_table(tmp_path / "a.csv", written)
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), written)
    with pytest.raises(UserError, match=r"b\.csv' is missing: snakemake makes it again"):
        read_table(tmp_path / "b.csv")


def test_what_is_no_table_is_told(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n1,2,3,4\n")
    with pytest.raises(UserError, match=r"a\.csv' is no table"):
        read_table(path)
