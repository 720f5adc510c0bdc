import subprocess
import sys

import pytest

from breakeven.report import facts


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 01 s"), (3599.8, "1 h 00 min"), (7265, "2 h 01 min")],
)
def test_durations_in_words(seconds, text):
    assert facts.duration(seconds) == text


def test_versions_name_what_computed_and_drew():
    versions = facts.versions()
    assert versions["python"] == sys.version.split()[0]
    assert {"breakeven", "torch", "torchvision", "altair"} <= set(versions)


def test_the_commit_tells_whether_the_code_was_changed(tmp_path, monkeypatch):
    source = tmp_path / "breakeven" / "__init__.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(facts.breakeven, "__file__", str(source))
    assert facts.commit() is None  # no repository

    def git(*arguments):
        identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b.c",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=",
        ]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init")
    assert facts.commit() is None  # a repository that doesn't hold the code
    git("add", ".")
    git("commit", "-m", "first")
    assert len(facts.commit()) == 40
    source.write_text("changed = True")
    assert facts.commit().endswith(" with uncommitted changes")
