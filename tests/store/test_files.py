import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.store.files import sha256, whole_file, write_json, write_text


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_file(tmp_path / "new" / "table.csv") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list((tmp_path / "new").iterdir()) == []


def test_an_error_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("earlier")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "earlier"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_replaced_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("earlier")
    with path.open() as reader:
        with whole_file(path) as temporary:
            temporary.write_text("later")
            assert path.read_text() == "earlier"
        assert path.read_text() == "later"
        assert reader.read() == "earlier"  # whoever reads goes on with the file that it opened
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_temporary_name_keeps_the_suffix_and_belongs_to_one_process(tmp_path, monkeypatch):
    names = []
    for process in (11, 12):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        with whole_file(tmp_path / "figure.png") as temporary:
            temporary.touch()
            names.append(temporary)
    assert names[0] != names[1]
    assert {name.suffix for name in names} == {".png"}
    assert {name.parent for name in names} == {tmp_path}
    assert all(name.name.startswith(".") for name in names)  # no pattern like *.png finds it


def test_several_processes_write_one_file(tmp_path):
    """A reader sees only whole files, whoever wrote them."""
    path = tmp_path / "shared.txt"
    write_text(path, "0" * 100_000)
    code = (
        "import sys; from breakeven.store.files import write_text\n"
        "for _ in range(40): write_text(sys.argv[1], sys.argv[2] * 100_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, path, letter]) for letter in "123"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert len(text) == 100_000
        assert len(set(text)) == 1
        seen.add(text[0])
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert seen & set("123")
    assert [file.name for file in tmp_path.iterdir()] == ["shared.txt"]


def test_equal_content_is_equal_json(tmp_path):
    for name, content in (("a", {"x": 1, "η": [0.1]}), ("b", {"η": [0.1], "x": 1})):
        write_json(tmp_path / name, content)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text(encoding="utf-8")) == {"x": 1, "η": [0.1]}


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_text_is_utf8(tmp_path):
    write_text(str(tmp_path / "a.txt"), "η λ\n")
    assert (tmp_path / "a.txt").read_bytes() == "η λ\n".encode()


def test_sha256(tmp_path):
    path = Path(tmp_path / "abc")
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1
    path.write_bytes(bytes(3_000_000))
    assert sha256(path) == hashlib.sha256(bytes(3_000_000)).hexdigest()
