"""What the results took: the time of each stage."""

import csv
from collections.abc import Collection
from pathlib import Path

from breakeven.stages import STAGES


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
