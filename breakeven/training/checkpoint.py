"""The checkpoint of a training in progress, kept outside Snakemake's declared outputs.

Snakemake deletes the declared outputs of a job that failed or that it makes again; what is in the state folder stays, and
the next attempt goes on from there. ``key`` names everything that the result depends on (specification, code, data): a
checkpoint with another key is of no use and is thrown away. So is a damaged one, by the digest of its content, since
safetensors has none.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.store.files import sha256, whole_file
from breakeven.store.progress import say


@dataclass
class Progress:
    """What a training has done so far, apart from its weights. ``step`` is the next step to take."""

    step: int = 0
    diverged_step: int | None = None
    stopped_step: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)


def save(state: Path, key: str, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Write the checkpoint, whole or not at all."""
    text = json.dumps(asdict(progress))
    metadata = {"key": key, "progress": text, "sha256": _digest(text, tensors)}
    with whole_file(state / "checkpoint.safetensors") as temporary:
        save_file(tensors, temporary, metadata=metadata)


def resume(state: Path, key: str) -> tuple[Progress, dict[str, Tensor]] | None:
    """The checkpoint in ``state``, or None (and an empty folder) where there is none that can be used."""
    path = state / "checkpoint.safetensors"
    if path.exists():
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            problem = _problem(state, key, metadata, tensors)
            if problem is None:
                progress = Progress(**json.loads(metadata["progress"]))
                _remove_others(state / "snapshots", progress)
                return progress, tensors
        except SafetensorError as error:
            if "(os error" in str(error):  # the disk's, which may pass, and says nothing of the file
                raise
            problem = f"is damaged ({error})"
        say(f"checkpoint '{path}' {problem}: starting over")
    shutil.rmtree(state, ignore_errors=True)
    return None


def _problem(state: Path, key: str, metadata: dict[str, str], tensors: dict[str, Tensor]) -> str | None:
    """Why this checkpoint can't be used, if so."""
    if metadata.get("key") != key:
        return "is of another specification, code or data"
    if metadata.get("sha256") != _digest(metadata.get("progress", ""), tensors):
        return "is damaged (its SHA-256 is not the recorded one)"
    if not all(intact(state / "snapshots", entry) for entry in json.loads(metadata["progress"])["snapshots"]):
        return "has lost a snapshot"
    return None


def _digest(progress: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(progress.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def intact(folder: Path, entry: dict[str, Any]) -> bool:
    """Whether a snapshot in ``folder`` is the one of its ``entry``."""
    path = folder / str(entry["file"])
    return path.exists() and sha256(path) == entry["sha256"]


def _remove_others(folder: Path, progress: Progress) -> None:
    """Remove what the checkpoint doesn't know, such as the half-written snapshot of a process that was killed."""
    known = {entry["file"] for entry in progress.snapshots}
    for path in folder.glob("*"):
        if path.name not in known:
            path.unlink()
