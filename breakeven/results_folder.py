"""The results folder as a whole: who works in it, what was planned last, and whether this version can read it."""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from breakeven import __version__
from breakeven.errors import UserError
from breakeven.files import write_json
from breakeven.locks import acquire

# Of the files that stages read. Raise it when they change so that old ones would be misread.
FORMAT = 1
PLAN, LOCK = "plan.json", ".lock"


def check_format(results: Path) -> None:
    """Refuse a results folder whose files another version has written in another way."""
    plan = read_plan(results)
    found = plan.get("format") if plan is not None else None
    if plan is None and not (results / "runs").exists():
        return
    if found != FORMAT:
        by = (
            f"breakeven {plan['version']}"
            if plan is not None and "version" in plan
            else "an earlier version of breakeven"
        )
        raise UserError(
            f"results: the folder '{results}' was written by {by} (format {found or 0}), and breakeven {__version__} reads "
            f"format {FORMAT}: name another folder in the config, or move that one away"
        )


def occupy(results: Path, plan: dict[str, Any]) -> FileLock:
    """Take the results folder for this invocation of Snakemake and write down its ``plan``; keep what is returned."""
    lock = acquire(results / LOCK, f"running snakemake in the results folder '{results}'")
    write_json(results / PLAN, {"format": FORMAT, "version": __version__, **plan})
    return lock


def read_plan(results: Path) -> dict[str, Any] | None:
    """What the last invocation planned; None where there was none."""
    path = results / PLAN
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"'{path}' can't be read ({error}): delete it, and the next snakemake writes it again"
        ) from error
    return plan
