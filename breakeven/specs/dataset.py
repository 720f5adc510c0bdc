"""What a prepared data set is: its loader and the options that change its content; its canonical form and its id.

Apart from `run_spec`, so that a new option of a data set changes nothing that training depends on.
"""

import hashlib
import json
import math
import re
from typing import Any

from breakeven.specs.own_code import is_own

# The neutral defaults: an option that has this value is left out of the canonical form, so an option that is added
# later changes no id. Never change one.
COMMON_DEFAULTS = {"measured_fraction": 0.05, "seed": 0, "train_examples": None, "test_examples": None}
DEFAULTS: dict[str, dict[str, Any]] = {
    "digits": COMMON_DEFAULTS | {"test_fraction": 0.2},
    "cifar10": COMMON_DEFAULTS,
    "image_folder": COMMON_DEFAULTS | {"image_size": None},
    "fashion_mnist": COMMON_DEFAULTS | {"path": None},
    "imagenet": COMMON_DEFAULTS | {"image_size": 224},
    "imdb": COMMON_DEFAULTS | {"path": None, "words": 20_000, "tokens": 80},
    "mnli": COMMON_DEFAULTS | {"path": None, "tokenizer": "bert-base-uncased", "tokens": 128},
}
# Options that say where the data lies but can't change it, since the loader verifies checksums.
LOCATION = {name: ("root",) for name in ("cifar10", "fashion_mnist", "imdb", "mnli")}

DIGITS_IMAGES = 1797
# of the official version; a folder of the user's own may hold any number
OFFICIAL_EXAMPLES = {
    "cifar10": (50_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "imdb": (25_000, 25_000),
    "mnli": (392_702, 9815),
}


def defaults(loader: str) -> dict[str, Any]:
    """The neutral values of the options of ``loader``; those of a function of the user's own stand together in ``options``."""
    return COMMON_DEFAULTS | {"options": {}} if is_own(loader) else DEFAULTS[loader]


def canonical_dataset(options: dict[str, Any]) -> dict[str, Any]:
    """The loader and all options that change the prepared data and differ from their neutral defaults, by name."""
    neutral = defaults(options["loader"])
    left_out = LOCATION.get(options["loader"], ())
    return {
        name: value
        for name, value in sorted(options.items())
        if name not in left_out and not (name in neutral and value == neutral[name])
    }


def location(options: dict[str, Any]) -> dict[str, Any]:
    """The options that are not part of the data set's identity."""
    return {name: options[name] for name in LOCATION.get(options["loader"], ()) if name in options}


def dataset_id(spec: dict[str, Any]) -> str:
    """``digits-1a2b3c4d``: the loader and eight digits of the canonical specification's SHA-256."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
    loader = re.sub(r"[^A-Za-z0-9._-]", "_", spec["loader"])[:40]
    return f"{loader}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def available_examples(options: dict[str, Any]) -> tuple[int, int] | None:
    """How many training and test examples the source has, before subsets are drawn; None where only the files know."""
    if options["loader"] == "digits":
        test = math.ceil(options["test_fraction"] * DIGITS_IMAGES)  # as scikit-learn's train_test_split rounds
        return DIGITS_IMAGES - test, test
    return None if options.get("path") is not None else OFFICIAL_EXAMPLES.get(options["loader"])


def training_examples(options: dict[str, Any]) -> int | None:
    """The size of the training set, where it is known without looking at the files."""
    available = available_examples(options)
    return options["train_examples"] or (available[0] if available else None)


def measured_examples(options: dict[str, Any]) -> int | None:
    """The size of the measured subset, where it is known; rounded as in `breakeven.data.prepare`."""
    count = training_examples(options)
    return None if count is None else max(1, round(options["measured_fraction"] * count))
