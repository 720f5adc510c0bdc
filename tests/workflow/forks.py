"""``snakemake`` and its jobs in processes that are forked from one that has imported what they import.

The server is a process of its own, which knows nothing of the package, so that each job imports that of its own folder.
`Forks.python` is a program that takes the place of ``python`` for the jobs: it lets the server do what it was asked to, waits,
and passes signals on.
"""

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PRELOADED = (
    *("snakemake.cli", "torch", "torch._dynamo", "pandas", "altair", "vl_convert", "scipy.optimize", "scipy.stats"),
    *("safetensors.torch", "jinja2", "tqdm", "PIL.Image", "sklearn.datasets"),
)
CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect("{address}")
content = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(content).to_bytes(8, "little")], [0, 1, 2])
server.sendall(content)
process = int(server.recv(16))
if sys.argv[1] == "snakemake":
    with open("{address}.%d" % os.getpid(), "w") as file:
        file.write(str(process))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda received, frame: os.kill(process, received))
os._exit(int(server.recv(16) or 137))
"""


class Forks:
    """The server, with its socket in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "forks.socket")
        self.python = folder / "python"
        Path(f"{self.address}.jobs").mkdir()
        self.python.write_text(CLIENT.format(python=sys.executable, address=self.address), encoding="utf-8")
        self.python.chmod(0o755)
        self._server = subprocess.Popen([sys.executable, __file__, self.address, str(self.python)])
        while not Path(self.address).exists():
            assert self._server.poll() is None
            time.sleep(0.05)

    def start(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], said: Path
    ) -> subprocess.Popen[bytes]:
        """Start ``snakemake`` with these arguments in ``folder``; ``said`` is written what it says."""
        with said.open("wb") as output:
            return subprocess.Popen(
                [self.python, "snakemake", *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def forked(self, process: subprocess.Popen[bytes]) -> int:
        """The process that does what ``process``, which was started here, waits for."""
        return int(Path(f"{self.address}.{process.pid}").read_text(encoding="utf-8"))

    def jobs(self) -> list[int]:
        """The processes of the jobs that are running, not that of Snakemake."""
        return [int(path.name) for path in Path(f"{self.address}.jobs").iterdir()]

    def close(self) -> None:
        self._server.kill()
        self._server.wait()


def serve(address: str, python: str) -> None:
    """Fork a process for each connection, until this one is killed."""
    for module in PRELOADED:
        __import__(module)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _wait_for(connection, python, Path(f"{address}.jobs"))
        connection.close()


def _wait_for(connection: socket.socket, python: str, jobs: Path) -> None:
    """Fork what was asked for, tell its process and, at its end, its exit code."""
    head, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
    size, content = int.from_bytes(head, "little"), b""
    while len(content) < size:
        content += connection.recv(size - len(content))
    arguments, folder, environment = json.loads(content)
    process = os.fork()
    if process == 0:
        connection.close()
        os.setpgid(0, 0)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        _become(arguments, python)
    running = jobs / str(process)
    if arguments[0] != "snakemake":
        running.touch()
    with contextlib.suppress(OSError):
        connection.sendall(str(process).encode())
        _, status = os.waitpid(process, 0)
        running.unlink(missing_ok=True)
        code = os.waitstatus_to_exitcode(status)
        connection.sendall(str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def _become(arguments: list[str], python: str) -> None:
    """What ``snakemake ARGUMENTS`` or ``python -m MODULE ARGUMENTS`` does; ``start.py`` what it does without a warm process."""
    if arguments[:2] == ["-I", "-S"]:
        arguments = ["-m", "breakeven", *arguments[3:]]
    if arguments[:2] == ["-m", "breakeven.jobs.warm"]:  # this is one
        Path(arguments[2]).unlink(missing_ok=True)
        Path(arguments[2]).parent.rmdir()
        os._exit(0)
    if arguments[0] == "snakemake":
        from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

        LoggerPluginRegistry()  # knows the plugin of this checkout, which then isn't imported from
    sys.path[:] = [path for path in sys.path if Path(path).name == "site-packages" or path.startswith(sys.base_prefix)]
    code = 1
    try:
        if arguments[0] == "snakemake":
            sys.executable = python  # with which rules start jobs
            sys.argv = arguments
            from snakemake.cli import main

            main()
            code = 0
        else:
            sys.path.insert(0, str(Path.cwd()))
            sys.argv = [arguments[1], *arguments[2:]]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException as error:
        import traceback

        traceback.print_exception(error)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(*sys.argv[1:])
