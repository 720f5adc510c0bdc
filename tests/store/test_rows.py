"""Rows against pandas, which reads and writes the tables of everything else."""

import math

import pandas as pd
import pytest

from breakeven.store.errors import UserError
from breakeven.store.rows import read_numbers, read_steps, write_rows
from breakeven.store.tables import write_table

COLUMNS = ["step", "value", "side", "converged", "note"]
ROWS = [
    {"step": 0, "value": 0.1, "side": math.inf, "converged": True, "note": "a, b"},
    {"step": 20, "value": math.nan, "side": -math.inf, "converged": False, "note": ""},
    {"step": 10**12, "value": math.inf, "side": 1.0, "converged": True, "note": 'said "no"\nand went'},
    {"step": 3, "value": 1e16, "side": None, "converged": False},
    {"step": 4, "value": -1.2345678901234567e-300, "side": 5e-324, "converged": False, "note": "λ"},
]


@pytest.mark.parametrize("infinite", [[], ["side"]])
def test_the_bytes_are_those_that_pandas_writes(tmp_path, infinite):
    write_rows(tmp_path / "ours.csv", COLUMNS, ROWS, infinite)
    write_table(tmp_path / "theirs.csv", pd.DataFrame(ROWS, columns=COLUMNS), infinite)
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()


def test_no_rows_leave_a_header(tmp_path):
    write_rows(tmp_path / "a.csv", COLUMNS, [])
    assert (tmp_path / "a.csv").read_text() == "step,value,side,converged,note\n"
    assert read_numbers(tmp_path / "a.csv", ["value"]) == []


def test_numbers_come_back_to_the_bit(tmp_path):
    write_rows(tmp_path / "a.csv", COLUMNS, ROWS, ["side"])
    read = read_numbers(tmp_path / "a.csv", ["side", "step"])
    assert read[:3] == [(math.inf, 0), (-math.inf, 20), (1.0, 10**12)]
    assert math.isnan(read[3][0]) and read[4] == (5e-324, 4)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"a\.csv' is missing: snakemake makes it again"),
        (b"step,other\n1,2\n", r"a\.csv' has no column 'value': delete it, and the same"),
        (b"", r"a\.csv' has no column 'step', 'value': delete it, and the same"),
        (b"step,value\n1,abc\n", r"a\.csv' is no table \(could not convert string to float: 'abc'\): delete it"),
        (b"step,value\n1\n", r"a\.csv' is no table \(a row is cut off\)"),
        (b"step,value\n\xff,1\n", r"a\.csv' is no table \('utf-8' codec can't decode"),
        (b'step,value\n1,"2\n', r"a\.csv' is no table \(unexpected end of data\)"),
        (b"step,value\n1,2,3\n", r"a\.csv' is no table \(a row is too long\)"),
    ],
)
def test_what_is_no_table_of_numbers_is_told(tmp_path, content, told):
    if content is not None:
        (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_numbers(tmp_path / "a.csv", ["step", "value"])


@pytest.mark.parametrize("step", ["", "inf", "4.5", "8", "4,1\n8"])
def test_the_steps_must_be_those_of_the_snapshots(tmp_path, step):
    path = tmp_path / "a.csv"
    path.write_text("step,value\n0,1\n4,\n")
    assert [row[0] for row in read_steps(path, ["value"], [0, 4])] == [0, 4]
    path.write_text(f"step,value\n0,1\n{step},1\n")
    with pytest.raises(
        UserError, match=r"a\.csv' does not have the steps of the run's snapshots: delete it, and the same"
    ):
        read_steps(path, ["value"], [0, 4])
