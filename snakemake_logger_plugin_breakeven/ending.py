"""How an invocation of Snakemake ended, in a few lines."""

import os
from pathlib import Path

from snakemake_logger_plugin_breakeven.invocation import Failure, Invocation
from snakemake_logger_plugin_breakeven.words import duration, jobs

SHOWN = 10  # failures


def told_at_the_end(invocation: Invocation) -> list[str]:
    """What was done and what failed, with the sentence and the log of each."""
    if not invocation.total:
        return invocation.other_words()
    done, total = len(invocation.done), invocation.total
    if invocation.is_stopped:
        return [f"Stopped with {done} of {jobs(total)} done: the same command goes on from here."]
    if not invocation.jobs:  # it ended before, and says why
        return []
    if invocation.is_done:
        return [f"{jobs(done)} done in {duration(invocation.elapsed)}.", *invocation.last_words]
    failures = list(invocation.failed.values())
    return [
        f"{done} of {jobs(total)} done in {duration(invocation.elapsed)}; {_what_is_left(len(failures), total - done)}",
        *(line for failure in failures[:SHOWN] for line in _told(failure)),
        *([f"  and {len(failures) - SHOWN} more: {_status(failures[0])}"] if len(failures) > SHOWN else []),
        "Mend the cause and type the same command again: what is done stays.",
        *([f"All that Snakemake said: {_relative(invocation.log)}"] if invocation.log else []),
    ]


def _what_is_left(failed: int, left: int) -> str:
    if not failed:
        return f"{left} left:"
    others = left - failed
    return f"{failed} failed" + (f", and {others} that follow from them were left:" if others else ":")


def _told(failure: Failure) -> list[str]:
    log = [f"    {failure.job.log}"] if failure.job.log is not None else []
    return [f"  {failure.job.title}", f"    {failure.sentence}", *log]


def _status(failure: Failure) -> str:
    """The command that tells of all failures, of which one has its log in the results folder."""
    folders = failure.job.log.parents if failure.job.log is not None else ()
    results = next((str(folder.parent) for folder in folders if folder.name == "logs"), "results")
    return "breakeven status" if results == "results" else f"breakeven status {results}"


def _relative(log: str) -> str:
    path = Path(log)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else log
