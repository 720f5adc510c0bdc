"""A prepared data set on a device, as every later stage reads it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from breakeven.errors import UserError
from breakeven.files import sha256


@dataclass(frozen=True)
class Dataset:
    """Pictures as uint8 and labels as int64 on one device, with what is needed to feed them to a network.

    ``measured``, ``evaluated``: indices into the training set, see `breakeven.data.prepare`.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    measured: Tensor
    evaluated: Tensor
    mean: Tensor
    std: Tensor
    input_shape: tuple[int, int, int]
    classes: int

    def normalise(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """(x − mean) / std per channel, computed in ``dtype``; ``images`` is uint8 (batch, channels, height, width)."""
        mean, std = self.mean.to(dtype)[:, None, None], self.std.to(dtype)[:, None, None]
        return (images.to(dtype) - mean) / std

    def measured_examples(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The fixed measured subset, normalised, with its labels, in the order in which it was drawn."""
        return self.normalise(self.train_images[self.measured], dtype), self.train_labels[self.measured]


def load(folder: Path, device: torch.device) -> Dataset:
    """Read the data set that `breakeven.data.prepare` wrote into ``folder``; its checksum is verified."""
    manifest = read_manifest(folder)
    path = folder / "data.safetensors"
    if not path.exists() or sha256(path) != manifest["sha256"]:
        raise UserError(
            f"'{path}' is missing or damaged (its SHA-256 is not the manifest's): delete the folder '{folder}'"
        )
    try:
        arrays = load_file(path, device=str(device))
    except SafetensorError as error:
        raise UserError(f"'{path}' is damaged ({error}): delete the folder '{folder}'") from error
    return Dataset(
        **arrays,
        mean=torch.tensor(manifest["mean"], dtype=torch.float64, device=device),
        std=torch.tensor(manifest["std"], dtype=torch.float64, device=device),
        input_shape=tuple(manifest["input_shape"]),
        classes=len(manifest["classes"]),
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json`` of a prepared data set."""
    path = folder / "manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}' is missing or damaged ({error}): delete the folder '{folder}'") from error
