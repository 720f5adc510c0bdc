# Snakemake records in .snakemake what each output was made with. Without its record an output counts as up to date,
# whatever was edited since. So the records of the results are also kept inside of the results folder, and travel with
# it into another clone. No rules here.

import base64
import shutil

RECORDS = Path(".snakemake/metadata")
KEPT_RECORDS = Path(RESULTS) / "records"


def records_in(folder):
    """The names of the records in a folder: the encoded path of an output, in several parts where it is long."""
    files = ((Path(root), name) for root, _, names in os.walk(folder) for name in names)
    return {(root / name).relative_to(folder) for root, name in files if not name.startswith(".")}


def is_of_results(name):
    """Whether this is the record of a file in the results folder."""
    encoded = "".join(part.removeprefix("@") for part in name.parts)
    return base64.urlsafe_b64decode(encoded).startswith(f"{RESULTS}/".encode())


def copy_record(record, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(record, target)


def keep_records():
    """Copy the records of the results that are new or changed."""
    kept = records_in(KEPT_RECORDS)
    for name in filter(is_of_results, records_in(RECORDS)):
        if name not in kept or (RECORDS / name).stat().st_mtime != (KEPT_RECORDS / name).stat().st_mtime:
            copy_record(RECORDS / name, KEPT_RECORDS / name)


def restore_records():
    """Copy back those that Snakemake doesn't have."""
    for name in records_in(KEPT_RECORDS) - records_in(RECORDS):
        copy_record(KEPT_RECORDS / name, RECORDS / name)
    if RECORDS.exists():
        # else Snakemake takes the folder for that of an old version, and says so
        RECORDS.with_name("incomplete").mkdir(exist_ok=True)


restore_records()
