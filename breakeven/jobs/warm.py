"""A warm process: it has imported what stages need, PyTorch above all, and forks a child for each job.

Half of the time of a small study was starting Python: ``import torch`` alone takes a second, and a study has hundreds of jobs.
Snakemake starts one warm process (workflow/rules/warm.smk), which ends with it. Its jobs ask it through a socket
(`breakeven.jobs.start`), and a child does what the plain command does, with the same bytes at the end: only modules of others are
imported before, when the first job comes that needs them. Those of this package each child reads from the disk, so that an
edit counts as it always does.

Forking is safe where there is one thread, which is looked at each time, and no CUDA: jobs on GPUs start plainly.
"""

import sys

# as in breakeven/__main__.py: what lies in the working folder is not what we import
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path.append(sys.path.pop(0))

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from breakeven.jobs.termination import PARENT

ALL = ("annotated_types", "filelock", "tqdm", "yaml")
NETWORKS = (*ALL, "torch", "safetensors.torch")
TABLES = (*ALL, "pandas")
IMPORTS = {
    "train": NETWORKS,
    "covariance": NETWORKS,
    "hessian": NETWORKS,
    "stability": (*NETWORKS, "torch._decomp.decompositions_for_jvp"),  # by the first derivative in forward mode
    "locate": (*NETWORKS, "torch._decomp.decompositions_for_jvp"),
    "density": NETWORKS,
    "sharpness": NETWORKS,
    "predictions": NETWORKS,
    "summarise": TABLES,
    "claims": (*TABLES, "scipy.stats"),
    "plot": (*TABLES, "altair", "vl_convert", "jinja2"),
    "report": (*TABLES, "jinja2"),
}
# So that what is imported starts no threads: NumPy for products of matrices, and pyarrow, which pandas imports where it is.
SINGLE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Request:
    """What a client asks for: a stage's arguments, and where the child is to find itself in its place.

    ``folder``, ``environment``, ``streams``: its working folder, its variables, its standard input, output and error;
    ``client``: its process id.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    client: int
    streams: list[int]


class Server:
    """Forks a child for each request that comes in at ``listener``, as long as ``snakemake``, a process, is there."""

    def __init__(self, listener: socket.socket, snakemake: int) -> None:
        self._listener, self._snakemake = listener, os.pidfd_open(snakemake)
        self._clients: dict[int, socket.socket] = {}  # by what tells the end of their child
        self._waiting = select.poll()
        for descriptor in (listener.fileno(), self._snakemake):
            self._waiting.register(descriptor, select.POLLIN)

    def serve(self) -> Request | None:
        """Returns in each child, what it is to do; in this process None, once all are gone.

        Signals are left to the children: who ends a group of processes wants them to save what they have.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # and not ignored: a child may get one before it is ready
        is_over = False
        while self._clients or not is_over:
            for descriptor, _ in self._waiting.poll():
                if descriptor == self._snakemake:
                    is_over = True
                    self._waiting.unregister(descriptor)
                elif descriptor in self._clients:
                    self._child_ended(descriptor)
                else:
                    request = self._asked()
                    if request is not None:
                        return request
        return None

    def _asked(self) -> Request | None:
        """Fork a child for the client that comes next; returns what it asks for in the child, and None in this process."""
        client, _ = self._listener.accept()
        request = _received(client)
        if request is None or not _can_fork(request):
            client.close()  # it starts the stage plainly
        elif (child := os.fork()) == 0:
            for connection in (client, *self._clients.values()):
                connection.close()
            for watched in (self._snakemake, *self._clients):
                os.close(watched)
            return request
        else:
            _tell(client, child)
            end = os.pidfd_open(child)
            self._clients[end] = client
            self._waiting.register(end, select.POLLIN)
        for stream in () if request is None else request.streams:
            os.close(stream)
        return None

    def _child_ended(self, end: int) -> None:
        """Tell its client how."""
        ended = os.waitid(os.P_PIDFD, end, os.WEXITED)
        assert ended is not None
        with self._clients.pop(end) as client:
            _tell(client, ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status)
        self._waiting.unregister(end)
        os.close(end)


def _received(client: socket.socket) -> Request | None:
    """What a client asks for; None where it is gone."""
    text = b""
    streams: list[int] = []
    try:
        _, streams, _, _ = socket.recv_fds(client, 1, 3)
        while not text.endswith(b"\n"):
            part = client.recv(1 << 16)
            if not part:
                raise ConnectionError("the client is gone")
            text += part
        return Request(**json.loads(text), streams=streams)
    except (OSError, TypeError, ValueError):
        for stream in streams:
            os.close(stream)
        return None


def _tell(client: socket.socket, number: int) -> None:
    with suppress(OSError):  # it was killed; its child sees that
        client.sendall(b"%d\n" % number)


def _can_fork(request: Request) -> bool:
    """Whether a child can do what is asked for as well as a plain process, once what the stage needs is imported."""
    if request.environment.get("OMP_NUM_THREADS", "1") != "1":  # Snakemake's: the threads of the rule
        return False
    for module in IMPORTS.get(request.arguments[0], ()):
        with suppress(ImportError):  # the child says so
            importlib.import_module(module)
    gc.freeze()  # the memory that is shared with the children is not looked through
    return len(list(Path("/proc/self/task").iterdir())) == 1


def become(request: Request) -> None:
    """Be the plain command in the place of the client."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    os.environ[PARENT] = f"{os.environ.get(PARENT, '')} {request.client}"
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "breakeven"]:
        del sys.modules[name]
    if not sys.flags.safe_path:
        sys.path.insert(0, sys.path.pop())
    sys.argv[1:] = request.arguments
    gc.enable()
    runpy.run_module("breakeven", run_name="__main__", alter_sys=True)


def main(path: Path, descriptor: int, snakemake: int) -> None:
    """Serve at the socket ``path``, which is open as ``descriptor``, until ``snakemake`` is gone."""
    gc.disable()
    with socket.socket(fileno=descriptor) as listener:
        request = Server(listener, snakemake).serve()
    if request is None:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    else:
        become(request)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
