"""The eigenvectors e_H^1 of a run, one file for each snapshot: the hessian stage writes them, the stability stage reads them.

Names in the file: ``e_H_1``, the vector (D,) in the order of the network's parameters; ``preconditioned``, where the optimizer
has a preconditioner P: P^(-1/2) u, with the first eigenvector u, ‖u‖ = 1, of P^(-1/2) H P^(-1/2); ``step``, a number. The
metadata hold the run's id.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.store.errors import UserError
from breakeven.store.files import whole_file
from breakeven.store.record import check_recorded
from breakeven.store.snapshots import file_name

FIRST, PRECONDITIONED = "e_H_1", "preconditioned"


def write(folder: Path, run: str, step: int, vector: Tensor, preconditioned: Tensor | None = None) -> Path:
    """Write the eigenvector at ``step``, whole or not at all; return its file."""
    path = folder / file_name(step)
    tensors = {FIRST: vector.cpu(), "step": torch.tensor(step)}
    if preconditioned is not None:
        tensors[PRECONDITIONED] = preconditioned.cpu()
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={"run": run})
    return path


def read(folder: Path, run: str, step: int, name: str = FIRST) -> Tensor:
    """Read the vector ``name`` at ``step``, refusing one that can't be read or is of another run or step."""
    path = folder / file_name(step)
    check_recorded(folder.with_name("hessian.csv"), path)
    try:
        with safe_open(path, framework="pt") as file:
            owner, found = (file.metadata() or {}).get("run"), int(file.get_tensor("step"))
            vector: Tensor = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"eigenvector '{path}' is missing or damaged ({error}): delete the folder '{folder}'"
        ) from error
    if (owner, found) != (run, step):
        raise UserError(
            f"eigenvector '{path}' belongs to run {owner} at step {found}, not to run {run} at step {step}: "
            f"delete the folder '{folder}'"
        )
    return vector
