"""Which data sets there are: a new loader is one module with a function ``load(...) -> Splits``, and one line here.

``load`` takes keyword arguments: its own options, and the ``seed``, ``train_examples`` and ``test_examples`` that every
data set has, so that a loader need not read more than is kept; it may ignore them, and return everything. Defaults
stand in `breakeven.specs.dataset`.

A config may also name a function in a file of the user's own, see `breakeven.specs.own_code`; it takes its own options only, and
returns everything.
"""

import importlib
from collections.abc import Callable
from typing import Any

from breakeven.specs import own_code

LOADERS = {
    "digits": "breakeven.data.digits",
    "cifar10": "breakeven.data.cifar10",
    "image_folder": "breakeven.data.image_folder",
    "fashion_mnist": "breakeven.data.fashion_mnist",
    "imagenet": "breakeven.data.imagenet",
    "imdb": "breakeven.data.imdb",
    "mnli": "breakeven.data.mnli",
}

# What a data set holds, where that isn't pictures.
HOLDS = {"imdb": "words", "mnli": "word pieces"}


def content(name: str) -> str | None:
    """What the data set of loader ``name`` holds: "pictures", "words" or "word pieces"; None where only its code knows."""
    return None if own_code.is_own(name) else HOLDS.get(name, "pictures")


def loader_module(name: str) -> str:
    """The module that holds loader ``name``, or the user's own file; the digest of the preparation's code starts from it."""
    return str(own_code.file_of(name)) if own_code.is_own(name) else LOADERS[name]


def loader(name: str) -> Callable[..., Any]:
    """The ``load`` function of loader ``name``."""
    if own_code.is_own(name):
        return own_code.function(name)
    return importlib.import_module(LOADERS[name]).load
