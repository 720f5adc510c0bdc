"""Which networks there are. A new network is one module with a builder function, and one line here.

A builder has the signature ``builder(input_shape, classes, *, option: type = default, ...) -> torch.nn.Module``. Its
options are read from the source text by `ast` and not by importing it, because importing torch takes two seconds, and
Snakemake's planning would pay them each time.
"""

import ast
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NETWORKS = {
    "lstm": "breakeven.networks.lstm:lstm",
    "mlp": "breakeven.networks.mlp:mlp",
    "resnet32": "breakeven.networks.resnet32:resnet32",
    "resnet32_bn": "breakeven.networks.resnet32:resnet32_bn",
    "simple_cnn": "breakeven.networks.simple_cnn:simple_cnn",
    "simple_cnn_bn": "breakeven.networks.simple_cnn:simple_cnn_bn",
}


# Networks with batch normalization: the gradient of a single example does not exist with statistics of a mini-batch.
BATCH_STATISTICS = {"resnet32_bn", "simple_cnn_bn"}

# What a network reads, where that isn't pictures.
READS = {"lstm": "words"}


@dataclass(frozen=True)
class Option:
    """An option of a network: its type as written in the builder's signature (``int``, ``tuple[int, ...]``)."""

    type: str
    default: Any


def reads(name: str) -> str:
    """What network ``name`` reads: "pictures", "words" or "word pieces"."""
    return READS.get(name, "pictures")


def network_module(name: str) -> str:
    """The dotted name of the module that holds network ``name``; the digest of a training's code starts from it."""
    return NETWORKS[name].partition(":")[0]


@cache
def network_options(name: str) -> dict[str, Option]:
    """The options of network ``name``: the keyword-only arguments of its builder, with their defaults."""
    module, _, function = NETWORKS[name].partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, f"no source for {module}"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    [builder] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    return {
        argument.arg: Option(ast.unparse(argument.annotation), ast.literal_eval(default))
        for argument, default in zip(builder.args.kwonlyargs, builder.args.kw_defaults, strict=True)
        if argument.annotation is not None and default is not None
    }


def builder(name: str) -> Callable[..., Any]:
    """The builder function of network ``name``."""
    module, _, function = NETWORKS[name].partition(":")
    return getattr(importlib.import_module(module), function)
