"""What a prepared data set is, beside its loader and the loader's own options: the subsets that are drawn of it; its id."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

# An option that has its default is left out of the canonical form, so an option that is added later changes no id. Never change
# a default, here or in the signature of a loader.


@dataclass(frozen=True)
class Subsets:
    """The options that every data set has."""

    measured_fraction: Annotated[
        float,
        Gt(0),
        Le(1),
        "Share of the training set on which K and H are measured; drawn once, the same for all runs.",
    ] = 0.05
    seed: Annotated[int, Ge(0), Le(4_294_967_295), "Draws the subsets of the data set."] = 0
    train_examples: Annotated[Annotated[int, Ge(1)] | None, "Size of a random subset to train on; null means all."] = (
        None
    )
    test_examples: Annotated[Annotated[int, Ge(1)] | None, "Size of a random subset to test on; null means all."] = None
    validation_fraction: Annotated[
        Annotated[float, Gt(0), Lt(1)] | None,
        "Share of the training set, of train_examples where that is given, that is held out at random as a validation set, the "
        "same for all runs; K and H are measured on what is left. null means none, or the one that a loader of your own returns.",
    ] = None


def validation_examples(fraction: float | None, count: int) -> int:
    """How many of ``count`` training examples are held out."""
    return 0 if fraction is None else max(1, round(fraction * count))


def dataset_id(spec: Mapping[str, Any]) -> str:
    """``digits-1a2b3c4d``: the loader and eight digits of the canonical specification's SHA-256."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
    loader = re.sub(r"[^A-Za-z0-9._-]", "_", spec["loader"])[:40]
    return f"{loader}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
