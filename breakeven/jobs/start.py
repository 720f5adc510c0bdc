"""``python -I -S start.py STAGE ...`` does what ``python -m breakeven STAGE ...`` does, sooner where a warm process waits.

It imports next to nothing: it asks the warm process of its Snakemake (`breakeven.jobs.warm`), if there is one, to carry out the
stage in a child, and lasts as long as that. Where there is none, as by hand and in a job of Slurm, it becomes the plain command.
"""

import json
import os
import signal
import socket
import sys

WARM = "BREAKEVEN_WARM"  # the socket of the warm process, see workflow/rules/warm.smk
NOT_BEGUN = "BREAKEVEN_NOT_BEGUN"  # the name of a module whose handlers were not called, see the Snakefile


def main(arguments: list[str]) -> int:
    """Carry out a stage; returns its exit code, or the negative number of the signal that ended it."""
    module = os.environ.get(NOT_BEGUN)
    if module:
        calls = ", ".join(f"{name}: {module}.{name}()" for name in ("onstart", "onsuccess", "onerror"))
        print(f"error: the Snakefile that uses the module {module} must call its handlers: {calls}", file=sys.stderr)
        return 1
    with socket.socket(socket.AF_UNIX) as connection:
        child = _begun(connection, arguments)
        if not child:
            os.execv(sys.executable, [sys.executable, "-m", "breakeven", *arguments])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child, too
        signal.signal(signal.SIGTERM, lambda number, frame: os.kill(child, number))
        status = _number(connection)
    if status is None:
        print("error: the warm process is gone that had started this stage", file=sys.stderr)
        return 1
    return status


def _begun(connection: socket.socket, arguments: list[str]) -> int | None:
    """The process id of the child that carries out the stage, if there is a warm process that started one."""
    request = {
        "arguments": arguments,
        "folder": os.getcwd(),  # noqa: PTH109 (nothing more is imported)
        "environment": dict(os.environ),
        "client": os.getpid(),
    }
    try:
        connection.connect(os.environ[WARM])
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
    except (KeyError, OSError):
        return None
    return _number(connection)


def _number(connection: socket.socket) -> int | None:
    """The next line that the warm process sends; None where it is gone."""
    line = b""
    try:
        while not line.endswith(b"\n"):
            received = connection.recv(1)
            if not received:
                return None
            line += received
    except OSError:
        return None
    return int(line)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if code < 0:  # so that who waits for this process sees the same
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
