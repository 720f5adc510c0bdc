"""From a results folder, whose results must be those that its config asks for, to the files of a finding."""

import gzip
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from breakeven.config.plan import Plan, load_plan
from breakeven.config.results import STAGE_OF, Result, Results, files_of, to_make
from breakeven.figures.labels import with_schedules_in_words
from breakeven.figures.registry import ON_REQUEST
from breakeven.jobs.cost import read_cost
from breakeven.jobs.locks import acquire
from breakeven.jobs.made_with import git
from breakeven.jobs.results_folder import LOCK, check_format, read_plan
from breakeven.publish import published
from breakeven.publish.published import About, Picture, PublishedStudy
from breakeven.report.build import command
from breakeven.report.study_view import common_settings, distinct, figures, sweeps
from breakeven.specs.run import canonical_json
from breakeven.specs.study import Study
from breakeven.store.contents import Contents
from breakeven.store.errors import UserError
from breakeven.store.files import whole_file
from breakeven.store.record import recorded_key
from breakeven.store.tables import read_table, write_table

FIRST = {"lambda_H"}  # figures of a page, beside those that a config asks for by name
OF_A_SWEEP = {"maxima", "break_even"}
DIGITS = "%.6g"  # of a number in the table of trajectories
TOOK = ("s", "cpu_time", "max_rss")
MADE_WITH = ("commit", "breakeven", "python", "torch", "processor", "cores", "gpu")  # of breakeven.jobs.made_with


def collect(results: Path, out: Path) -> None:
    """Write the files of a finding from ``results`` into the folder ``out``: all but its page.

    Results that the config would make anew, as it is now and with the code as it is now, are refused.
    """
    check_format(results)
    planned = read_plan(results)
    if planned is None:
        raise UserError(f"nothing was planned in the results folder '{results}' yet: start snakemake first")
    config = _config(Path(planned["config"]))
    lock = acquire(results / LOCK, f"publishing the results folder '{results}'")
    try:
        _copy(load_plan(config), config, results, out)
    finally:
        lock.release()


def _copy(plan: Plan, config: Path, results: Path, out: Path) -> None:
    """Write the files, while no snakemake is at work on the results."""
    made = _current(plan, config, results)
    shutil.copyfile(config, out / published.CONFIG)
    shutil.copyfile(results / "tables" / published.CLAIMS, out / published.CLAIMS)
    write_table(out / published.MADE_WITH, made_with(made, results), float_format="%.1f")
    studies = [_study(plan, study, results, out) for study in plan.studies.values()]
    commit, committed = _last_change(config)
    published.write_about(out, About(command(config), config.as_posix(), commit, committed, studies))


def _config(path: Path) -> Path:
    """The config, told from the working folder where it lies in there."""
    if not path.is_file():
        raise UserError(f"the config '{path}', of which the results were planned last, is no longer there")
    here = Path.cwd()
    return path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path


def _current(plan: Plan, config: Path, results: Path) -> list[Result]:
    """All results of the config, which must lie in the results folder as they would be made now."""

    def prepared(dataset: str) -> str | None:
        """What a data set was read from need not be here: then it is taken as it lies there."""
        is_here = all(path.exists() for path in files_of(plan.datasets[dataset].spec))
        return None if is_here else recorded_key(results / f"data/{dataset}/manifest.json")

    planned = Results(plan, Contents(results / "data/contents.json").digest, prepared).planned()
    stale = to_make(planned, results)
    if stale:
        first = next(iter(stale))
        raise UserError(
            f"'{results}' does not hold what '{config}' asks for; still to do: {len(stale)} of {len(planned)} jobs, "
            f"the first is {first.rule} {first.name}. Run {command(config)}, then publish"
        )
    return planned


def made_with(made: Iterable[Result], results: Path) -> pd.DataFrame:
    """What was made with what: a row for each stage and each commit, version, processor and GPU that its jobs ran with.

    Columns: ``stage``, ``jobs``, ``s``, ``cpu_time`` (their sums, in seconds), ``max_rss`` (the most, in MB), ``started`` and
    ``finished`` (the first and the last, UTC), those of `breakeven.jobs.made_with`. What a job did not say is empty.
    """
    rows = [{"stage": STAGE_OF[each.rule], **read_cost(results / each.cost)} for each in made]
    table = pd.DataFrame(rows, columns=["stage", *TOOK, "finished", *MADE_WITH])
    table[list(TOOK)] = table[list(TOOK)].apply(pd.to_numeric, errors="coerce")
    ended = pd.to_datetime(table["finished"], utc=True, errors="coerce")
    table = table.assign(finished=ended, started=ended - pd.to_timedelta(table["s"], unit="s").dt.floor("s"))
    groups = table.groupby(["stage", *MADE_WITH], sort=False, dropna=False)
    found = groups.agg(
        jobs=("stage", "size"),
        s=("s", "sum"),
        cpu_time=("cpu_time", "sum"),
        max_rss=("max_rss", "max"),
        started=("started", "min"),
        finished=("finished", "max"),
    ).reset_index()
    for column in ("started", "finished"):
        found[column] = found[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return found[["stage", "jobs", *TOOK, "started", "finished", *MADE_WITH]]


def _study(plan: Plan, study: Study, results: Path, out: Path) -> PublishedStudy:
    """A study, whose tables and pictures are copied into a folder of its name."""
    tables, folder = results / "tables" / study.name, out / study.name
    folder.mkdir()
    runs = read_table(tables / published.RUNS)
    shutil.copyfile(tables / published.RUNS, folder / published.RUNS)
    with whole_file(folder / published.TRAJECTORIES) as temporary:
        text = read_table(tables / "trajectories.csv").to_csv(index=False, float_format=DIGITS)
        # the same bytes each time: pandas would write the name of the temporary file into it, with this machine's
        temporary.write_bytes(gzip.compress(text.encode(), mtime=0))
    pictures = [
        Picture(each["name"], each["title"], each["caption"])
        for each in figures(_shown(study), results / "figures" / study.name, results)
    ]
    for picture in pictures:
        shutil.copyfile(results / f"figures/{study.name}/{picture.name}.svg", folder / f"{picture.name}.svg")
    swept = sweeps(study, with_schedules_in_words(runs))
    settings = common_settings([json.loads(canonical_json(plan.runs[run])) for run in study.runs])
    return PublishedStudy(study.name, study.description, swept, distinct(runs["seed"]), settings, pictures)


def _shown(study: Study) -> set[str]:
    """The figures that its page shows."""
    settings = {
        tuple((key, str(value)) for key, value in run.items() if key != "seed") for run in study.points.values()
    }
    return (FIRST | ON_REQUEST | (OF_A_SWEEP if len(settings) > 1 else set())) & set(study.figures)


def _last_change(config: Path) -> tuple[str, str]:
    """The commit that last changed the config, and when; empty where it is in no commit, or was changed since."""
    of_it = ("--", config.name)
    told = git(config.parent, "log", "-1", "--format=%H %cI", *of_it)
    if not told or git(config.parent, "status", "--porcelain", *of_it):
        return "", ""
    commit, _, committed = told.partition(" ")
    return commit, committed
