# Snakemake records in .snakemake what each output was made with. Without its record an output counts as up to date,
# whatever was edited since. So
# - the records of the results are also kept inside of the results folder, and travel with it into another clone;
# - a job's outputs are recorded when it starts, not only when Snakemake sees it end: on a cluster, jobs end also after
#   their Snakemake was killed;
# - the checkpoint of a training stays until the training is recorded: without a record Snakemake makes it again, and
#   that takes seconds.
# No rules here.

import base64
import shutil
import time

from breakeven.jobs.locks import holder
from breakeven.jobs.results_folder import LOCK
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord

RECORDS = Path(".snakemake/metadata")
KEPT_RECORDS = Path(RESULTS) / "records"


def records_in(folder):
    """The names of the records in a folder: the encoded path of an output, in several parts where it is long."""
    files = ((Path(root), name) for root, _, names in os.walk(folder) for name in names)
    return {(root / name).relative_to(folder) for root, name in files if not name.startswith(".")}


def output_of(name):
    """The output that a record is of."""
    encoded = "".join(part.removeprefix("@") for part in name.parts)
    return base64.urlsafe_b64decode(encoded).decode()


def copy_record(record, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(record, target)


def keep_records():
    """Copy the records of the results that are new or changed."""
    kept = records_in(KEPT_RECORDS)
    for name in records_in(RECORDS):
        if not output_of(name).startswith(f"{RESULTS}/"):
            continue
        if name not in kept or (RECORDS / name).stat().st_mtime != (KEPT_RECORDS / name).stat().st_mtime:
            copy_record(RECORDS / name, KEPT_RECORDS / name)


def restore_records():
    """Copy back those that Snakemake doesn't have."""
    for name in records_in(KEPT_RECORDS) - records_in(RECORDS):
        copy_record(KEPT_RECORDS / name, RECORDS / name)
    if RECORDS.exists():
        # else Snakemake takes the folder for that of an old version, and says so
        RECORDS.with_name("incomplete").mkdir(exist_ok=True)


def record_start(job):
    """Record what the outputs of a job are made with, which Snakemake itself does when it sees the job end.

    The old record would be untrue from now on. Until the job ends, Snakemake also has its outputs marked as incomplete.
    """
    persistence = workflow.persistence
    made_with = {  # a dictionary, since snakefmt takes `input=` for Snakemake's
        "record_format_version": RECORD_FORMAT_VERSION,
        "rule": job.rule.name,
        "input": persistence._input(job),
        "log": persistence._log(job),
        "params": persistence._params(job),
        "code": persistence._code(job.rule),
        "software_stack_hash": persistence._software_stack_hash(job),
        "shellcmd": job.shellcmd,
        "starttime": time.time(),
    }
    for output in job.output:
        persistence._write_record(output, MetadataRecord(**made_with))
        name = Path(persistence._record_path(str(RECORDS), output)).relative_to(RECORDS)
        copy_record(RECORDS / name, KEPT_RECORDS / name)


def record_starts():
    """From now on, record each job when Snakemake has started it."""
    started = workflow.persistence.started

    def recorded(job, external_jobid=None):
        record_start(job)
        started(job, external_jobid)

    workflow.persistence.started = recorded


def remove_checkpoints():
    """Remove those of trainings that are recorded as ended."""
    ended = {output_of(name) for name in records_in(RECORDS) - records_in(RECORDS.with_name("incomplete"))}
    for folder in (Path(RESULTS) / "state").glob("*"):
        training = f"{RESULTS}/runs/{folder.name}/training.json"
        if training in ended and Path(training).exists():
            shutil.rmtree(folder, ignore_errors=True)


if workflow.is_main_process:
    restore_records()
    try:
        if holder(Path(RESULTS) / LOCK) is None:
            remove_checkpoints()  # that a Snakemake has left which was killed
    except OSError as error:
        sys.exit(sentence(error, "results"))
