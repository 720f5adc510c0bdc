"""Locks on files that are free again when their process ends, however it ends: killed, out of memory, without power.

The operating system keeps them (flock, through filelock), also between the hosts that share a folder by NFS, Lustre or
BeeGFS as they are commonly set up. Beside the lock, its file says who holds it, for those who wait and for ``status``.
"""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from breakeven.store.errors import UserError
from breakeven.store.progress import say

PATIENCE = 0.5  # seconds, far longer than `holder` looks


def take(path: Path, patience: float = 0) -> FileLock:
    """Lock ``path``; filelock's Timeout where another process still has it after ``patience`` seconds."""
    lock = FileLock(path, fallback_to_soft=False)  # a soft lock is a file, which a kill would leave behind
    with _no_locks_are_told(path):
        lock.acquire(timeout=patience, poll_interval=0.2)
    return lock


@contextmanager
def _no_locks_are_told(path: Path) -> Iterator[None]:
    """A file system without locks has several ways to say so; make them one."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS):
            raise
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path)) from error


def acquire(path: Path, what: str, wait: bool = False) -> FileLock:
    """Lock ``path``; keep what is returned for as long as the lock is needed.

    ``what`` is done meanwhile, as in "training a": others read it in the UserError that they get, or while they ``wait``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = take(path, PATIENCE)
    except Timeout:
        if not wait:
            raise UserError(f"{description(path)}: wait for it, or stop it first") from None
        say(f"waiting until it has ended: {description(path)}")
        lock = take(path, patience=-1)
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    holder = {"what": what, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    path.write_text(json.dumps(holder), encoding="utf-8")
    return lock


def lock_of(out: Path) -> Path:
    """The lock of the job that writes ``out``, beside it."""
    return out.with_name(f".{out.name}.lock")


@contextmanager
def held(path: Path, what: str, wait: bool = False) -> Iterator[None]:
    """Hold the lock ``path`` within the block; its file is removed at the end, while the lock is still held."""
    lock = acquire(path, what, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def holder(path: Path) -> dict[str, Any] | None:
    """Who holds the lock ``path`` now: what, pid, host, since; None where nobody does.

    For reading alone, since it may be a colleague's, and shared, so that no other who looks is taken for a holder.
    """
    try:
        with path.open() as file, _no_locks_are_told(path):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _read(path)
    return None


def description(path: Path) -> str:
    """Who holds the lock ``path``, in words."""
    found = _read(path)
    return "process {pid} on {host} is {what} since {since}".format(**found)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # in the moment between taking the lock and writing into it
        found = {}
    return {"what": f"using '{path}'", "pid": "?", "host": "?", "since": "now"} | found
