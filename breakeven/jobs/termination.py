"""How a stage ends before its time: asked to by a signal, or because the Snakemake that started it is gone.

SIGTERM comes from a scheduler (Slurm sends it some seconds before SIGKILL), SIGINT from Ctrl-C. Both end a stage as an
exception does, so that no half-written file is left; a training saves a checkpoint first.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

STOPPED = "ended by a signal"  # what the log of a job then says, which has not failed
PARENT = "BREAKEVEN_PARENT"  # the process id of the Snakemake that starts the jobs, see workflow/rules/common.smk; or several
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end(number: int) -> NoReturn:
    """End this process with the exit code that stands for the signal ``number``."""
    raise SystemExit(128 + number)


def end_on_signals() -> None:
    """From now on, a signal ends the process as an exception would. A second one does not disturb what is done at the end."""

    def ended(received: int, frame: object) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        os.write(2, f"{STOPPED}; the same command makes this again\n".encode())  # print may have been interrupted
        end(received)

    for number in SIGNALS:
        signal.signal(number, ended)


def interrupt_once() -> None:
    """Ctrl-C interrupts; pressed again, it does not disturb what is done at the end."""

    def interrupted(number: int, frame: object) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)


@contextmanager
def deferred_signals() -> Iterator[Callable[[], int | None]]:
    """Within the block, a signal is only remembered: the function that is given says which one came, if any."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda got, frame: received.append(got)) for number in SIGNALS}
    try:
        yield lambda: received[-1] if received else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Get a SIGTERM as soon as the Snakemake that started this job is gone.

    A Snakemake that is killed leaves its jobs running. They would go on writing, for hours and on the same GPU, beside the
    jobs that the next Snakemake starts.
    """
    for parent in os.environ.get(PARENT, "").split():
        if parent.isdecimal():
            threading.Thread(target=_watch, args=(int(parent),), daemon=True).start()


def _watch(parent: int) -> None:
    try:
        if hasattr(os, "pidfd_open"):  # Linux: tells at once, also of a process that nobody has waited for
            select.select([os.pidfd_open(parent)], [], [])
        else:
            while True:
                os.kill(parent, 0)
                time.sleep(1)
    except ProcessLookupError:
        pass
    except OSError:  # a system that doesn't let us watch: then the job just goes on
        return
    os.kill(os.getpid(), signal.SIGTERM)
