"""The predictions of a run on the test set: softmax outputs at each snapshot, as safetensors.

``steps`` (snapshots,), int64; ``predictions`` (snapshots, examples, classes), float16, which is off by 2.4e-4 at most. The
file's metadata hold the run's id.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from breakeven.store.errors import UserError
from breakeven.store.files import whole_file
from breakeven.store.record import check_recorded


def write(path: Path, run: str, steps: list[int], predictions: Tensor) -> None:
    """Write the predictions, (snapshots, examples, classes), whole or not at all."""
    tensors = {
        "steps": torch.tensor(steps, dtype=torch.int64),
        "predictions": predictions.to(torch.float16).contiguous(),
    }
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata={"run": run})


def read(path: Path, run: str) -> tuple[Tensor, Tensor]:
    """The steps and predictions of ``run``, refusing a file that can't be read or is another run's."""
    check_recorded(path, path)
    try:
        with safe_open(path, framework="pt") as file:
            owner = (file.metadata() or {}).get("run")
            steps, predictions = file.get_tensor("steps"), file.get_tensor("predictions")
    except (OSError, SafetensorError) as error:
        raise UserError(f"'{path}' is missing or damaged ({error}): delete it") from error
    if owner != run:
        raise UserError(f"'{path}' is of run {owner}, not of run {run}: delete it")
    return steps, predictions
