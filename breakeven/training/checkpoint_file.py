"""The file that holds the state of a training in progress, in a folder with the snapshots that were taken so far.

``key`` names everything that the result depends on (specification, code, data): a checkpoint with another key is of no use and is
thrown away. So is a damaged one, by the digest of its content, since safetensors has none. The one of a training that has ended
stays, for longer runs of its ``family``.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.store.files import whole_file
from breakeven.store.progress import say
from breakeven.store.snapshots import is_intact
from breakeven.store.training_record import SNAPSHOTS, SnapshotEntry
from breakeven.training.evaluation import Evaluation
from breakeven.training.training import TrainingState

FILE = "checkpoint.safetensors"


def write_checkpoint(folder: Path, key: str, family: str, state: TrainingState) -> None:
    """Write the checkpoint, whole or not at all."""
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    recorded = json.dumps(asdict(replace(state, tensors={})))
    metadata = {"key": key, "family": family, "recorded": recorded, "sha256": _digest(recorded, tensors)}
    with whole_file(folder / FILE) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_checkpoint(folder: Path, key: str) -> TrainingState | None:
    """The checkpoint in ``folder``, or None (and no such folder) where there is none that can be used."""
    path = folder / FILE
    if path.exists():
        try:
            metadata, tensors = _content(path)
            problem = _problem(key, metadata, tensors)
            if problem is None:
                state = _state(metadata["recorded"], tensors)
                if all(is_intact(folder / SNAPSHOTS, entry) for entry in state.snapshots):
                    _remove_others(folder / SNAPSHOTS, state)
                    return state
                problem = "has lost a snapshot"
        except SafetensorError as error:
            if "(os error" in str(error):  # the disk's, which may pass, and says nothing of the file
                raise
            problem = f"is damaged ({error})"
        say(f"checkpoint '{path}' {problem}: starting over")
    shutil.rmtree(folder, ignore_errors=True)
    return None


def read_last_state(folder: Path, key: str, family: str) -> TrainingState | None:
    """The state in the checkpoint in ``folder``, which another run left, if it has this key and is of this family."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("family") != family:
                return None
        metadata, tensors = _content(path)
        problem = _problem(key, metadata, tensors)
        if problem is None:
            return _state(metadata["recorded"], tensors)
    except SafetensorError as error:
        problem = f"can't be read ({error})"
    say(f"checkpoint '{path}' {problem}: not gone on from")
    return None


def _content(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What the file says, and its tensors."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


def _problem(key: str, metadata: dict[str, str], tensors: dict[str, Tensor]) -> str | None:
    """Why this checkpoint can't be used, if so."""
    if metadata.get("key") != key:
        return "is of another specification, code or data"
    if metadata.get("sha256") != _digest(metadata.get("recorded", ""), tensors):
        return "is damaged (its SHA-256 is not the recorded one)"
    return None


def _digest(recorded: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(recorded.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _state(recorded: str, tensors: dict[str, Tensor]) -> TrainingState:
    content = json.loads(recorded)
    history = [Evaluation(**row) for row in content["history"]]
    snapshots = [SnapshotEntry(**entry) for entry in content["snapshots"]]
    return TrainingState(**(content | {"history": history, "snapshots": snapshots, "tensors": tensors}))


def _remove_others(folder: Path, state: TrainingState) -> None:
    """Remove what the checkpoint doesn't know, such as the half-written snapshot of a process that was killed."""
    known = {entry.file for entry in state.snapshots}
    for path in folder.glob("*"):
        if path.name not in known:
            path.unlink()
