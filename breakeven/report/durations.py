"""What the results took: the time of each stage."""

from collections.abc import Collection
from pathlib import Path

from breakeven.jobs.cost import number_of, read_cost
from breakeven.stages import STAGES


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


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
        if cost := read_cost(path):
            stages.setdefault(stage, []).append((number_of(cost, "s") or 0.0, number_of(cost, "max_rss") or 0.0))
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
