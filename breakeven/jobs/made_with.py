"""What a job runs on and with: the commit of the code, versions, processor and GPU. Each job writes it beside what it took."""

import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import breakeven

COMMIT = "BREAKEVEN_COMMIT"  # the variable by which a Snakemake tells its jobs, so that not each has to ask git
PACKAGES = ("torch", "torchvision", "altair", "snakemake")


def made_with() -> dict[str, str]:
    """What this process runs on and with, now; ``finished`` in UTC. Empty is what is not known, or not used."""
    torch = sys.modules.get("torch")
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": os.environ.get(COMMIT, ""),
        "breakeven": breakeven.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__) if torch else "",
        "processor": processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "gpu": torch.cuda.get_device_name() if torch and torch.cuda.is_initialized() else "",
    }


def processor() -> str:
    """The name that the processor gives itself; elsewhere than on Linux, its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions of what computes and draws the results; what isn't installed is left out."""
    found = {"breakeven": breakeven.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The git commit of the source code, and whether it was changed since; None where the code is under no git."""
    source = Path(breakeven.__file__).resolve()
    folder = source.parent
    # an installed copy can lie inside some other repository, which doesn't track it
    if git(folder, "ls-files", "--error-unmatch", source.name) is None:
        return None
    head = git(folder, "rev-parse", "HEAD")
    if head is None:
        return None
    return f"{head} with uncommitted changes" if git(folder, "status", "--porcelain", "--untracked-files=no") else head


def git(folder: Path, *arguments: str) -> str | None:
    """What git answers in this folder; None where there is no git, or it refuses."""
    program = shutil.which("git")
    if program is None:
        return None
    answer = subprocess.run([program, "-C", str(folder), *arguments], capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None
