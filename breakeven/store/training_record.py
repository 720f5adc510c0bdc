"""What the train stage recorded of a run, ``training.json``, for the stages that read it."""

from pathlib import Path
from typing import Any

from breakeven.store.files import read_json

FILE = "training.json"


def read_training(run: Path) -> dict[str, Any]:
    """The record of the run in folder ``run``."""
    record: dict[str, Any] = read_json(run / FILE, "record of a training", delete=f"the folder '{run}'")
    return record
