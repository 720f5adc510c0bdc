import itertools

import numpy as np
import pytest
import torch

from breakeven.specs.purposes import PURPOSES
from breakeven.specs.randomness import derived_seed, generator


def test_different_arguments_give_different_streams():
    arguments = [
        (seed, purpose, *indices)
        for seed, purpose in itertools.product((0, 1, 2, 10**9), PURPOSES)
        for indices in ((0,), (1,), (2,), (3,), (812,), (10**9,))
    ]
    seeds = [derived_seed(*argument) for argument in arguments]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert len(set(seeds)) == len(arguments)
    assert len(set(PURPOSES.values())) == len(PURPOSES)


def test_the_numbers_stay_what_they_are():
    """Runs are found again by their specification: another stream for the same seed would make them other runs."""
    assert PURPOSES == {
        "initialisation": 0,
        "order": 1,
        "augmentation": 2,
        "dropout": 3,
        "lanczos": 4,
        "trace": 5,
        "density": 6,
        "sampling": 7,
        "preconditioned": 9,
        "sharpness": 10,
        "blocks": 11,
    }
    assert (
        derived_seed(3, "order", 7) == (912422222 * 2**31) ^ 1033743568
    )  # the words of NumPy's SeedSequence([3, 1, 7])
    drawn = torch.randperm(8, generator=torch.Generator().manual_seed((912422222 * 2**31) ^ 1033743568))
    assert torch.equal(torch.randperm(8, generator=generator(3, "order", 7)), drawn)


def test_a_generator_depends_on_its_arguments_alone():
    first = torch.rand(5, generator=generator(0, "order", 3))
    torch.manual_seed(12)
    np.random.seed(12)  # noqa: NPY002 (the global state, on purpose)
    torch.rand(3, generator=generator(0, "augmentation", 3))
    assert torch.equal(torch.rand(5, generator=generator(0, "order", 3)), first)
    assert not torch.equal(torch.rand(5, generator=generator(0, "order", 4)), first)
    assert not torch.equal(torch.rand(5, generator=generator(1, "order", 3)), first)


def test_the_global_state_is_left_alone():
    before = torch.get_rng_state()
    generator(0, "order", 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert generator(0, "order").device.type == "cpu"


def test_an_unknown_purpose_is_refused():
    with pytest.raises(KeyError):
        generator(0, "luck")
