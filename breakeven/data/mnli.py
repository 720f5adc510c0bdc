"""MultiNLI (Williams et al. 2018): pairs of sentences; does the second follow from the first? As the word pieces of a tokenizer.

From GLUE's official archive under ``root``, downloaded where it is not there, and checksummed; or from the user's own
folder with GLUE's tables or the original files. The matched development set is the test set, since the labels of
GLUE's test set are not published.
"""

import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Annotated, Any

import numpy as np
from annotated_types import Ge

from breakeven.data.download import official
from breakeven.data.splits import Splits
from breakeven.data.subset import draw
from breakeven.specs.hub import revision_of
from breakeven.specs.source import Folder, Location
from breakeven.specs.torchvision_import import torchvision_module
from breakeven.store.errors import UserError
from breakeven.store.progress import progress

URL = "https://dl.fbaipublicfiles.com/glue/data/MNLI.zip"
ARCHIVE = "MNLI.zip"
ARCHIVE_SHA256 = "e7c1d896d26ed6caf700110645df426cc2d8ebf02a5ab743d5a5c68ac1c83633"
CLASSES = ("entailment", "neutral", "contradiction")
TABLES = ("train.tsv", "dev_matched.tsv")
ORIGINAL = ("multinli_1.0_train.jsonl", "multinli_1.0_dev_matched.jsonl")
COLUMNS = ("sentence1", "sentence2", "gold_label")
NO_LABEL = "-"  # the annotators did not agree
BATCH = 1000
LONGEST = 2**20  # characters of a line: the longest has about 3,000

Pair = tuple[str, str, int]
Rows = Callable[[Iterable[str]], Iterator[Sequence[str]]]


def load(
    seed: int,
    train_examples: int | None,
    test_examples: int | None,
    *,
    root: Annotated[
        Location,
        "Folder in which GLUE's archive MNLI.zip is looked for, and to which it is downloaded. Not part of a run's identity.",
    ] = "data",
    path: Annotated[
        Folder | None,
        "Folder with train.tsv and dev_matched.tsv of GLUE, or multinli_1.0_train.jsonl and multinli_1.0_dev_matched.jsonl, read "
        "instead of the archive. Part of a run's identity.",
    ] = None,
    tokenizer: Annotated[
        Folder,
        "Tokenizer of the pretrained network, its name on HuggingFace's hub or a local folder. Part of a run's identity.",
    ] = "bert-base-uncased",
    revision: Annotated[
        str | None,
        "Commit of the tokenizer on HuggingFace's hub, 40 hexadecimal digits; needed for all but bert-base-uncased and local "
        "folders.",
    ] = None,
    tokens: Annotated[
        int,
        Ge(5),
        "Word pieces of a pair, with those that begin and part the sentences; the longer sentence is cut where both don't fit.",
    ] = 128,
) -> Splits:
    """Turn each pair into int32 (3, ``tokens``): numbers of word pieces, which of them are there (1), and their types.

    The longer sentence is cut where both don't fit, and zeros of the mask pad what is shorter. The type is 1 for the
    second sentence, and 0 everywhere where the tokenizer has no types. Where a number of examples is given, only a
    random subset, drawn with ``seed``, is tokenised. ``tokenizer``: its name on HuggingFace's hub, or a local folder.
    """
    pieces = _tokenizer(tokenizer, revision_of(tokenizer, revision), tokens)
    train, test = _official(Path(root) / ARCHIVE) if path is None else _of_user(Path(path))
    where = path or ARCHIVE
    train = draw("mnli", train, train_examples, np.random.default_rng([seed, 0]), f"{where}, train")
    test = draw("mnli", test, test_examples, np.random.default_rng([seed, 1]), f"{where}, dev_matched")
    return Splits(
        _encode(pieces, train, tokens, "tokenise train"),
        _labels(train),
        _encode(pieces, test, tokens, "tokenise dev_matched"),
        _labels(test),
        CLASSES,
        max(pieces.get_vocab().values()) + 1,
    )


