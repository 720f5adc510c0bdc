"""Where the words go: to a terminal, above a bar and the jobs that run; or into a file, a line for each job that is done."""

import shutil
from collections.abc import Iterator
from typing import Protocol, TextIO

from tqdm import tqdm

from snakemake_logger_plugin_breakeven.invocation import TARGET, Invocation, Job
from snakemake_logger_plugin_breakeven.words import jobs, shortened

RUNNING = 4  # jobs that are shown
SOON = 10.0  # seconds; who has not begun by then waits, in the queue of a cluster or for a GPU
BAR = "{n_fmt} of {total_fmt} |{bar}| {percentage:.0f} %{postfix}"


class Screen(Protocol):
    """What shows an invocation."""

    def say(self, line: str) -> None:
        """Print a line that stays."""

    def draw(self, invocation: Invocation) -> None:
        """Show how far it is."""

    def clear(self) -> None:
        """Remove what doesn't stay."""


class Lines:
    """A stream that isn't a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._told = stream, 0

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=self._stream, flush=True)

    def draw(self, invocation: Invocation) -> None:
        """A line for each job that was done since."""
        for index in range(self._told, len(invocation.done)):
            left = f"  ({invocation.left()})" if index + 1 < invocation.total else ""
            self.say(f"{index + 1} of {jobs(invocation.total)}: {invocation.done[index].title}{left}")
        self._told = len(invocation.done)

    def clear(self) -> None:
        """Lines stay."""


class Terminal:
    """A bar in the last lines of a terminal, and below it what runs now."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bars: list[tqdm] = []

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        tqdm.write(line, file=self._stream)

    def draw(self, invocation: Invocation) -> None:
        """Draw all again."""
        if not invocation.total or invocation.is_stopped:
            return
        if not self._bars:
            self._bars.append(tqdm(total=invocation.total, bar_format=BAR, dynamic_ncols=True, **self._here()))
        bar = self._bars[0]
        bar.n = len(invocation.done)
        bar.set_postfix_str(", ".join(_remarks(invocation)), refresh=False)
        lines = [shortened_line(*each, self._width()) for each in _running(invocation)]
        while len(self._bars) <= len(lines):
            self._bars.append(tqdm(bar_format="{desc}", **self._here()))
        for index, each in enumerate(self._bars[1:]):
            each.set_description_str(lines[index] if index < len(lines) else "", refresh=False)
        for each in self._bars:
            each.refresh()

    def clear(self) -> None:
        """Remove the bar."""
        for bar in reversed(self._bars):
            bar.close()
        self._bars.clear()

    def _here(self) -> dict[str, object]:
        return {"file": self._stream, "position": len(self._bars), "leave": False}

    def _width(self) -> int:
        return shutil.get_terminal_size().columns - 1


def _remarks(invocation: Invocation) -> Iterator[str]:
    """What stands behind the bar."""
    if invocation.failed:
        yield f"{len(invocation.failed)} failed"
    if invocation.left():
        yield invocation.left()


def _running(invocation: Invocation) -> list[tuple[str, str]]:
    """The jobs that run, those that say how far they are first; how many more there are; and how many wait in a queue."""
    from breakeven.jobs.locks import holder, lock_of
    from breakeven.jobs.status import how_far

    def begun(job: Job) -> bool:
        """Whether it holds the lock of what it makes; on this machine it does so within seconds."""
        return invocation.age(job) < SOON or any(holder(lock_of(output)) is not None for output in job.outputs)

    started = [job for job in invocation.running.values() if job.rule != TARGET]
    now = [job for job in started if begun(job)]
    waiting = len(started) - len(now)
    shown = [(f"  {job.title}", how_far(job.log) if job.log else "") for job in now[:RUNNING]]
    more = [f"{len(now) - RUNNING} more run"] if len(now) > RUNNING else []
    more += [f"{waiting} waiting to start"] if waiting else []
    return [*shown, *([("  " + ", ".join(more), "")] if more else [])]


def shortened_line(title: str, remark: str, width: int) -> str:
    """A title and a remark, which stays whole where the title must be shortened."""
    remark = f"  {remark}" if remark else ""
    return shortened(title, width - len(remark)) + remark[: max(0, width)]
