"""What is done, running and failed of what was planned last in a results folder, and how far each training is."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

from breakeven.jobs.locks import description, holder, lock_of
from breakeven.jobs.results_folder import LOCK, PLAN, read_plan
from breakeven.jobs.termination import STOPPED
from breakeven.store.errors import UserError

STATES = ("done", "running", "failed", "to do")
NO_WORD = "ended without a word"
TRACEBACK = "Traceback (most recent call last)"
START = 60.0  # seconds that a job may take to begin
LONGEST = 400  # letters of an error that are told
BAR = "%|"  # tqdm's, see breakeven/store/progress.py
PROGRESS = re.compile(r"^\w[\w ]*: +(\d+%)\|.*\| (\d+/\d+) \[[\d:]+<([\d:?]+),")  # of a job, not within a step of it


@dataclass(frozen=True)
class Job:
    """A planned job: its rule, what it is for, its state, and a remark: how far it is, or why it failed.

    What it is for is a run or the like, with the config's name of its data set where that isn't in there.
    """

    rule: str
    name: str
    state: str
    remark: str = ""


def report_status(results: Path = Path("results")) -> str:
    """The state of the results folder ``results`` as text."""
    if results.is_file():
        raise UserError(f"'{results}' is a file; give the results folder, which a config names by its key 'results'")
    plan = read_plan(results)
    if plan is None:
        raise UserError(f"nothing was planned in the results folder '{results}' yet: start snakemake first")
    started = (results / PLAN).stat().st_mtime_ns
    jobs = [_job(results, planned, started) for planned in plan["jobs"]]
    counts: dict[str, Counter[str]] = {}
    for job in jobs:
        counts.setdefault(job.rule, Counter())[job.state] += 1
    rows = [
        [rule, *(str(count[state] or "") for state in STATES), str(count.total())] for rule, count in counts.items()
    ]
    parts = [_invocation(results, plan), _aligned([["", *STATES, "of"], *rows])]
    for state in ("running", "failed"):
        chosen = [job for job in jobs if job.state == state]
        if chosen:
            parts.append(
                "\n".join([f"{state}:", *(f"  {job.rule} {job.name}  {job.remark}".rstrip() for job in chosen)])
            )
    return "\n\n".join(parts)


def _aligned(rows: list[list[str]]) -> str:
    """The rows in columns, the first one aligned left and the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )


def _invocation(results: Path, plan: dict[str, Any]) -> str:
    running = holder(results / LOCK) is not None
    now = description(results / LOCK) if running else "no snakemake is running in it"
    return f"{results}: planned from {plan['config']} at {plan['started']}; {now}"


def _job(results: Path, planned: dict[str, Any], started: int) -> Job:
    """The state of a job: running while its lock is held, else by its files: done, failed (only a log), or to do.

    Files of a needed job that are from before the invocation ``started`` are those that it is to make again.
    """
    rule, name, log = planned["rule"], planned["name"], results / (planned["log"] or "none")
    name += f" ({planned['dataset']})" if planned.get("dataset") else ""
    outputs = [results / output for output in planned["outputs"]]
    if any(holder(lock_of(output)) is not None for output in outputs):
        return Job(rule, name, "running", how_far(log))
    since = started if planned.get("needed") else 0
    if all(_is_newer(output, since) for output in outputs):
        return Job(rule, name, "done")
    last_words = why(log)
    if not _is_newer(log, started) or last_words.startswith((STOPPED, "KeyboardInterrupt")):
        return Job(rule, name, "to do")
    if holder(results / LOCK) is not None and _is_starting(log):
        return Job(rule, name, "running", "starting")
    return Job(rule, name, "failed", f"{last_words} ({log})")


def _is_starting(log: Path) -> bool:
    """Whether the shell has made its log, and it has not begun: it takes its lock in a few seconds, and then says something."""
    found = log.stat()
    return found.st_size == 0 and time.time() - found.st_mtime < START


def _is_newer(path: Path, since: int) -> bool:
    """Whether there is such a file, written at ``since`` (in ns, of the same file system's clock) or later."""
    try:
        return path.stat().st_mtime_ns >= since
    except FileNotFoundError:
        return False


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []


def how_far(log: Path) -> str:
    """How far a job is, by the last line of progress in its log."""
    for line in reversed(_lines(log)):
        found = PROGRESS.match(line)
        if found:
            percent, steps, left = found.groups()
            return f"{percent}, {steps}, {'unknown time' if '?' in left else left} left"
    return ""


def why(log: Path) -> str:
    """The last words of a log: the sentence of a mistake, the error of a traceback, or what it was doing when it was killed."""
    words = [line for line in _lines(log) if line.strip() and BAR not in line]
    tracebacks = [index for index, line in enumerate(words) if line.startswith(TRACEBACK)]
    if tracebacks:
        error = dropwhile(lambda line: line.startswith(" "), words[tracebacks[-1] + 1 :])
        words.append(" ".join(line.strip() for line in error)[:LONGEST])
    return words[-1] if words else NO_WORD
