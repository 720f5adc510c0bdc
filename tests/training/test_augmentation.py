from collections import Counter

import numpy as np
import pytest
import torch

from breakeven.training.augmentations.crop_flip import augment, draw


def windows(image):
    """Every picture that ``image`` can become, by its bytes: 9×9 windows of the padded picture, as they are or mirrored."""
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 8, width + 8), np.uint8)
    padded[:, 4:-4, 4:-4] = image
    found = {}
    for top in range(9):
        for left in range(9):
            window = padded[:, top : top + height, left : left + width]
            found[window.tobytes()] = (top, left, False)
            found[window[:, :, ::-1].tobytes()] = (top, left, True)
    return found


def changed_by(images, seed):
    return augment(images, draw(len(images), torch.Generator().manual_seed(seed)))


@pytest.fixture(scope="module")
def augmented():
    """600 pictures of 3×6×5 that are unlike their own mirror images, and what became of each."""
    images = np.random.default_rng(0).integers(1, 256, (600, 3, 6, 5), dtype=np.uint8)
    changed = changed_by(torch.from_numpy(images), 0).numpy()
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    return [windows(image)[result.tobytes()] for image, result in zip(images, changed, strict=True)]


def test_each_picture_becomes_one_of_its_windows(augmented):
    """A picture that is none of them would be missing in `windows`; every offset and both directions occur."""
    for position in (0, 1):
        counts = Counter(draw[position] for draw in augmented)
        assert sorted(counts) == list(range(9))
        assert all(40 < count < 100 for count in counts.values())  # 67 expected, standard deviation 8
    assert 240 < sum(draw[2] for draw in augmented) < 360


def test_the_three_draws_are_independent(augmented):
    draws = np.array(augmented, dtype=float)
    correlations = np.corrcoef(draws.T)[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 4 / np.sqrt(len(draws))


def test_the_generator_decides():
    images = torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)
    first, again, other = (changed_by(images, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_input_stays_as_it_was():
    images = torch.full((4, 2, 5, 5), 7, dtype=torch.uint8)
    changed_by(images, 0)
    assert torch.equal(images, torch.full((4, 2, 5, 5), 7, dtype=torch.uint8))
