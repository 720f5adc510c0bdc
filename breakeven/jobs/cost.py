"""What a job took and what it ran on, in a file of one row that the report, ``estimate`` and ``publish`` read.

Seconds, processor seconds and memory have the names of Snakemake's benchmark files. That one watches the process that it
started, which in a warm Snakemake (`breakeven.jobs.warm`) only waits for the one that works; so the job says it itself. The other
columns are those of `breakeven.jobs.made_with`.
"""

import math
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from breakeven.jobs.made_with import made_with
from breakeven.store.files import write_text

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Took:
    """Seconds, and those of the processor, that earlier attempts took from which a job went on; others raise a ValueError."""

    seconds: float = 0.0
    processor: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.seconds < math.inf and 0 <= self.processor < math.inf):
            raise ValueError(f"{self} are no times")


def write_cost(path: Path, started: float, earlier: Took) -> None:
    """Write what this process took since ``started``, by `time.monotonic`, with what was done ``earlier``."""
    seconds, processor = time.monotonic() - started + earlier.seconds, time.process_time() + earlier.processor
    took = {"s": f"{seconds:.3f}", "cpu_time": f"{processor:.3f}", "max_rss": f"{_peak() / MEGABYTE:.1f}"}
    row = took | made_with()
    write_text(path, "\t".join(row) + "\n" + "\t".join(row.values()) + "\n")


def _peak() -> int:
    """The most memory that this process held, in bytes; ``getrusage`` has its parent's, if that held more when it started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read_cost(path: Path) -> dict[str, str]:
    """What a job said, by column; nothing where it did not, or the file is damaged: no result depends on it."""
    try:
        names, values = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[:2])
        return dict(zip(names, values, strict=True))
    except (OSError, ValueError):
        return {}


def number_of(cost: dict[str, str], column: str) -> float | None:
    """A number of it, if it has that."""
    try:
        return float(cost[column])
    except (ValueError, KeyError):
        return None


def read_seconds(path: Path) -> float | None:
    """The seconds that a job took, if it said so."""
    return number_of(read_cost(path), "s")
