"""Who holds a lock is told; a lock that is held by a process that is killed is free."""

import errno
import fcntl
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from breakeven.jobs.gpu_slots import lease
from breakeven.jobs.locks import acquire, held, holder
from breakeven.store.errors import UserError

HOLD = """
import sys
from pathlib import Path
from breakeven.jobs.locks import acquire
lock = acquire(Path(sys.argv[1]), "writing 'a' (train)")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, tmp_path / "a.lock"]
    process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_the_first_is(tmp_path, other, capsys):
    words = rf"process {other.pid} on {re.escape(socket.gethostname())} is writing 'a' \(train\) since 20\d\d-.*"
    with pytest.raises(UserError, match=rf"^{words}: wait for it, or stop it first$"):
        acquire(tmp_path / "a.lock", "reading")
    assert capsys.readouterr().err == ""
    found = holder(tmp_path / "a.lock")
    assert (found["what"], found["pid"]) == ("writing 'a' (train)", other.pid)


def test_a_kill_frees_it(tmp_path, other):
    other.kill()
    other.wait()
    assert holder(tmp_path / "a.lock") is None
    with held(tmp_path / "a.lock", "writing"):
        assert holder(tmp_path / "a.lock")["what"] == "writing"
    assert not (tmp_path / "a.lock").exists()


def test_the_lock_of_a_colleague_is_only_read(tmp_path, other, monkeypatch):
    def of_another_user(path, flags, *arguments, **options):
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, flags, *arguments, **options)

    real = os.open
    monkeypatch.setattr(os, "open", of_another_user)
    assert holder(tmp_path / "a.lock")["pid"] == other.pid
    other.kill()
    other.wait()
    assert holder(tmp_path / "a.lock") is None


def test_who_looks_at_a_free_lock_stops_nobody(tmp_path, other):
    """And isn't taken for the killed process whose name is still in the file."""
    other.kill()
    other.wait()
    with (tmp_path / "a.lock").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH | fcntl.LOCK_NB)
        threading.Timer(0.1, fcntl.flock, [looked_at, fcntl.LOCK_UN]).start()
        lock = acquire(tmp_path / "a.lock", "writing")
    assert holder(tmp_path / "a.lock")["pid"] == os.getpid()
    lock.release()


@pytest.mark.parametrize("answer", [errno.ENOSYS, errno.ENOLCK])
@pytest.mark.parametrize(
    "take",
    [
        lambda path: acquire(path / "a.lock", "x"),
        lambda path: lease(["GPU-a"], 1, path),
        lambda path: (path / "a.lock").touch() or holder(path / "a.lock"),
    ],
)
def test_a_disk_without_locks_is_refused(tmp_path, monkeypatch, answer, take):
    """A file that stands for a lock would stay after a kill."""

    def flock(file, operation):
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=re.escape(str(tmp_path))) as error:
        take(tmp_path)
    assert error.value.errno == errno.ENOLCK


def test_the_second_goes_on_when_the_first_has_ended(tmp_path, other, capsys):
    threading.Timer(1.5, other.stdin.close).start()
    with held(tmp_path / "a.lock", "writing", wait=True):
        assert holder(tmp_path / "a.lock")["what"] == "writing"
    told = capsys.readouterr().err
    assert re.fullmatch(rf"waiting until it has ended: process {other.pid} on .* is writing 'a' .*\n", told)


def test_it_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), held(tmp_path / "new/a.lock", "writing"):
        _ = 1 / 0
    assert holder(tmp_path / "new/a.lock") is None and not (tmp_path / "new/a.lock").exists()


def test_many_that_remove_the_lock_never_hold_it_together(tmp_path):
    """Each removes the file at its end, while others wait for it; a counter would be lost if two held it at a time."""
    code = (
        "import sys; from pathlib import Path; from breakeven.jobs.locks import held\n"
        "p = Path(sys.argv[1])\n"
        "for _ in range(30):\n"
        "    with held(p / 'x.lock', 'counting', wait=True):\n"
        "        n = int((p / 'n').read_text()); (p / 'n').write_text(str(n + 1))\n"
    )
    (tmp_path / "n").write_text("0")
    counters = [subprocess.Popen([sys.executable, "-c", code, tmp_path], stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [counter.wait() for counter in counters] == [0] * 4
    assert (tmp_path / "n").read_text() == "120"
