# Which results are out of date is seen in their records (breakeven/config/results.py), and not in times of files or in what Snakemake
# remembers in .snakemake: a folder that was copied has other times, and a clone has other memories. Snakemake is told of the jobs that
# are to do and what they read; a result that is current has no inputs.
# No rules here.

import shutil
from contextlib import suppress
from functools import cache

from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

from breakeven.config.results import Results, Why, in_order, to_make
from breakeven.jobs.locks import holder
from breakeven.jobs.results_folder import LOCK, end
from breakeven.store.contents import Contents
from breakeven.store.files import write_text
from breakeven.store.record import is_current, recorded_key, remove_record
from breakeven.store.training_record import SNAPSHOTS

CONTENTS = Contents(Path(RESULTS) / "data/contents.json")


def contents(path):
    """The digest of what a data set or a network is read from; it can't hold the results, which change with each job."""
    if Path(RESULTS).resolve().is_relative_to(path.resolve()):
        raise UserError(
            f"'{path}', of which data are read, holds the results folder '{RESULTS}': choose another for one of them"
        )
    return CONTENTS.digest(path)


def prepared_key(dataset):
    """In a job on a cluster, that of the data set as it lies there: what it was prepared from need not be seen from there."""
    return None if workflow.is_main_process else recorded_key(Path(RESULTS) / f"data/{dataset}/manifest.json")


MADE = Results(PLAN, contents, prepared_key)
try:
    PLANNED = dict.fromkeys(MADE.planned()) if workflow.is_main_process else {}
except (UserError, OSError) as error:
    sys.exit(sentence(error, "results"))


def own_name(asked):
    """The name of a rule as it is here; another workflow may call it otherwise."""
    called = {getattr(rules, name).rule.name: name for name in STAGE_OF if rules.has(name)} if IS_MODULE else {}
    return called.get(asked, asked)


@cache
def to_do(beside=None):
    """What must be made, and why; of what is planned, and of a result ``beside`` it."""
    settings = workflow.dag_settings
    asked = {own_name(name) for name in (*settings.forcerun, *(settings.targets if settings.forcetargets else ()))}
    again = {*asked, *(os.path.relpath(name, RESULTS) for name in asked)}
    if settings.forceall:
        again |= {result.rule for result in PLANNED}
    found = to_make(PLANNED if beside is None else in_order([*PLANNED, beside]), Path(RESULTS), again)
    changed = [f"{RESULTS}/{result.last}" for result, why in found.items() if why is Why.CHANGED]
    if changed and not again and beside is None:
        words = "results are of other settings, code, data or files than now"
        tell(f"{len(changed)} of {len(PLANNED)} {words}", changed=changed)
    if not found and not workflow.dryrun:
        with suppress(OSError):  # nothing begins; the next planning need not read the data again
            CONTENTS.remember()
        tell(f"The report is in {RESULTS}/report.html")
    return found


def inputs(result):
    """What the job of a result reads. Called by Snakemake while it builds its graph; an outdated result's job is forced meanwhile."""
    files = [(each, f"{RESULTS}/{file}") for each in result.needs for file in each.files]
    if not workflow.is_main_process or workflow.execution_settings is None:
        return [file for _, file in files]  # a job on a cluster; or who only looks, by --report or --dag
    workflow.dag_settings.rerun_triggers = frozenset([RerunTrigger.MTIME])
    workflow.dag.ignore_incomplete = True  # what is half done has no record
    found = to_do() if result in PLANNED else to_do(result)
    if result not in found:
        return []
    # Snakemake sees by itself what is missing, but not where all that needs it is there
    if found[result] is Why.FOLLOWS:
        forced = [each.last for each in result.needs if found.get(each) is Why.MISSING]
    else:
        forced = [file for file in result.files if (Path(RESULTS) / file).exists()]
    workflow.dag.forcefiles.update(f"{RESULTS}/{file}" for file in forced)
    return [file if each in found else ancient(file) for each, file in files]


def promised(wildcards):
    """What the config asks for, and what is to be made for no other result that is."""
    ends = PLANNED if workflow.execution_settings is None else to_do()
    needed = {each for result in ends for each in result.needs}
    wanted = [MADE.report(), *(result for result in ends if result not in needed)]
    return [f"{RESULTS}/{file}" for result in dict.fromkeys(wanted) for file in result.files]


def remove_checkpoints():
    """Of trainings that have ended keep the last state alone, from which longer ones go on."""
    for folder in (Path(RESULTS) / "state").glob("*"):
        if folder.name in PLAN.runs:
            result = MADE.training(folder.name)
            if is_current(Path(RESULTS) / result.last, result.key):
                shutil.rmtree(folder / SNAPSHOTS, ignore_errors=True)


def begin():
    """Before the first job: what follows from others is no result until it is made again, also if this invocation is killed."""
    CONTENTS.remember()
    if CONTENT is not None:
        write_text(Path(CONFIG_FILE), as_text(CONTENT.content))
    outputs = {file for job in workflow.dag.needrun_jobs() for file in job.output}
    for result, why in to_do().items():
        if why is Why.FOLLOWS and f"{RESULTS}/{result.last}" in outputs:
            remove_record(Path(RESULTS) / result.last)


def finish():
    """At the end of an invocation; jobs on a cluster are invocations of their own, inside of this one."""
    if workflow.is_main_process:
        end(Path(RESULTS))
        remove_checkpoints()


if workflow.is_main_process:
    # of Snakemake's memory, which isn't used
    logger.addFilter(lambda record: "provenance/metadata" not in record.getMessage())
    try:
        if holder(Path(RESULTS) / LOCK) is None:
            remove_checkpoints()
    except OSError as error:
        sys.exit(sentence(error, "results"))
