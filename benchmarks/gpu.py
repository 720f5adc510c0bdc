"""Everything that only a GPU can show, in one command of less than 8 minutes: is it right there, and how fast is it.

Each phase runs in a process of its own, with a time limit of its own; one that fails or runs over is told, and the next one runs.
What is timed runs alone; what is only checked runs at once before it, where there are cores. What is found is added to
``--out``/gpu.csv as it comes, and gpu.md is written anew after each phase; gpu.log has what the phases print. Failures stand at
the end, and make the exit code 1.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import common
from gpu_check.check import WRONG, Check, Row, read_rows, start_table

from breakeven.jobs.termination import end_on_signals

ROOT = Path(__file__).parents[1]
SECONDS = 465  # for all
LEAST = 5  # seconds, with which no phase is worth starting


@dataclass(frozen=True)
class Phase:
    """A module of ``gpu_check``, the seconds that it may take, and whether it is timed, so that it must be alone."""

    name: str
    seconds: int
    alone: bool


PHASES = (
    Phase("environment", 60, True),
    Phase("gpu_tests", 100, False),
    Phase("spectra", 120, False),
    Phase("compare", 150, False),
    Phase("slots", 110, False),
    Phase("resume", 110, False),
    Phase("hazards", 40, True),
    Phase("steps", 110, True),
    Phase("processes", 70, True),
    Phase("waiting", 30, True),
    Phase("oom", 70, True),
    Phase("measure", 240, True),
)
NAMES = [phase.name for phase in PHASES]


def main() -> None:
    """Run the phases."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="default: %(default)s")
    options.add_argument("--quick", action="store_true", help="as little as tries each phase; its times say nothing")
    options.add_argument("--out", type=Path, default=Path("benchmarks/results/last"), help="default: %(default)s")
    options.add_argument(
        "--only", nargs="+", choices=NAMES, default=NAMES, metavar="PHASE", help=f"of {', '.join(NAMES)}"
    )
    options.add_argument(
        "--patience", type=float, default=1, help="times the time limits, on a slow machine (default: 1)"
    )
    arguments = options.parse_args()
    end_on_signals()
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = (arguments.out / "gpu.csv").resolve()
    start_table(table)
    table.with_suffix(".log").write_text("", encoding="utf-8")
    chosen = [phase for phase in PHASES if phase.name in arguments.only]
    run = Run(table, arguments.device, arguments.quick, arguments.patience)
    cores = len(os.sched_getaffinity(0))
    run.phases([phase for phase in chosen if not phase.alone], at_once=max(1, cores // 2))
    run.phases([phase for phase in chosen if phase.alone], at_once=1)
    failures = failed(read_rows(table))
    print("\n".join(failures) if failures else "no failure")
    sys.exit(1 if failures else 0)


@dataclass
class Run:
    """A run of the check, which began when this was made."""

    table: Path
    device: str
    quick: bool
    patience: float
    start: float = field(default_factory=time.monotonic)

    def phases(self, phases: Sequence[Phase], at_once: int) -> None:
        """Run them, so many at once; those that run when this process is ended end with it."""
        waiting, running = deque(phases), dict[Started, None]()
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running[self.started(waiting.popleft())] = None
                for each in [each for each in running if each.process.poll() is not None]:
                    del running[each]
                    self.finish(each)
                time.sleep(0.05)
        finally:
            for each in running:
                each.process.terminate()

    def started(self, phase: Phase) -> "Started":
        """Start a phase, below the program ``timeout``, which ends it with all processes that it started."""
        left = self.patience * SECONDS - (time.monotonic() - self.start)
        seconds = max(0, int(min(left, self.patience * phase.seconds)))
        common.say(f"{phase.name}, at most {seconds} s")
        work = tempfile.TemporaryDirectory(prefix=f"breakeven-{phase.name}-", ignore_cleanup_errors=True)
        given = [phase.name, self.device, "quick" if self.quick else "whole", str(self.table), work.name]
        command = [sys.executable, "-m", "gpu_check", *given] if seconds >= LEAST else ["false"]
        path = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks"), os.environ.get("PYTHONPATH", "")])
        alone = {"PYTHONPATH": path, "TMPDIR": work.name, "PYTHONUNBUFFERED": "1"}  # the locks of GPUs are in TMPDIR
        with Path(work.name, "log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                ["timeout", "--kill-after=5", str(seconds), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | alone,
                cwd=ROOT,
            )
        return Started(phase, seconds, process, work, time.monotonic())

    def finish(self, each: "Started") -> None:
        """Tell how the phase ended, keep what it printed, and write the table."""
        check = Check(each.phase.name, self.device, self.quick, self.table, Path(each.work.name))
        printed = Path(each.work.name, "log").read_text(encoding="utf-8", errors="replace")
        each.work.cleanup()
        took, code = time.monotonic() - each.start, each.process.returncode
        if each.seconds < LEAST:
            check.tell("the phase", "did not run: no time was left", right=False)
        elif code and took >= each.seconds:
            check.tell("the phase", f"ran over its time limit of {each.seconds} s, and was ended", right=False)
        elif code:
            last = (printed.strip().splitlines() or [""])[-1][:300]
            check.tell("the phase", f"ended with exit code {code}: {last}", right=False)
        else:
            check.tell("the phase", f"took {took:.0f} s")
        with self.table.with_suffix(".log").open("a", encoding="utf-8") as log:
            log.write(f"##### {each.phase.name}\n{printed}\n")
        self.table.with_suffix(".md").write_text(report(read_rows(self.table)), encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Started:
    """A phase that runs, in at most so many seconds."""

    phase: Phase
    seconds: int
    process: subprocess.Popen[bytes]
    work: tempfile.TemporaryDirectory[str]
    start: float


def report(rows: Sequence[Row]) -> str:
    """What was found, in a table for each phase, and what failed."""
    parts = ["# GPU check"]
    for name in NAMES:
        of_phase = [[row.what, row.found.replace("|", "\\|"), row.verdict] for row in rows if row.phase == name]
        if of_phase:
            parts += [f"## {name}", common.table(["", "found", "verdict"], of_phase)]
    failures = failed(rows)
    return "\n\n".join([*parts, "## Failures", "\n".join(f"- {line}" for line in failures) or "None."]) + "\n"


def failed(rows: Sequence[Row]) -> list[str]:
    """The failures, one a line."""
    return [f"{row.phase}: {row.what}: {row.found}" for row in rows if row.verdict == WRONG]


if __name__ == "__main__":
    main()
