"""A data set and runs so small that a training takes a fraction of a second."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from breakeven.data.prepare import write
from breakeven.data.splits import Splits
from breakeven.specs.run import RunSpec, Segment

DATASET = {"loader": "digits"}
TRAIN, TEST, SHAPE, CLASSES = 43, 11, (2, 8, 6), 3


def tiny_splits(seed: int = 0) -> Splits:
    """Pictures whose brightest third of rows is their class, mostly: something that can be learnt."""
    draws = np.random.default_rng(seed)
    arrays = []
    for count in (TRAIN, TEST):
        labels = draws.permutation(np.arange(count) % CLASSES)
        images = draws.integers(0, 120, (count, *SHAPE))
        for image, label in zip(images, labels, strict=True):
            image[:, 2 * label : 2 * label + 3] += 100
        arrays += [images.astype(np.uint8), labels.astype(np.int64)]
    return Splits(*arrays, tuple("abc"))


def tiny_dataset(folder: Path, seed: int = 0) -> Path:
    write(tiny_splits(seed), DATASET, folder, measured_fraction=0.3, seed=0, train_examples=None, test_examples=None)
    return folder


def tiny_spec(**changes: object) -> RunSpec:
    """Five steps per epoch (8 of 43 examples each); snapshots each second step."""
    spec = RunSpec(
        dataset=DATASET,
        network="simple_cnn",
        network_options={"channels": [3], "dense": 5},
        learning_rate=0.05,
        batch_size=8,
        snapshots=(Segment(2),),
        seed=0,
        steps=12,
    )
    return replace(spec, **changes)
