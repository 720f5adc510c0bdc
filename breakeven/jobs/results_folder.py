"""The results folder as a whole: who works in it, what was planned last, and whether this version can read it."""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from breakeven import __version__
from breakeven.jobs.locks import acquire
from breakeven.store.errors import UserError
from breakeven.store.files import write_json

# Of the files that stages read. Raise it when they change so that old ones would be misread.
FORMAT = 3
PLAN, LOCK = "plan.json", ".lock"


def check_format(results: Path) -> None:
    """Refuse a results folder whose files another version has written in another way.

    Without a plan, files of an unknown version are made again where the code was another.
    """
    plan = read_plan(results)
    if plan is not None and plan["format"] != FORMAT:
        raise UserError(
            f"results: the folder '{results}' was written by breakeven {plan['version']} (format {plan['format']}), and "
            f"breakeven {__version__} reads format {FORMAT}: name another folder in the config, or move that one away"
        )


def occupy(results: Path, plan: dict[str, Any]) -> FileLock:
    """Take the results folder for this invocation of Snakemake and write down its ``plan``; keep what is returned."""
    lock = acquire(results / LOCK, f"running snakemake in the results folder '{results}'")
    write_json(results / PLAN, {"format": FORMAT, "version": __version__, **plan})
    return lock


def end(results: Path) -> None:
    """Note that the invocation has ended by itself, and so has recorded its jobs. The file's time stays that of its start."""
    plan = read_plan(results)
    if plan is not None:
        started = (results / PLAN).stat().st_mtime_ns
        write_json(results / PLAN, plan | {"ended": True})
        os.utime(results / PLAN, ns=(started, started))


def read_plan(results: Path) -> dict[str, Any] | None:
    """What the last invocation planned; None where there was none."""
    path = results / PLAN
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(
            f"'{path}' can't be read ({error}): delete it, and the next snakemake writes it again"
        ) from error
    if not isinstance(plan, dict) or not {"format", "version", "jobs"} <= plan.keys():
        raise UserError(f"'{path}' is no plan: delete it, and the next snakemake writes it again")
    return plan
