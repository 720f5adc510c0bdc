"""IMDB: 50,000 film reviews, negative or positive (Maas et al. 2011), as the numbers of their words.

From the official archive under ``root``, downloaded where it is not there, and checksummed; or from the user's own folder
in the same layout, ``{train,test}/{neg,pos}/ID_RATING.txt``.

Words are numbered as Keras' ``imdb.load_data`` numbers them: 0 is padding, 1 the start of a review, 2 a word that is not
among the most frequent, 3 nothing, and the r-th most frequent word r + 3. So a vocabulary of ``words`` numbers has the
``words`` − 4 most frequent words of the training set. A word is a run of letters a to z, digits and apostrophes.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from breakeven.data.archives import tar_members
from breakeven.data.download import official
from breakeven.data.splits import Splits
from breakeven.specs.source import Folder, Location
from breakeven.store.contents import is_left_behind
from breakeven.store.errors import UserError
from breakeven.store.progress import progress, say

URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
ARCHIVE = "aclImdb_v1.tar.gz"
ARCHIVE_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
CLASSES = ("neg", "pos")
FOLDERS = tuple((split, label) for split in ("train", "test") for label in CLASSES)
FILE = re.compile(r"\d+_\d+\.txt")
MEMBER = re.compile(rf"aclImdb/(train|test)/(neg|pos)/({FILE.pattern})")  # 'train' has unlabelled reviews as well
WORD = re.compile(r"[a-z0-9']+")
START, UNKNOWN, FIRST_WORD = 1, 2, 4
MOST_BYTES = 2**20  # of a review: the longest has 14 kB

Reviews = dict[tuple[str, str], list[str]]


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    root: Annotated[
        Location,
        "Folder in which the official archive aclImdb_v1.tar.gz is looked for, and to which it is downloaded. Not part of a "
        "run's identity.",
    ] = "data",
    path: Annotated[
        Folder | None,
        "Folder with train/neg, train/pos, test/neg and test/pos, read instead of the official archive. Part of a run's "
        "identity.",
    ] = None,
    words: Annotated[
        int,
        Ge(5),
        "Size of the vocabulary; the most frequent words of the training set, and four numbers for padding, start, other words "
        "and nothing.",
    ] = 20_000,
    tokens: Annotated[
        int, Ge(1), "Words of a review that are read, the last ones; a shorter review is padded in front."
    ] = 80,
) -> Splits:
    """Number the words of all reviews; of each the last ``tokens`` numbers, with zeros in front of a shorter one.

    All of them, ordered by class and file name, whatever ``seed`` and the numbers of examples: the vocabulary is that
    of the whole training set, so that a subset has the same one.
    """
    reviews = _from_archive(Path(root) / ARCHIVE) if path is None else _from_folder(Path(path))
    train, test = ([text for label in CLASSES for text in reviews[split, label]] for split in ("train", "test"))
    numbers = _vocabulary(train, words)
    return Splits(
        _encode(train, numbers, tokens, "number train"),
        _labels(reviews, "train"),
        _encode(test, numbers, tokens, "number test"),
        _labels(reviews, "test"),
        CLASSES,
        words,
    )


def _from_folder(folder: Path) -> Reviews:
    reviews: Reviews = {}
    for split, label in FOLDERS:
        of_class = folder / split / label
        if not of_class.is_dir():
            raise UserError(
                f"imdb: '{folder}' has no folder '{split}/{label}': it must hold {{train,test}}/{{neg,pos}}/ID_RATING.txt"
            )
        entries = [file for file in of_class.iterdir() if not is_left_behind(file.name)]
        files = sorted((file for file in entries if FILE.fullmatch(file.name)), key=lambda file: file.name)
        if not files:
            raise UserError(f"imdb: no reviews in '{of_class}' (looked for ID_RATING.txt, for example 127_8.txt)")
        if len(files) < len(entries):
            say(f"imdb: left out of '{of_class}': {len(entries) - len(files)} whose names are not ID_RATING.txt")
        reviews[split, label] = [_read(file) for file in progress(files, f"read {split}/{label}", unit="review")]
    return reviews


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return _text(stream.read(MOST_BYTES + 1))
    except (OSError, ValueError) as error:
        raise UserError(f"imdb: '{file}' is damaged or no text in UTF-8 ({error}): delete or replace it") from error


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    return content.decode("utf-8")


def _from_archive(archive: Path) -> Reviews:
    """Read the labelled reviews one after the other; nothing is unpacked to disk."""
    official(
        "imdb",
        archive,
        ARCHIVE_SHA256,
        [URL],
        f"'{archive}' is not there",
        f"put the archive into '{archive.parent}', set the data set's 'root' to where it is, or its 'path' to the "
        "unpacked folder aclImdb",
    )
    found: dict[tuple[str, str], dict[str, str]] = {folder: {} for folder in FOLDERS}
    for member, content in tar_members("imdb", archive, MEMBER, MOST_BYTES):
        _, split, label, name = member.split("/")
        found[split, label][name] = content.decode("utf-8")
    return {folder: [texts[name] for name in sorted(texts)] for folder, texts in found.items()}


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("<br />", " "))


def _vocabulary(texts: list[str], words: int) -> dict[str, int]:
    """The number of each word that has its own, from 4 to at most ``words`` − 1; equally frequent words by the alphabet."""
    counts = Counter(word for text in progress(texts, "count words", unit="review") for word in _words(text))
    by_rank = sorted(counts, key=lambda word: (-counts[word], word))
    return {word: number for number, word in zip(range(FIRST_WORD, words), by_rank, strict=False)}


def _encode(texts: list[str], numbers: dict[str, int], tokens: int, what: str) -> np.ndarray:
    """int32 (texts, tokens)."""
    encoded = np.zeros((len(texts), tokens), dtype=np.int32)
    for row, text in zip(encoded, progress(texts, what, unit="review"), strict=True):
        review = [START, *(numbers.get(word, UNKNOWN) for word in _words(text))][-tokens:]
        row[tokens - len(review) :] = review
    return encoded


def _labels(reviews: Reviews, split: str) -> np.ndarray:
    return np.repeat(np.arange(len(CLASSES)), [len(reviews[split, label]) for label in CLASSES]).astype(np.int64)
