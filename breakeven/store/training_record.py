"""What the train stage recorded of a run, ``training.json``, for the stages that read it."""

from pathlib import Path
from typing import Any

from breakeven.store.sealed_json import read_sealed_json

FILE = "training.json"


def read_training(run: Path) -> dict[str, Any]:
    """The record of the run in folder ``run``; its digest is verified."""
    return read_sealed_json(run / FILE, "record of a training")
