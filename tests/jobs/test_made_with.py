"""What a job says of what it ran on and with."""

import os
import subprocess
import sys

import torch

from breakeven.jobs import made_with


def test_versions_name_what_computed_and_drew():
    versions = made_with.versions()
    assert versions["python"] == sys.version.split()[0]
    assert {"breakeven", "torch", "torchvision", "altair"} <= set(versions)


def test_the_commit_tells_whether_the_code_was_changed(tmp_path, monkeypatch):
    source = tmp_path / "breakeven" / "__init__.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(made_with.breakeven, "__file__", str(source))
    assert made_with.commit() is None  # no repository

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
    assert made_with.commit() is None  # a repository that doesn't hold the code
    git("add", ".")
    git("commit", "-m", "first")
    assert len(made_with.commit()) == 40
    source.write_text("changed = True")
    assert made_with.commit().endswith(" with uncommitted changes")


def test_of_this_process(monkeypatch):
    monkeypatch.setenv(made_with.COMMIT, "abc with uncommitted changes")
    told = made_with.made_with()
    assert told["commit"] == "abc with uncommitted changes"
    assert told["torch"] == torch.__version__
    assert told["cores"] == str(len(os.sched_getaffinity(0)))
    assert told["processor"] and told["gpu"] == ""
    assert "\t" not in "".join(told.values())


def test_what_is_not_used_is_not_named():
    """A stage that imports no torch says none."""
    code = "from breakeven.jobs.made_with import made_with; print(repr(made_with()['torch']))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "''\n"
