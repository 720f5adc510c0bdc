"""``snakemake``, except that it looks after its Slurm jobs twice a second and not once a minute. Slurm itself stays real."""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

SECONDS = 0.5


async def sleep(executor):
    await asyncio.sleep(min(SECONDS, executor.next_seconds_between_status_checks))


RemoteExecutor.sleep = sleep
sys.exit(main())
