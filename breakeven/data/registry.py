"""Which data sets there are: a new one is one module with a function ``load``, and one line here.

Its signature is ``load(seed, train_examples, test_examples, *, option: type = default, ...) -> Splits``, see
`breakeven.specs.source`. The first three are those of every data set (`breakeven.specs.dataset`), so that a loader need not
read more than is kept; it may ignore them, and return everything. A config may also name a function in a file of the user's
own, see `breakeven.specs.own_code`; it takes options only, and returns everything.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from breakeven.specs.own_code import is_own, own_source
from breakeven.specs.source import Source, source
from breakeven.store.errors import UserError


@dataclass(frozen=True)
class Loader:
    """A data set: the module of its ``load``, what it is in ``words``, and what it holds: "pictures", "words" or "word pieces".

    ``examples``: how many training and test examples the official version has; one number where the option ``test_fraction``
    splits them, None where only the files know.
    """

    module: str
    words: str
    holds: str = "pictures"
    examples: tuple[int, int] | int | None = None


OWN_GIVEN: tuple[str, ...] = ()  # a loader of the user's own is given its options alone
LOADERS = {
    "digits": Loader(
        "breakeven.data.digits",
        "The 1797 handwritten digits (8 x 8 pixels) that come with scikit-learn; nothing is downloaded.",
        examples=1797,
    ),
    "cifar10": Loader(
        "breakeven.data.cifar10",
        "CIFAR-10, with its official training set (50000 images) and test set (10000 images).",
        examples=(50_000, 10_000),
    ),
    "image_folder": Loader("breakeven.data.image_folder", "Pictures in folders, one folder per class."),
    "fashion_mnist": Loader(
        "breakeven.data.fashion_mnist",
        "Fashion-MNIST, with its official training set (60000 images of 28 x 28 in grey) and test set (10000 images).",
        examples=(60_000, 10_000),
    ),
    "imagenet": Loader("breakeven.data.imagenet", "ImageNet (ILSVRC 2012), with its validation set as the test set."),
    "imdb": Loader(
        "breakeven.data.imdb",
        "IMDB, 25000 film reviews to train on and 25000 to test on, negative or positive, as the numbers of their words.",
        holds="words",
        examples=(25_000, 25_000),
    ),
    "mnli": Loader(
        "breakeven.data.mnli",
        "MultiNLI, 392702 pairs of sentences to train on and 9815 (matched) to test on, as the word pieces of a pretrained "
        "tokenizer; needs the package transformers.",
        holds="word pieces",
        examples=(392_702, 9815),
    ),
}


def loader_source(name: str) -> Source:
    """The function of loader ``name``, with its options."""
    if not is_own(name) and name not in LOADERS:
        raise UserError(f"there is no loader {name!r}; allowed: {', '.join(LOADERS)}, or FILE.py:function")
    return own_source(name, OWN_GIVEN) if is_own(name) else source(LOADERS[name].module, "load")


def content(name: str) -> str | None:
    """What the data set of loader ``name`` holds; None for one of the user's own, of which only the user knows."""
    return None if is_own(name) else LOADERS[name].holds


def loader(name: str) -> Callable[..., Any]:
    """The function of loader ``name``."""
    return loader_source(name).imported()


def available_examples(name: str, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """How many training and test examples there are, before subsets are drawn; None where only the files know."""
    if is_own(name) or options.get("path") is not None:
        return None  # a folder of the user's own may hold any number
    examples = LOADERS[name].examples
    if isinstance(examples, int):
        test = math.ceil(options["test_fraction"] * examples)  # as scikit-learn's train_test_split rounds
        return examples - test, test
    return examples
