"""A result is current by its key and its files, and by nothing else."""

import json
import os
import shutil

import pytest

from breakeven.store.errors import UserError
from breakeven.store.record import check_recorded, is_current, record_of, recorded_key, remove_record, write_record


@pytest.fixture
def table(tmp_path):
    """A table with a folder of arrays beside it, and their record."""
    table = tmp_path / "run" / "hessian.csv"
    (table.parent / "eigenvectors").mkdir(parents=True)
    table.write_text("step\n0\n", encoding="utf-8")
    (table.parent / "eigenvectors/step.safetensors").write_bytes(b"1234")
    write_record(table, "a key", [table.parent / "eigenvectors", table])
    return table


def test_of_the_same_key_and_files(table, tmp_path):
    assert is_current(table, "a key") and recorded_key(table) == "a key"
    assert not is_current(table, "another key")
    shutil.copytree(table.parent, tmp_path / "elsewhere")  # with other times
    assert is_current(tmp_path / "elsewhere/hessian.csv", "a key")
    os.utime(table, (0, 0))
    assert is_current(table, "a key")


@pytest.mark.parametrize("name", ["hessian.csv", "eigenvectors/step.safetensors", ".hessian.csv.record"])
@pytest.mark.parametrize("content", [None, b"", b"step\n0\n1\n"])
def test_of_files_that_are_gone_or_others(table, name, content):
    path = table.parent / name
    path.unlink() if content is None else path.write_bytes(content)
    assert not is_current(table, "a key")


def test_a_table_that_was_edited_without_another_size(table):
    table.write_text("step\n1\n", encoding="utf-8")
    assert not is_current(table, "a key")


def test_without_a_record(table):
    remove_record(table)
    remove_record(table)  # which needs not be there
    assert recorded_key(table) is None and not is_current(table, "a key")


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"key": "a key"}', '{"key": "a key", "files": {"hessian.csv": 1}}', "\x00"]
)
def test_what_is_no_record(table, content):
    record_of(table).write_text(content, encoding="utf-8")
    assert not is_current(table, "a key")


def test_equal_results_have_equal_records(table):
    before = record_of(table).read_bytes()
    write_record(table, "a key", [table.parent / "eigenvectors", table])
    assert record_of(table).read_bytes() == before
    assert json.loads(before)["files"].keys() == {"eigenvectors/step.safetensors", "hessian.csv"}


def test_an_array_that_was_changed_without_another_size(table):
    """Planning doesn't read it; who reads it refuses it."""
    array = table.parent / "eigenvectors/step.safetensors"
    check_recorded(table, array)
    array.write_bytes(b"4321")
    assert is_current(table, "a key")
    with pytest.raises(UserError, match=f"'{array}' was changed since it was written .*: delete '{table}'"):
        check_recorded(table, array)
    remove_record(table)
    check_recorded(table, array)  # by hand, without a record


def test_a_folder_in_the_place_of_a_record(table):
    record_of(table).unlink()
    record_of(table).mkdir()
    assert not is_current(table, "a key")
    remove_record(table)
    write_record(table, "a key", [table])
    assert is_current(table, "a key")
