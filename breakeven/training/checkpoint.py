"""The checkpoint of a training in progress, kept outside Snakemake's declared outputs.

Snakemake deletes the declared outputs of a job that failed; what is in the state folder stays, and the next attempt
goes on from there. ``key`` names everything that the result depends on (specification, code, data): a checkpoint with
another key is of no use and is thrown away.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.files import sha256, whole_file
from breakeven.progress import say


@dataclass
class Progress:
    """What a training has done so far, apart from its weights. ``step`` is the next step to take."""

    step: int = 0
    diverged_step: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)


def save(state: Path, key: str, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Write the checkpoint, whole or not at all."""
    with whole_file(state / "checkpoint.safetensors") as temporary:
        save_file(tensors, temporary, metadata={"key": key, "progress": json.dumps(asdict(progress))})


def resume(state: Path, key: str) -> tuple[Progress, dict[str, Tensor]] | None:
    """The checkpoint in ``state``, or None (and an empty folder) where there is none that can be used."""
    path = state / "checkpoint.safetensors"
    if path.exists():
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("key") == key:
                    progress = Progress(**json.loads(metadata["progress"]))
                    if all(_intact(state / "snapshots", entry) for entry in progress.snapshots):
                        return progress, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            say(f"checkpoint '{path}' is of another specification, code or data: starting over")
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            say(f"checkpoint '{path}' is damaged ({error}): starting over")
    shutil.rmtree(state, ignore_errors=True)
    return None


def _intact(folder: Path, entry: dict[str, Any]) -> bool:
    path = folder / str(entry["file"])
    return path.exists() and sha256(path) == entry["sha256"]
