"""Snapshots: the weights at a measured step and after the next SGD step, as safetensors.

Names in the file: ``now/NAME`` and ``next/NAME`` for each parameter, ``buffer/NAME`` for each buffer (running averages)
at the measured step; ``optimizer/NAME/QUANTITY`` for all that the optimizer remembers after that step, which plain SGD has not;
``step``, a number. The file's metadata hold the run's id, and nothing else: safetensors writes
several entries in random order, and equal snapshots must be equal bytes.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.store.errors import UserError
from breakeven.store.files import sha256, whole_file
from breakeven.store.training_record import SnapshotEntry


@dataclass(frozen=True)
class Snapshot:
    """θ_t (``now``), θ_{t+1} (``next``) and the buffers at step t, by parameter name.

    ``optimizer``: what the optimizer remembers after the step from θ_t to θ_{t+1}, by ``PARAMETER/QUANTITY``.
    """

    step: int
    now: dict[str, Tensor]
    next: dict[str, Tensor]
    buffers: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)


def file_name(step: int) -> str:
    """The name of the snapshot of ``step``; sorts by step."""
    return f"step-{step:08d}.safetensors"


def write(folder: Path, run: str, snapshot: Snapshot, learning_rate: float) -> SnapshotEntry:
    """Write ``snapshot`` whole or not at all; return its entry for ``training.json``, with the η of the step from there."""
    path = folder / file_name(snapshot.step)
    groups = {
        "now": snapshot.now,
        "next": snapshot.next,
        "buffer": snapshot.buffers,
        "optimizer": snapshot.optimizer,
    }
    tensors = {f"{group}/{name}": t.contiguous() for group, members in groups.items() for name, t in members.items()}
    tensors["step"] = torch.tensor(snapshot.step)
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={"run": run})
    return SnapshotEntry(snapshot.step, path.name, sha256(path), learning_rate)


def is_intact(folder: Path, entry: SnapshotEntry) -> bool:
    """Whether a snapshot in ``folder`` is the one of its ``entry``."""
    path = folder / entry.file
    return path.exists() and sha256(path) == entry.sha256


def read(path: Path, run: str, step: int, digest: str) -> Snapshot:
    """Read a snapshot, refusing one that is damaged (other digest) or foreign (other run or step)."""
    if not path.exists() or sha256(path) != digest:
        raise UserError(
            f"snapshot '{path}' is missing or damaged (its SHA-256 is not the recorded one): delete its folder"
        )
    try:
        with safe_open(path, framework="pt") as file:
            owner = (file.metadata() or {}).get("run")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise UserError(f"snapshot '{path}' is damaged ({error}): delete its folder") from error
    found = tensors.pop("step").item() if "step" in tensors else None
    if (owner, found) != (run, step):
        raise UserError(
            f"snapshot '{path}' belongs to run {owner} at step {found}, not to run {run} at step {step}: "
            "delete its folder"
        )
    groups: dict[str, dict[str, Tensor]] = {"now": {}, "next": {}, "buffer": {}, "optimizer": {}}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        groups[group][name] = tensor
    return Snapshot(step, groups["now"], groups["next"], groups["buffer"], groups["optimizer"])
