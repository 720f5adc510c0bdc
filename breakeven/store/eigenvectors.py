"""The eigenvectors e_H^1 of a run, one file for each snapshot: the hessian stage writes them, the stability stage reads them.

Names in the file: ``e_H_1``, the vector (D,) in the order of the network's parameters; ``step``, a number. The metadata
hold the run's id.
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


def write(folder: Path, run: str, step: int, vector: Tensor) -> Path:
    """Write the eigenvector at ``step``, whole or not at all; return its file."""
    path = folder / file_name(step)
    with whole_file(path) as temporary:
        save_file({"e_H_1": vector.cpu(), "step": torch.tensor(step)}, temporary, metadata={"run": run})
    return path


def read(folder: Path, run: str, step: int) -> Tensor:
    """Read the eigenvector at ``step``, refusing one that can't be read or is of another run or step."""
    path = folder / file_name(step)
    check_recorded(folder.with_name("hessian.csv"), path)
    try:
        with safe_open(path, framework="pt") as file:
            owner, found = (file.metadata() or {}).get("run"), int(file.get_tensor("step"))
            vector: Tensor = file.get_tensor("e_H_1")
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
