"""The first weights of a run, where they are those of a file: by the names of the network's parameters, or a snapshot."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from breakeven.specs.initial_weights import HOW, digest_of
from breakeven.specs.run import RunSpec
from breakeven.store.errors import UserError, some

NOW, BUFFER = "now/", "buffer/"  # of a snapshot (`breakeven.store.snapshots`), of which θ_t is taken and θ_{t+1} is not


def set_initial_weights(model: nn.Module, spec: RunSpec, path: Path | None) -> None:
    """Give ``model`` the weights in the file ``path``, which must be the one of ``spec``; nothing where that names none.

    The file has each parameter of the network, by its name and in its shape, and nothing else; of the buffers (running
    averages), those that it has are taken. They are rounded to the precision of the model.
    """
    if spec.initial_weights is None and path is None:
        return
    if spec.initial_weights is None or path is None:
        what = "names no file of weights" if path else f"begins from the file of weights {spec.initial_weights}"
        raise UserError(
            f"initial_weights: the specification of this run {what}: {'leave it out' if path else 'give it'}"
        )
    tensors = _read(path, spec.initial_weights)
    problem = _problem(model, tensors)
    if problem:
        raise UserError(f"initial_weights: '{path}' does not fit network '{spec.network}': {problem}")
    with torch.no_grad():
        for name, mine in _named(model).items():
            if name in tensors:
                mine.copy_(tensors[name])


def _read(path: Path, digest: str) -> dict[str, Tensor]:
    """The tensors of the file, by the names of a network's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"initial_weights: '{path}' can't be read ({error.strerror})") from error
    found = digest_of(content)
    if found != digest:
        raise UserError(
            f"initial_weights: '{path}' is not the file that this run begins from (its SHA-256 begins with {found}, not "
            f"{digest}): snakemake plans a run of the new file"
        )
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise UserError(f"initial_weights: '{path}' is no safetensors file ({error}): {HOW}") from error
    if not any(name.startswith(NOW) for name in tensors):
        return tensors
    return {
        name.removeprefix(NOW).removeprefix(BUFFER): tensor
        for name, tensor in tensors.items()
        if name.startswith((NOW, BUFFER))
    }


def _named(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, one that has two names by each; also buffers that `state_dict` leaves out, as snapshots don't."""
    parameters = model.named_parameters(remove_duplicate=False)
    return {**dict(parameters), **dict(model.named_buffers(remove_duplicate=False))}


def _problem(model: nn.Module, tensors: Mapping[str, Tensor]) -> str | None:
    """Why the ``tensors`` are not weights of ``model``, if so."""
    known = _named(model)
    missing = [name for name, _ in model.named_parameters() if name not in tensors]
    if missing:
        return f"it lacks {len(missing)} of the network's parameters: {some(missing)}; it has {some(sorted(tensors))}"
    unknown = sorted(tensors.keys() - known.keys())
    if unknown:
        return f"it has {len(unknown)} tensors that the network has not: {some(unknown)}"
    for name, tensor in tensors.items():
        if tensor.shape != known[name].shape:
            return f"'{name}' is of shape {tuple(tensor.shape)} in it and {tuple(known[name].shape)} in the network"
        if tensor.is_floating_point() != known[name].is_floating_point():
            return f"'{name}' is {tensor.dtype} in it and {known[name].dtype} in the network".replace("torch.", "")
    return None
