"""Which networks there are. A new network is one module with a builder function, and one line here.

A builder has the signature ``builder(input_shape, classes, *, option: type = default, ...) -> torch.nn.Module``, see
`breakeven.specs.source`. A config may also name a builder in a file of the user's own, see `breakeven.specs.own_code`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from breakeven.specs.own_code import is_own, own_source
from breakeven.specs.source import Source, source
from breakeven.store.errors import UserError


@dataclass(frozen=True)
class Network:
    """A network: its builder, MODULE:FUNCTION, and what it reads: "pictures", "words" or "word pieces".

    ``batch_statistics``: it has batch normalization, so the gradient of a single example does not exist.
    """

    builder: str
    reads: str = "pictures"
    batch_statistics: bool = False


GIVEN = ("input_shape", "classes")  # what a builder is given, before its options
NETWORKS = {
    "bert": Network("breakeven.networks.bert:bert", reads="word pieces"),
    "densenet121": Network("breakeven.networks.densenet121:densenet121", batch_statistics=True),
    "lstm": Network("breakeven.networks.lstm:lstm", reads="words"),
    "mlp": Network("breakeven.networks.mlp:mlp"),
    "resnet32": Network("breakeven.networks.resnet32:resnet32"),
    "resnet32_bn": Network("breakeven.networks.resnet32:resnet32_bn", batch_statistics=True),
    "simple_cnn": Network("breakeven.networks.simple_cnn:simple_cnn"),
    "simple_cnn_bn": Network("breakeven.networks.simple_cnn:simple_cnn_bn", batch_statistics=True),
}


def network_source(name: str) -> Source:
    """The builder of network ``name``, with its options."""
    if not is_own(name) and name not in NETWORKS:
        raise UserError(f"there is no network {name!r}; allowed: {', '.join(NETWORKS)}, or FILE.py:function")
    return own_source(name, GIVEN) if is_own(name) else source(*NETWORKS[name].builder.split(":"))


def reads(name: str) -> str | None:
    """What network ``name`` reads; None for a network of the user's own, of which only the user knows."""
    return None if is_own(name) else NETWORKS[name].reads


def builder(name: str) -> Callable[..., Any]:
    """The builder function of network ``name``."""
    return network_source(name).imported()
