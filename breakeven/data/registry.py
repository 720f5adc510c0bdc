"""Which data sets there are: a new loader is one module with a function ``load(...) -> Splits``, and one line here."""

import importlib
from collections.abc import Callable
from typing import Any

LOADERS = {
    "digits": "breakeven.data.digits",
    "cifar10": "breakeven.data.cifar10",
    "image_folder": "breakeven.data.image_folder",
}


def loader(name: str) -> Callable[..., Any]:
    """The ``load`` function of loader ``name``."""
    return importlib.import_module(LOADERS[name]).load
