# One invocation at a time works in a results folder, and what it plans is written down for `python -m breakeven status`.
# No rules here.

import socket
from datetime import datetime

from breakeven.config.results import STAGE_OF
from breakeven.jobs.results_folder import check_format, occupy
from breakeven.jobs.trouble import sentence

try:
    check_format(Path(RESULTS))
except (UserError, OSError) as error:
    sys.exit(sentence(error, "results"))


OCCUPIED = []  # the lock, until this process ends


def planned_jobs():
    """What `status` needs to know of all jobs, in the order of the stages; paths are relative to the results folder."""
    order = list(STAGE_OF)
    inside = lambda path: os.path.relpath(path, RESULTS)
    logs = {inside(job.output[0]): inside(job.log[0]) for job in workflow.dag.needrun_jobs() if job.log}
    jobs = []
    for result in PLANNED:
        log = next((logs[str(file)] for file in result.files if str(file) in logs), None)
        files = [str(file) for file in result.files]
        job = {"rule": result.rule, "name": result.name, "dataset": PLAN.data_set_of(result.name)}
        jobs.append(job | {"needed": log is not None, "outputs": files, "log": log})
    return sorted(jobs, key=lambda job: (order.index(job["rule"]), job["name"]))


def occupy_results():
    """Take the results folder; where another process has it, this one ends."""
    plan = {
        "config": CONFIG_FILE,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "jobs": planned_jobs(),
    }
    try:
        OCCUPIED.append(occupy(Path(RESULTS), plan))
    except (UserError, OSError) as error:
        sys.exit(sentence(error, "results"))
