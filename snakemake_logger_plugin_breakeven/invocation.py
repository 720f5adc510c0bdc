"""What is known of an invocation of Snakemake from the records that it has logged so far."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from logging import ERROR, WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_breakeven.words import duration

# what Snakemake says each time, before it knows whether there is something to do
EACH_TIME = ("Assuming unrestricted shared", "Building DAG", "Using shell", "Reasons:", "This was a dry-run")
LAST_WORDS = ("Exiting because a job execution failed", "WorkflowError:\nAt least one job did not complete")
# what Snakemake says where it stops, and what a user is told
STOPPED = {
    "Terminating processes on user request": "Stopping: jobs that run save where they are.",
    "Will exit after finishing currently running jobs": "Stopping: no more jobs begin, those that run go on to their end.",
}
NOTHING = "Nothing to be done"
LOG = "Complete log(s): "
FOR_USER = "for_user"  # what our own rules add to a record that a user is to read
CHANGED = "changed"  # what they add of outputs
TARGET = "all"  # a job that only collects


@dataclass(frozen=True)
class Job:
    """A job: its rule, what it is for, why Snakemake runs it, its log, its outputs, and when it was started."""

    rule: str
    name: str
    reason: str
    log: Path | None
    outputs: tuple[Path, ...]
    started: float

    @property
    def title(self) -> str:
        """Its rule and what it is for."""
        return f"{self.rule} {self.name}".rstrip()


@dataclass(frozen=True)
class Failure:
    """Why a job failed, in a sentence, and when."""

    job: Job
    sentence: str
    time: float


class Invocation:
    """An invocation of Snakemake, as `heard` so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.began = clock()
        self.planned: Counter[str] = Counter()  # jobs by rule
        self.jobs: dict[int, Job] = {}  # all that were told, by their numbers
        self.running: dict[int, Job] = {}
        self.done: list[Job] = []
        self.failed: dict[int, Failure] = {}
        self.changed: set[Path] = set()  # of the outputs that are planned, those that are of something else now
        self.is_stopped = False
        self.log = ""
        self.last_words: list[str] = []  # of our own rules, once all is done
        self._is_run = False
        self._before: list[str] = []  # what was said before it was known to run jobs
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)  # that jobs took, by rule
        self._untold: list[Failure] = []

    @property
    def total(self) -> int:
        """The number of jobs that were planned."""
        return self.planned.total()

    @property
    def is_done(self) -> bool:
        """Whether all planned jobs are done."""
        return 0 < self.total == len(self.done)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self.began

    def age(self, job: Job) -> float:
        """Seconds since a job was started."""
        return self._clock() - job.started

    def heard(self, record: LogRecord) -> Iterator[str]:
        """Take in a record; yields what a user is to read of it at once."""
        yield from self.failures()
        said: Mapping[str, Any] = record.__dict__
        match said.get("event"):
            case LogEvent.RUN_INFO:
                self._run(said["stats"])
            case LogEvent.JOB_INFO:
                self._started(said)
            case LogEvent.JOB_FINISHED:
                self._finished(said["job_id"])
            case LogEvent.JOB_ERROR:
                self._failed(said)
            case None | LogEvent.ERROR:
                yield from self._words(record)

    def failures(self) -> Iterator[str]:
        """Those that were not told yet, after a second: who stops Snakemake also ends its jobs, and that is no failure."""
        while self._untold and not self.is_stopped and self._clock() - self._untold[0].time >= 1:
            failure = self._untold.pop(0)
            yield f"failed: {failure.job.title}: {failure.sentence}"

    def seconds_left(self) -> float | None:
        """An estimate from what jobs of each rule took, and how many ran at a time; None while none has finished."""
        took = [seconds for each in self._seconds.values() for seconds in each]
        if not took:
            return None
        now = self._clock()
        mean = {rule: sum(each) / len(each) for rule, each in self._seconds.items()}
        typical = sum(took) / len(took)
        left = self.planned - Counter(job.rule for job in (*self.done, *(each.job for each in self.failed.values())))
        work = sum(count * mean.get(rule, typical) for rule, count in left.items())
        begun = [(now - job.started, mean.get(job.rule, typical)) for job in self.running.values()]
        work -= sum(min(spent, expected) for spent, expected in begun)
        at_a_time = (sum(took) + sum(spent for spent, _ in begun)) / max(self.elapsed, 0.001)
        return work / max(1.0, at_a_time)

    def left(self) -> str:
        """`seconds_left` in words, empty while nothing is known."""
        seconds = self.seconds_left()
        return "" if seconds is None else f"about {duration(seconds)} left"

    def _run(self, stats: Mapping[str, int]) -> None:
        if not self._is_run:
            self.planned = Counter({rule: n for rule, n in stats.items() if rule not in ("total", TARGET)})
        self._is_run = True
        self._before.clear()

    def _started(self, said: Mapping[str, Any]) -> None:
        job = Job(
            said["rule_name"],
            "/".join(map(str, dict(said["wildcards"] or {}).values())),
            said["reason"] or "",
            Path(said["log"][0]) if said["log"] else None,
            tuple(map(Path, said["output"])),
            self._clock(),
        )
        self.jobs[said["jobid"]] = self.running[said["jobid"]] = job
        self.failed.pop(said["jobid"], None)  # it is tried again

    def _finished(self, number: int) -> None:
        job = self.running.pop(number, None)
        if job is not None and job.rule != TARGET:
            self.done.append(job)
            self._seconds[job.rule].append(self._clock() - job.started)

    def _failed(self, said: Mapping[str, Any]) -> None:
        job = self.running.pop(said["jobid"], None) or self.jobs.get(said["jobid"])
        if job is None:
            return
        self.failed[said["jobid"]] = Failure(job, _sentence(job, said), self._clock())
        self._untold.append(self.failed[said["jobid"]])

    def _words(self, record: LogRecord) -> Iterator[str]:
        """What is said in plain words, or by an exception."""
        text = record.getMessage()
        self.changed |= set(map(Path, getattr(record, CHANGED, ())))
        stopping = next((words for said, words in STOPPED.items() if text.startswith(said)), "")
        if stopping and not self.is_stopped:
            self.is_stopped = True
            yield stopping
        elif text.startswith(LOG):
            self.log = text.removeprefix(LOG)
        elif getattr(record, FOR_USER, False) and self.is_done:
            self.last_words.append(text)
        elif getattr(record, FOR_USER, False) or text.startswith(NOTHING):
            yield text
        elif record.levelno >= WARNING:
            if not text.startswith(LAST_WORDS) and not (record.levelno == ERROR and _is_of_a_command(text)):
                yield text
        elif not self._is_run and not text.startswith(EACH_TIME):
            self._before.append(text)

    def other_words(self) -> list[str]:
        """What was said where no jobs were run, as by ``--unlock``; where none of those that were asked for had to be."""
        return [f"{NOTHING}."] if self._is_run else self._before


def _is_of_a_command(text: str) -> bool:
    """Whether an error says no more than that a job's command failed, which its JOB_ERROR says as well."""
    return text.startswith("RuleException:\nCalledProcessError")


def _sentence(job: Job, said: Mapping[str, Any]) -> str:
    """Why a job failed: the last words of its log, which need not be an error, and what a cluster says of it."""
    from breakeven.jobs.status import why

    last = why(job.log) if job.log is not None and job.log.is_file() else ""
    cluster = " ".join(str(said.get("rule_msg") or "").split()).partition(". ")[0]
    if last.startswith("error: ") or not cluster:
        return last.removeprefix("error: ") or "it ended before it wrote a log"
    return f"{cluster} ({last})" if last else cluster
