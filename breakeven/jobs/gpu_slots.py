"""Which GPU a job runs on: it leases a slot for as long as it lives.

Snakemake counts the GPUs of a machine, but does not say which one a job may use (snakemake/snakemake#281). Each GPU has
``slots_per_gpu`` slots, each slot a file lock, which the operating system frees when the job ends, however it ends.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from breakeven.jobs.locks import take
from breakeven.store.progress import say

SECONDS_BETWEEN_TRIES = 1.0


def folder() -> Path:
    """Where the locks are: one place for all results folders of a user on this machine, and no one else's."""
    return Path(tempfile.gettempdir()) / f"breakeven-gpus-{os.getuid()}"


def lease(gpus: Sequence[str], slots: int, locks: Path) -> tuple[int, FileLock]:
    """Wait for a free slot: the index of its GPU in ``gpus`` (their names on this machine), and its lock, to be kept.

    The first slot of each GPU is taken before any second one.
    """
    assert gpus and slots > 0, "there would be nothing to wait for"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = False
    while True:
        for slot in range(slots):
            for index, gpu in enumerate(gpus):
                try:
                    return index, take(locks / f"{gpu}-slot{slot}.lock")
                except Timeout:
                    continue
        if not told:
            say(f"waiting for a free slot on {len(gpus)} GPUs with {slots} slots each (slots_per_gpu: {slots})")
            told = True
        time.sleep(SECONDS_BETWEEN_TRIES)
