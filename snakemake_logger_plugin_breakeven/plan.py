"""What a dry run says: how many jobs of each rule, why, and which runs are trained."""

from collections import Counter

from snakemake_logger_plugin_breakeven.invocation import TARGET, Invocation, Job
from snakemake_logger_plugin_breakeven.words import at_most, jobs

RUNS = 8  # that are named
WHY = {
    "new": "not there yet",
    "again": "of other settings, code, data or files than now, or asked for",
    "follows": "of what is made again",
}


def told_of_plan(invocation: Invocation) -> list[str]:
    """A table by rule, in the order in which data flow, and the runs that are trained."""
    planned = [job for job in invocation.jobs.values() if job.rule != TARGET]
    if not planned:
        return invocation.other_words()
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in invocation.planned}
    for job in planned:
        counts.setdefault(job.rule, Counter())[_why(job, invocation)] += 1
    total = sum(counts.values(), Counter[str]())
    reasons = [why for why in WHY if total[why]]
    rows = [(rule, *(str(count[why] or "") for why in reasons)) for rule, count in counts.items()]
    width = max(len(rule) for rule in counts)
    runs = sorted(job.name for job in planned if job.rule == "train_run")
    return [
        f"{jobs(len(planned))} to do:",
        " ".join(["".ljust(width), *(f"{why:>8}" for why in reasons)]),
        *(" ".join([rule.ljust(width), *(f"{cell:>8}" for cell in cells)]).rstrip() for rule, *cells in rows),
        *(f"{why}: {WHY[why]}" for why in reasons),
        *(["runs to train:", *at_most([f"  {run}" for run in runs], RUNS)] if runs else []),
        "This was a dry run: nothing was done. With -p it shows each job.",
    ]


def _why(job: Job, invocation: Invocation) -> str:
    """Why a job is to do: by our own rules, else by the strongest of Snakemake's reasons."""
    if not invocation.changed.isdisjoint(job.outputs):
        return "again"
    if "Missing output files" in job.reason:
        return "new"
    return "follows" if job.reason.startswith("Input files updated by another job") else "again"
