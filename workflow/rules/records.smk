# Snakemake records in .snakemake what each output was made with. Without its record an output counts as up to date,
# whatever was edited since. So
# - the records of the results are also kept inside of the results folder, and travel with it into another clone;
# - what the jobs of a Snakemake that was killed have made without being recorded, as on a cluster, is removed and made again;
# - the checkpoint of a training stays until the training is recorded, so that it is made again in seconds.
# Only files are copied here, from where Snakemake 9.27 has them.
# No rules here.

import base64
import shutil

from breakeven.jobs.locks import holder
from breakeven.jobs.results_folder import LOCK, end, read_plan
from breakeven.jobs.results_folder import PLAN as PLAN_FILE

RECORDS = Path(".snakemake/metadata")
KEPT_RECORDS = Path(RESULTS) / "records"
# who only looks removes nothing, so a dry run may call up to date what the next run removes and makes again
LOOKING = set(
    "--lint --report --archive --unlock --print-compilation --dag --rulegraph --filegraph --d3dag --list-rules --list -l "
    "--list-target-rules --lt --summary -S --detailed-summary -D --list-changes --lc --list-input-changes --li "
    "--list-params-changes --lp --list-untracked --lu".split()
)


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


def copy_newer(source, target, names):
    """Copy the records that ``target`` lacks, or has from before: several clones may have made the same results."""
    for name in names:
        if not (target / name).exists() or (source / name).stat().st_mtime > (target / name).stat().st_mtime:
            copy_record(source / name, target / name)


def keep_records():
    """Copy the records of the results that are new or changed."""
    copy_newer(
        RECORDS, KEPT_RECORDS, (name for name in records_in(RECORDS) if output_of(name).startswith(f"{RESULTS}/"))
    )


def restore_records():
    """Copy back those that Snakemake doesn't have, or has from before."""
    copy_newer(KEPT_RECORDS, RECORDS, records_in(KEPT_RECORDS))
    if RECORDS.exists():
        # else Snakemake takes the folder for that of an old version, and says so
        RECORDS.with_name("incomplete").mkdir(exist_ok=True)


def remove_unrecorded():
    """Remove what the last invocation was to make, was killed, and has not recorded: nobody knows what it was made with."""
    plan = read_plan(Path(RESULTS))
    if plan is None or plan.get("ended"):
        return
    started = (Path(RESULTS) / PLAN_FILE).stat().st_mtime
    new = [name for name in records_in(RECORDS) if (RECORDS / name).stat().st_mtime >= started]
    recorded = {os.path.realpath(output_of(name)) for name in new}
    outputs = {f"{RESULTS}/{output}" for job in plan["jobs"] if job["needed"] for output in job["outputs"]}
    for path in (Path(output) for output in sorted(outputs) if os.path.realpath(output) not in recorded):
        if path.exists() and path.stat().st_mtime >= started:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def only_looks(arguments):
    return workflow.output_settings.dryrun or any(word.partition("=")[0] in LOOKING for word in arguments)


def remove_checkpoints():
    """Remove those of trainings that are recorded as ended."""
    ended = {output_of(name) for name in records_in(RECORDS) - records_in(RECORDS.with_name("incomplete"))}
    for folder in (Path(RESULTS) / "state").glob("*"):
        training = f"{RESULTS}/runs/{folder.name}/training.json"
        if training in ended and Path(training).exists():
            shutil.rmtree(folder, ignore_errors=True)


def finish():
    """At the end of an invocation: record what it made. Jobs on a cluster are invocations of their own, inside of this one."""
    if workflow.is_main_process:
        keep_records()
        end(Path(RESULTS))
        remove_checkpoints()


if workflow.is_main_process:
    restore_records()
    try:
        if holder(Path(RESULTS) / LOCK) is None:
            # what a Snakemake has left that was killed
            if not only_looks(sys.argv[1:]):
                remove_unrecorded()
            remove_checkpoints()
    except OSError as error:
        sys.exit(sentence(error, "results"))
