"""The digest of files as they lie on a disk: another where a name or a byte is another, the same whatever their times."""

import os
import shutil

import pytest

from breakeven.store import contents
from breakeven.store.contents import Contents, is_folder


@pytest.fixture
def data(tmp_path):
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "data"


@pytest.fixture
def digest(tmp_path):
    """The digest at another planning, which may remember the last."""

    def look(path):
        found = Contents(tmp_path / "memory.json")
        digest = found.digest(path)
        found.remember()
        return digest

    return look


def settled(folder):
    """As if nothing had been written lately."""
    for path in folder.rglob("*"):
        os.utime(path, (1e9, 1e9))


def test_the_same_wherever_and_whenever(data, digest, tmp_path):
    before = digest(data)
    settled(data)
    shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copy)
    (tmp_path / "link").symlink_to(data)
    assert digest(data) == digest(tmp_path / "copy") == digest(tmp_path / "link") == before


def test_another_for_each_change(data, digest):
    """Each a change of one thing; all of them are different from each other."""
    settled(data)
    seen = [digest(data)]

    def changed():
        seen.append(digest(data))

    (data / "train/a/1.png").write_bytes(b"train/a/2.png")  # of the same size
    changed()
    (data / "train/a/1.png").rename(data / "train/a/0.png")
    changed()
    (data / "train/c").mkdir()
    (data / "train/c/4.png").write_bytes(b"")
    changed()
    (data / "test/a/3.png").unlink()
    changed()
    shutil.move(data / "train/a", data / "train/d")
    changed()
    assert len(set(seen)) == len(seen)


def test_what_was_written_just_now_is_read_again(data, digest):
    """A second change within the clock's tick leaves the size and the time of the first."""
    path = data / "train/a/1.png"
    before = digest(data)
    times = path.stat()
    path.write_bytes(b"train/a/9.png")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(data) != before


def test_bytes_are_read_once(data, digest, monkeypatch):
    monkeypatch.setattr(contents, "JUST_NOW", -1)
    before = digest(data)
    monkeypatch.setattr(contents, "_bytes", lambda *given: pytest.fail("read again"))
    assert digest(data) == before


@pytest.mark.parametrize("date", [0, 1e9])
def test_new_bytes_of_the_old_size_and_date(data, digest, monkeypatch, date):
    """Archives are often made with one date for all, or none."""
    monkeypatch.setattr(contents, "JUST_NOW", -1)
    for path in data.rglob("*.png"):
        os.utime(path, (date, date))
    before = digest(data)
    (data / "train/a/1.png").write_bytes(b"train/a/9.png")
    os.utime(data / "train/a/1.png", (date, date))
    assert digest(data) != before != "nothing"


def test_what_is_no_file_is_not_looked_at(data):
    before = Contents().digest(data)
    os.mkfifo(data / "train/a/pipe")
    assert Contents().digest(data) == before


def test_large_data_by_names_sizes_and_times(data, digest, monkeypatch):
    monkeypatch.setattr(contents, "MOST_BYTES", 3)
    monkeypatch.setattr(contents, "_bytes", lambda *given: pytest.fail("read"))
    settled(data)
    before = digest(data)
    assert digest(data) == before
    os.utime(data / "train/a/1.png", (1e9, 1e9 + 1))
    assert digest(data) != before


def test_what_others_leave_behind_counts_nothing(data, digest):
    before = digest(data)
    for name in (
        ".ipynb_checkpoints/1.png",
        "__MACOSX/._1.png",
        "train/@eaDir/1.png",
        "train/a/.DS_Store",
        "Thumbs.db",
    ):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(b"new")
    assert digest(data) == before


def test_a_file_and_nothing(data, digest, tmp_path):
    file = data / "train/a/1.png"
    before = digest(file)
    file.write_bytes(b"other")
    assert digest(file) != before
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    assert {digest(tmp_path / name) for name in ("empty", "dangling", "missing")} == {"nothing"}


def test_links_in_a_circle(data, digest):
    (data / "train/a/loop").symlink_to(data)
    assert digest(data) == digest(data)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"PATH": 1}', '{"PATH": {}}', '{"PATH": {"listing": "x"}}'])
def test_a_memory_that_is_none(data, digest, tmp_path, content):
    before = digest(data)
    (tmp_path / "memory.json").write_text(content.replace("PATH", str(data)), encoding="utf-8")
    assert digest(data) == before


def test_links_that_lead_nowhere_are_files(tmp_path):
    """Neither to nothing nor to themselves: planning must get over them. A link to a folder is one."""
    folder = tmp_path / "pictures"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "0.png").write_bytes(b"picture")
    before = Contents(tmp_path / "memory").digest(folder)
    for name, target in (("loop", "loop"), ("broken", "nothing"), ("link", "a"), ("to_file", "a/0.png")):
        (folder / name).symlink_to(target)
    (folder / "file").touch()
    with os.scandir(folder) as entries:
        assert {entry.name for entry in entries if is_folder(entry)} == {"a", "link"}
    assert Contents(tmp_path / "memory").digest(folder) != before
