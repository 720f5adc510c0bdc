"""Which networks there are. A new network is one module with a builder function, and one line here.

A config may also name a builder in a file of the user's own, see `breakeven.specs.own_code`.

A builder has the signature ``builder(input_shape, classes, *, option: type = default, ...) -> torch.nn.Module``. Its
options are read from the source text by `ast` and not by importing it, because importing torch takes two seconds, and
Snakemake's planning would pay them each time.
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from breakeven.specs import own_code
from breakeven.specs.own_code import Option

NETWORKS = {
    "bert": "breakeven.networks.bert:bert",
    "densenet121": "breakeven.networks.densenet121:densenet121",
    "lstm": "breakeven.networks.lstm:lstm",
    "mlp": "breakeven.networks.mlp:mlp",
    "resnet32": "breakeven.networks.resnet32:resnet32",
    "resnet32_bn": "breakeven.networks.resnet32:resnet32_bn",
    "simple_cnn": "breakeven.networks.simple_cnn:simple_cnn",
    "simple_cnn_bn": "breakeven.networks.simple_cnn:simple_cnn_bn",
}

# Networks with batch normalization: the gradient of a single example does not exist with statistics of a mini-batch.
BATCH_STATISTICS = {"densenet121", "resnet32_bn", "simple_cnn_bn"}

# What a network reads, where that isn't pictures.
READS = {"bert": "word pieces", "lstm": "words"}


def reads(name: str) -> str | None:
    """What network ``name`` reads: "pictures", "words" or "word pieces"; None for a network of the user's own."""
    return None if own_code.is_own(name) else READS.get(name, "pictures")


def network_module(name: str) -> str:
    """The module that holds network ``name``, or the user's own file; the digest of a training's code starts from it."""
    return str(own_code.file_of(name)) if own_code.is_own(name) else NETWORKS[name].partition(":")[0]


def network_options(name: str) -> dict[str, Option]:
    """The options of network ``name``: the keyword-only arguments of its builder, with their defaults."""
    if own_code.is_own(name):
        return own_code.options(own_code.file_of(name), name.rpartition(":")[2])
    module, _, function = NETWORKS[name].partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, f"no source for {module}"
    return own_code.options(Path(spec.origin), function)


def builder(name: str) -> Callable[..., Any]:
    """The builder function of network ``name``."""
    if own_code.is_own(name):
        return own_code.function(name)
    module, _, function = NETWORKS[name].partition(":")
    return getattr(importlib.import_module(module), function)
