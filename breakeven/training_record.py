"""What the train stage recorded of a run, ``training.json``, for the stages that read it."""

import json
from pathlib import Path
from typing import Any

from breakeven.digests import AGAIN, verify
from breakeven.errors import UserError

FILE = "training.json"


def read_training(run: Path) -> dict[str, Any]:
    """The record of the run in folder ``run``; its digest is verified."""
    path = run / FILE
    verify(path)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"'{path}' is no record of a training ({error}): delete it, {AGAIN}") from error
    return record
