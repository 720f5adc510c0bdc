"""What a reader needs to trust and repeat the results: versions, commit, durations."""

import csv
import platform
import shutil
import subprocess
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import breakeven
from breakeven.stages import STAGES

PACKAGES = ("torch", "torchvision", "altair", "snakemake")


def versions() -> dict[str, str]:
    """The versions of what computed and drew the results; what isn't installed is left out."""
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
    git = shutil.which("git")

    def ask(*arguments: str) -> str | None:
        answer = subprocess.run([str(git), "-C", str(source.parent), *arguments], capture_output=True, text=True)
        return answer.stdout.strip() if answer.returncode == 0 else None

    # an installed copy can lie inside some other repository, which doesn't track it
    if git is None or ask("ls-files", "--error-unmatch", source.name) is None:
        return None
    head = ask("rev-parse", "HEAD")
    if head is None:
        return None
    return f"{head} with uncommitted changes" if ask("status", "--porcelain", "--untracked-files=no") else head


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _number(cell: str | None) -> float:
    """A number of such a file; 0 where it is none."""
    try:
        return float(cell or 0)
    except ValueError:
        return 0.0


def _rows(path: Path) -> list[dict[str, str]]:
    """The rows of such a file; none where it is damaged: it has no digest, and no result depends on it."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))
    except (OSError, ValueError, csv.Error):
        return []


def durations(results: Path, runs: Collection[str], studies: Collection[str]) -> list[dict[str, str | int]]:
    """The time that each stage took, from the files ``benchmarks/STAGE/ID.tsv`` that jobs write (`breakeven.jobs.cost`).

    Earlier runs and studies stay on disk as a cache; those that are not in this report don't count.
    """
    stages: dict[str, list[tuple[float, float]]] = {}
    folder = results / "benchmarks"
    for path in sorted(folder.rglob("*.tsv")):
        stage, *rest = path.relative_to(folder).parts
        name = rest[0].removesuffix(".tsv") if rest else ""
        old_run = (results / "runs" / name).is_dir() and name not in runs
        old_study = (results / "tables" / name).is_dir() and name not in studies
        if not name or old_run or old_study:
            continue
        for row in _rows(path):
            stages.setdefault(stage, []).append((_number(row.get("s")), _number(row.get("max_rss"))))
    order = {stage.name: index for index, stage in enumerate(STAGES)}
    return [
        {
            "stage": stage,
            "jobs": len(stages[stage]),
            "total": duration(sum(seconds for seconds, _ in stages[stage])),
            "longest": duration(max(seconds for seconds, _ in stages[stage])),
            "memory": f"{memory:.0f} MB" if (memory := max(rss for _, rss in stages[stage])) else "–",
        }
        for stage in sorted(stages, key=lambda stage: (order.get(stage, len(order)), stage))
    ]
