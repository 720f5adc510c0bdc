"""A prepared data set on a device, as every later stage reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from breakeven.store.errors import UserError
from breakeven.store.files import AGAIN, read_json, sha256

RESIDENT_BYTES = 8 * 2**30  # all data sets of the paper but ImageNet are resident on the device


@dataclass(frozen=True)
class Dataset:
    """Inputs and labels on one device, with what is needed to feed them to a network, see `breakeven.data.prepare`.

    Inputs are pictures (uint8), texts (int32) or numbers (float32). Labels are those of ``classes``, int64 (n,); or, where it
    ``predicts_numbers``, float32 (n, outputs), and ``classes`` is how many. ``measured``, ``evaluated``: indices into the
    training set. ``mean``, ``std``: of each channel of pictures, or of each number where they are standardised, else empty.
    ``input_shape``: of a picture, (channels, height, width); of numbers, theirs; of a text, (…, length, words), with the size of
    the vocabulary. Inputs that are larger than `RESIDENT_BYTES` stay where they are on the disk, and only the examples that are
    used come to the device. ``validation_…``: None where there is no validation set.
    """

    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    measured: Tensor
    evaluated: Tensor
    mean: Tensor
    std: Tensor
    input_shape: tuple[int, ...]
    classes: int
    predicts_numbers: bool = False
    validation_inputs: Tensor | None = None
    validation_labels: Tensor | None = None

    @property
    def evaluated_splits(self) -> dict[str, tuple[Tensor, Tensor]]:
        """What loss and accuracy are evaluated on: stored inputs and labels of each split, "train" first.

        The training set is represented by its fixed ``evaluated`` subset.
        """
        splits = {
            "train": (chosen(self.train_inputs, self.evaluated), self.train_labels[self.evaluated]),
            "test": (self.test_inputs, self.test_labels),
        }
        if self.validation_inputs is not None and self.validation_labels is not None:
            splits["validation"] = self.validation_inputs, self.validation_labels
        return splits

    def inputs(self, raw: Tensor, dtype: torch.dtype) -> Tensor:
        """What the network is given for stored inputs ``raw``, on the device of the labels.

        Pictures: (x − mean) / std per channel, computed in ``dtype``. Texts: the numbers of their words, int64.
        Numbers: as they are, or (x − mean) / std of each, where they are standardised.
        """
        raw = raw.to(self.train_labels.device)
        if raw.dtype == torch.int32:
            return raw.to(torch.int64)
        if raw.is_floating_point():
            numbers = raw.to(dtype)
            return (numbers - self.mean.to(dtype)) / self.std.to(dtype) if self.mean.numel() else numbers
        mean, std = self.mean.to(dtype)[:, None, None], self.std.to(dtype)[:, None, None]
        return (raw.to(dtype) - mean) / std

    def measured_examples(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The fixed measured subset, as the network is given it, with its labels, in the order in which it was drawn."""
        raw = chosen(self.train_inputs, self.measured)
        return self.inputs(raw, dtype), self.train_labels[self.measured]


def chosen(inputs: Tensor, indices: Tensor) -> Tensor:
    """Some of the stored ``inputs``, wherever the ``indices`` are."""
    return inputs[indices.to(inputs.device)]


def load(folder: Path, device: torch.device, spec: Mapping[str, Any] | None = None) -> Dataset:
    """Read the data set that `breakeven.data.prepare` wrote into ``folder``; its checksum is verified.

    It must be that of the canonical specification ``spec``, if one is given.
    """
    manifest = read_manifest(folder)
    if spec is not None and manifest["spec"] != spec:
        raise UserError(f"'{folder}' holds the data set {manifest['spec']}, not {spec}: delete the folder, {AGAIN}")
    path = folder / "data.safetensors"
    if not path.exists() or sha256(path) != manifest["sha256"]:
        raise UserError(
            f"'{path}' is missing or damaged (its SHA-256 is not the manifest's): delete the folder '{folder}'"
        )
    try:
        arrays = load_file(path)  # mapped into memory: nothing is read before it is used
    except SafetensorError as error:
        raise UserError(f"'{path}' is damaged ({error}): delete the folder '{folder}'") from error
    arrays = {name: array.to(device) if array.nbytes <= RESIDENT_BYTES else array for name, array in arrays.items()}
    return Dataset(
        **arrays,
        mean=torch.tensor(manifest["mean"], dtype=torch.float64, device=device),
        std=torch.tensor(manifest["std"], dtype=torch.float64, device=device),
        input_shape=tuple(manifest["input_shape"]),
        classes=manifest.get("outputs", len(manifest["classes"])),
        predicts_numbers="outputs" in manifest,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json`` of a prepared data set."""
    manifest: dict[str, Any] = read_json(folder / "manifest.json", "manifest", delete=f"the folder '{folder}'")
    return manifest
