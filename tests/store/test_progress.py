import gc
import io
import sys

from breakeven.store import progress as module
from breakeven.store.progress import progress, say


def test_a_log_gets_lines(capsys):
    assert list(progress(range(5), "train", unit="step")) == [0, 1, 2, 3, 4]
    output = capsys.readouterr()
    assert output.out == ""
    assert "\r" not in output.err
    assert "\x1b" not in output.err
    assert output.err.isascii()
    lines = output.err.splitlines()
    assert 1 <= len(lines) <= 3  # far fewer than items, since little time has passed
    assert lines[-1].startswith("train: 100%")
    assert "5/5" in lines[-1]


def test_a_line_every_few_seconds(capsys, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 1e-9)
    for _ in progress(range(5), "train", unit="step"):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert [f"{done}/5" in line for done, line in enumerate(lines[:6])] == [True] * 6


def test_what_was_done_before_counts(capsys):
    assert list(progress(range(7, 10), "train", unit="step", initial=7, total=10)) == [7, 8, 9]
    lines = capsys.readouterr().err.splitlines()
    assert "7/10" in lines[0]
    assert "10/10" in lines[-1]


def test_items_come_one_by_one():
    """What follows an item may depend on what was done with it."""
    seen = []
    for item in progress((seen.append(i) or i for i in range(3)), "x", unit="y"):
        assert seen[-1] == item
        if item == 1:
            break
    assert seen == [0, 1]


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    gc.collect()  # the bars of failures that other tests provoked: while one is open, a new bar goes a line below it
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(progress(range(3), "train", unit="step"))
    assert terminal.getvalue().count("\n") == 1
    assert "\rtrain: 100%" in terminal.getvalue()


def test_say(capsys):
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
