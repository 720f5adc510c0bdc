"""A file that is not the one that was written is refused by its name, whatever happened to it."""

import shutil
import subprocess

import pytest

from breakeven.store.errors import UserError
from breakeven.store.sealed import record_of, seal, sealed_file, verify


@pytest.fixture
def runs(tmp_path):
    """Two runs, each with a table and an eigenvector that belongs to it."""
    for run in ("a", "b"):
        folder = tmp_path / "runs" / run
        (folder / "vectors").mkdir(parents=True)
        (folder / "vectors/step-0").write_text(f"vector of {run}")
        with sealed_file(folder / "hessian.csv", folder / "vectors/step-0") as temporary:
            temporary.write_text(f"table of {run}")
    return tmp_path / "runs"


def test_the_record_is_one_for_sha256sum(runs):
    records = [str(path.relative_to(runs)) for path in sorted(runs.glob("*/*.sha256"))]
    checked = subprocess.run(["sha256sum", "--check", *records], cwd=runs, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.splitlines() == [
        f"{run}/{name}: OK" for run in "ab" for name in ("hessian.csv", "vectors/step-0")
    ]


def test_what_is_whole_passes_also_when_the_folder_has_moved(runs, tmp_path, monkeypatch):
    moved = tmp_path / "elsewhere"
    runs.rename(moved)
    verify(moved / "a/hessian.csv")
    verify(moved / "a/vectors/step-0", by=moved / "a/hessian.csv")
    monkeypatch.chdir(moved / "a")
    verify((moved / "a/hessian.csv").relative_to(moved / "a"))


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGES = {
    "truncated": (lambda a, b: (a / "hessian.csv").write_text("table"), "hessian.csv' is damaged (its SHA-256"),
    "one bit": (lambda a, b: flip(a / "hessian.csv"), "hessian.csv' is damaged (its SHA-256"),
    "missing": (lambda a, b: (a / "hessian.csv").unlink(), "hessian.csv' is missing: snakemake makes it again"),
    "no record": (lambda a, b: record_of(a / "hessian.csv").unlink(), "hessian.csv' can't be checked, since"),
    "another record": (
        lambda a, b: shutil.copy(record_of(b / "hessian.csv"), a),
        "hessian.csv' is not a/hessian.csv: '{a}/hessian.csv.sha256' is of b/hessian.csv; delete",
    ),
    "another run": (
        lambda a, b: [shutil.copy(b / name, a / name) for name in ("hessian.csv", "hessian.csv.sha256")],
        "hessian.csv' is not a/hessian.csv: '{a}/hessian.csv.sha256' is of b/hessian.csv; delete",
    ),
    "no text": (lambda a, b: record_of(a / "hessian.csv").write_bytes(b"\xff"), "hessian.csv.sha256' is damaged"),
    "no digests": (lambda a, b: record_of(a / "hessian.csv").write_text("digests"), "hessian.csv.sha256' is damaged"),
    "empty record": (lambda a, b: record_of(a / "hessian.csv").write_text(""), "' is of nothing; delete"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_one_sentence(runs, damage):
    do, words = DAMAGES[damage]
    do(runs / "a", runs / "b")
    with pytest.raises(UserError) as error:
        verify(runs / "a/hessian.csv")
    told = str(error.value)
    assert words.format(a=runs / "a") in told and "\n" not in told
    if damage == "missing":
        assert told.endswith("is missing: snakemake makes it again")
    else:
        assert "delete" in told and told.endswith("and the same command makes it again")


@pytest.mark.parametrize("damage", ["renamed", "one bit", "missing"])
def test_files_that_belong_to_a_table(runs, damage):
    vector = runs / "a/vectors/step-0"
    match damage:
        case "renamed":
            vector = vector.rename(runs / "a/vectors/step-1")
        case "one bit":
            flip(vector)
        case "missing":
            vector.unlink()
    with pytest.raises(UserError, match=f"'{vector}' is .*delete '{runs / 'a/hessian.csv'}'"):
        verify(vector, by=runs / "a/hessian.csv")


def test_a_write_that_fails_leaves_what_was_there(runs):
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError), sealed_file(runs / "a/hessian.csv") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


def test_written_again_by_hand(runs):
    (runs / "a/hessian.csv").write_text("other")
    with pytest.raises(UserError, match="is damaged"):
        verify(runs / "a/hessian.csv")
    seal(runs / "a/hessian.csv")
    verify(runs / "a/hessian.csv")
