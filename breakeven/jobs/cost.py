"""What a job took: seconds, processor seconds and memory, in a file of one row that the report and ``estimate`` read.

Its columns have the names of Snakemake's benchmark files. That one watches the process that it started, which in a warm Snakemake
(`breakeven.jobs.warm`) only waits for the one that works; so the job says it itself.
"""

import resource
import sys
import time
from pathlib import Path

from breakeven.store.files import write_text

COLUMNS = ("s", "cpu_time", "max_rss")
MEGABYTE = 1 << 20


def write_cost(path: Path, started: float) -> None:
    """Write what this process took since ``started``, by `time.monotonic`."""
    seconds, processor = time.monotonic() - started, time.process_time()
    values = (f"{seconds:.3f}", f"{processor:.3f}", f"{_peak() / MEGABYTE:.1f}")
    write_text(path, "\t".join(COLUMNS) + "\n" + "\t".join(values) + "\n")


def _peak() -> int:
    """The most memory that this process held, in bytes; ``getrusage`` has its parent's, if that held more when it started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def read_seconds(path: Path) -> float | None:
    """The seconds that a job took, if it said so."""
    try:
        names, values = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[:2])
        return float(dict(zip(names, values, strict=True))["s"])
    except (OSError, ValueError, KeyError):
        return None
