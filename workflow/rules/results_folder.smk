# One invocation at a time works in a results folder, and what it plans is written down for `python -m breakeven status`.
# No rules here.

import socket
from datetime import datetime

from breakeven.jobs.results_folder import check_format, occupy
from breakeven.jobs.trouble import sentence

try:
    check_format(Path(RESULTS))
except (UserError, OSError) as error:
    sys.exit(sentence(error, "results"))


OCCUPIED = []  # the lock, until this process ends


def planned_job(job):
    """What `status` needs to know of a job; paths are relative to the results folder."""
    inside = lambda paths: [os.path.relpath(path, RESULTS) for path in paths]
    return {
        "rule": job.rule.name,
        "name": " ".join(job.wildcards),
        "needed": workflow.dag.needrun(job),
        "outputs": inside(job.output),
        "log": inside(job.log)[0],
    }


def occupy_results():
    """Take the results folder; where another process has it, this one ends."""
    order = {rule.name: index for index, rule in enumerate(workflow.rules)}
    plan = {
        "config": CONFIG_FILES[0],
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        # in the order of the stages
        "jobs": sorted(
            (planned_job(job) for job in workflow.dag.jobs if job.log),
            key=lambda job: (order[job["rule"]], job["name"]),
        ),
    }
    try:
        OCCUPIED.append(occupy(Path(RESULTS), plan))
    except (UserError, OSError) as error:
        sys.exit(sentence(error, "results"))
