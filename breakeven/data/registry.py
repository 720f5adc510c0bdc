"""Which data sets there are: a new loader is one module with a function ``load(...) -> Splits``, and one line here.

``load`` takes keyword arguments: its own options, and the ``seed``, ``train_examples`` and ``test_examples`` that every
data set has, so that a loader need not read more than is kept; it may ignore them, and return everything. Defaults
stand in `breakeven.config.dataset_spec`.
"""

import importlib
from collections.abc import Callable
from typing import Any

LOADERS = {
    "digits": "breakeven.data.digits",
    "cifar10": "breakeven.data.cifar10",
    "image_folder": "breakeven.data.image_folder",
    "fashion_mnist": "breakeven.data.fashion_mnist",
    "imdb": "breakeven.data.imdb",
}


def loader(name: str) -> Callable[..., Any]:
    """The ``load`` function of loader ``name``."""
    return importlib.import_module(LOADERS[name]).load