def _official(archive: Path) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Read the two tables; nothing is unpacked to disk."""
    official(
        "mnli",
        archive,
        ARCHIVE_SHA256,
        [URL],
        f"'{archive}' is not there",
        f"put the archive into '{archive.parent}', set the data set's 'root' to where it is, or its 'path' to a folder "
        f"with {' and '.join(TABLES)}",
    )
    try:
        with zipfile.ZipFile(archive) as zipped:
            train, test = (_read(zipped.open(f"MNLI/{name}"), f"{archive}/MNLI/{name}", _of_table) for name in TABLES)
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError) as error:  # RuntimeError: of an encrypted member
        raise UserError(f"mnli: '{archive}' is damaged ({error}): delete it") from error
    return train, test


def _of_user(folder: Path) -> tuple[Sequence[Pair], Sequence[Pair]]:
    layouts: tuple[tuple[tuple[str, str], Rows], ...] = ((TABLES, _of_table), (ORIGINAL, _of_json))
    for names, rows in layouts:
        files = [folder / name for name in names]
        if all(file.is_file() for file in files):
            train, test = (_read(file.open("rb"), str(file), rows) for file in files)
            return train, test
    raise UserError(
        f"mnli: '{folder}' has neither {' and '.join(TABLES)} (GLUE) nor {' and '.join(ORIGINAL)} (MultiNLI 1.0)"
    )


def _read(file: IO[bytes], name: str, rows: Rows) -> list[Pair]:
    """The pairs that have a label. A line ends with a line feed and nothing else: sentences hold other separators."""
    pairs: list[Pair] = []
    number = 1
    try:
        with TextIOWrapper(file, encoding="utf-8", newline="\n") as lines:
            for first, second, label in progress(rows(_lines(lines)), f"read {Path(name).name}", unit="pair"):
                if label not in (*CLASSES, NO_LABEL):
                    raise ValueError(f"gold_label is '{label}'; allowed: {', '.join(CLASSES)}, {NO_LABEL}")
                if label != NO_LABEL:
                    pairs.append((first, second, CLASSES.index(label)))
                number += 1
    except (OSError, ValueError, RecursionError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(
            f"mnli: '{name}' is damaged or not in the format of MultiNLI, with {', '.join(COLUMNS)}, at pair {number} "
            f"({error}): replace it"
        ) from error
    if not pairs:
        raise UserError(f"mnli: '{name}' has no pairs with a label")
    return pairs


def _lines(file: TextIOWrapper) -> Iterator[str]:
    """Its lines, never more than one of them in memory, and of that no more than it can have."""
    while line := file.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise ValueError(f"a line of more than {LONGEST} characters")
        yield line


def _of_table(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    """The columns of a table with tabs and a header. Quotes mean nothing in it: sentences begin with one and end without."""
    rows = (line.rstrip("\r\n").split("\t") for line in lines)
    header = next(rows, [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ValueError(f"no column {', '.join(missing)}")
    columns = [header.index(name) for name in COLUMNS]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} columns in place of {len(header)}")
        yield [row[column] for column in columns]


def _of_json(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    for line in lines:
        pair = json.loads(line)
        if not isinstance(pair, dict) or not all(isinstance(pair.get(name), str) for name in COLUMNS):
            raise ValueError("a text is missing")
        yield [pair[name] for name in COLUMNS]


def _labels(pairs: Sequence[Pair]) -> np.ndarray:
    return np.array([label for _, _, label in pairs], dtype=np.int64)


def _tokenizer(name: str, revision: str | None, tokens: int) -> Any:
    try:
        transformers = torchvision_module("transformers")  # which imports torchvision
    except ImportError as error:
        raise UserError("loader 'mnli' needs the package transformers: pip install 'transformers>=5'") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            name, revision=revision or "main", trust_remote_code=False
        )
    except Exception as error:  # of a damaged file, the tokenizers library raises an Exception of no other type
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"mnli: tokenizer '{name}' can't be loaded from HuggingFace's hub or a local folder: {reason}"
        ) from error
    from breakeven.data.hub import verify  # which comes with transformers

    verify(name, revision)
    if tokenizer.pad_token is None:
        raise UserError(f"mnli: tokenizer '{name}' has no token for padding; choose one that has, as BERT's")
    least = tokenizer.num_special_tokens_to_add(pair=True) + 2
    if tokens < least:
        raise UserError(f"mnli: tokens is {tokens}, but a pair has at least {least} with tokenizer '{name}'")
    return tokenizer


def _encode(tokenizer: Any, pairs: Sequence[Pair], tokens: int, what: str) -> np.ndarray:
    """int32 (pairs, 3, tokens)."""
    encoded = np.zeros((len(pairs), 3, tokens), dtype=np.int32)
    for start in progress(range(0, len(pairs), BATCH), what, unit=f"{BATCH} pairs"):
        first, second, _ = zip(*pairs[start : start + BATCH], strict=True)
        of_batch = tokenizer(
            list(first), list(second), truncation="longest_first", padding="max_length", max_length=tokens
        )
        rows = encoded[start : start + BATCH]
        rows[:, 0], rows[:, 1] = of_batch["input_ids"], of_batch["attention_mask"]
        if "token_type_ids" in of_batch:
            rows[:, 2] = of_batch["token_type_ids"]
    return encoded
