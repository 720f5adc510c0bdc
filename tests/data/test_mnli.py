"""The loader on a few pairs in GLUE's format and the original one, with a tokenizer of sixteen word pieces."""

import hashlib
import json
import shutil
import sys
import zipfile
from urllib.error import URLError

import numpy as np
import pytest

from breakeven.data import download, mnli
from breakeven.data.dataset import read_manifest
from breakeven.data.prepare import prepare
from breakeven.store.errors import UserError
from tests.networks.tiny_bert import transformers

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "##s", "sat", "dog", "ran", ".", '"', "the"]

PAIRS = {
    "train": [
        ("A cat sat.", "The dog ran", "neutral"),
        ('"A dog', "the cats", "contradiction"),  # a quote that never ends
        ("A\x85cat", "Sat\rran", "-"),
        ("A\u2028cat", "Sat\u2028ran", "entailment"),  # what Python's splitlines would break
    ],
    "dev_matched": [("the", 'a "', "-"), ("bird", "a cat sat . a dog ran", "entailment"), ("a", "a", "neutral")],
}
# [CLS] 2, [SEP] 3; of pairs that are too long for seven, the longer sentence is cut
EXPECTED = {
    "train": [
        ([2, 5, 6, 3, 13, 9, 3], [1] * 7, [0, 0, 0, 0, 1, 1, 1], 1),
        ([2, 12, 5, 3, 13, 6, 3], [1] * 7, [0, 0, 0, 0, 1, 1, 1], 2),
        ([2, 5, 6, 3, 8, 10, 3], [1] * 7, [0, 0, 0, 0, 1, 1, 1], 0),
    ],
    "dev_matched": [
        ([2, 1, 3, 5, 6, 8, 3], [1] * 7, [0, 0, 0, 1, 1, 1, 1], 0),
        ([2, 5, 3, 5, 3, 0, 0], [1, 1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0, 0], 1),
    ],
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary = {piece: number for number, piece in enumerate(VOCABULARY)}
    transformers.BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def load(tokenizer):
    def with_defaults(path=None, root="nowhere", **options):
        common = {"seed": 0, "train_examples": None, "test_examples": None, "tokens": 7, "tokenizer": tokenizer}
        return mnli.load(path=path and str(path), root=str(root), **common | options)

    return with_defaults


def table(pairs):
    header = "index\tgenre\tsentence1_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
    rows = (
        f'{n}\tfiction\t(ROOT "\t{first}\t{second}\tneutral\t{label}\n'
        for n, (first, second, label) in enumerate(pairs)
    )
    return (header + "".join(rows)).encode()


def json_lines(pairs):
    lines = (
        {"annotator_labels": [], "sentence2": second, "sentence1": first, "gold_label": label}
        for first, second, label in pairs
    )
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


@pytest.fixture
def glue(tmp_path):
    folder = tmp_path / "glue"
    folder.mkdir()
    for split, pairs in PAIRS.items():
        (folder / f"{split}.tsv").write_bytes(table(pairs))
    return folder


@pytest.fixture
def original(tmp_path):
    folder = tmp_path / "multinli_1.0"
    folder.mkdir()
    for split, pairs in PAIRS.items():
        (folder / f"multinli_1.0_{split}.jsonl").write_bytes(json_lines(pairs))
    return folder


@pytest.fixture
def archive(tmp_path, glue, monkeypatch):
    """An archive with these tables, and its checksum as if it were the official one."""
    path = tmp_path / "source" / "MNLI.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in glue.iterdir():
            zipped.write(file, f"MNLI/{file.name}")
        zipped.writestr("MNLI/dev_mismatched.tsv", "other")
    monkeypatch.setattr(mnli, "ARCHIVE_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(download, "_download", lambda *arguments: pytest.fail("a download was tried"))
    return path


def check(splits):
    assert (splits.classes, splits.words) == (("entailment", "neutral", "contradiction"), len(VOCABULARY))
    for split, inputs, labels in (
        ("train", splits.train_inputs, splits.train_labels),
        ("dev_matched", splits.test_inputs, splits.test_labels),
    ):
        assert (inputs.dtype, labels.dtype) == (np.int32, np.int64)
        assert inputs.tolist() == [[ids, mask, types] for ids, mask, types, _ in EXPECTED[split]]
        assert labels.tolist() == [label for _, _, _, label in EXPECTED[split]]


def test_glue(load, glue):
    check(load(glue))


def test_the_original_files(load, original):
    check(load(original))


def test_windows_line_ends(load, glue):
    for path in glue.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    check(load(glue))


def test_the_archive(load, archive):
    check(load(root=archive.parent))
    assert [path.name for path in archive.parent.iterdir()] == ["MNLI.zip"]  # nothing is unpacked


def test_batches(load, glue, monkeypatch):
    monkeypatch.setattr(mnli, "BATCH", 2)
    check(load(glue))


def test_it_equals_the_tokenizer_pair_by_pair(load, glue, tokenizer):
    pieces = transformers.AutoTokenizer.from_pretrained(tokenizer)
    inputs = load(glue, tokens=20).train_inputs
    for row, (first, second, _) in zip(inputs, [PAIRS["train"][number] for number in (0, 1, 3)], strict=True):
        alone = pieces(first, second)
        length = len(alone["input_ids"])
        assert row[0, :length].tolist() == alone["input_ids"]
        assert row[1].tolist() == [1] * length + [0] * (20 - length)
        assert row[2, :length].tolist() == alone["token_type_ids"]
        assert not row[:, length:].any()


def test_a_tokenizer_without_types(load, glue, tokenizer, tmp_path):
    folder = tmp_path / "untyped"
    shutil.copytree(tokenizer, folder)
    config = {"model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "PreTrainedTokenizerFast"}
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | special))
    with_types, without = load(glue), load(glue, tokenizer=str(folder))
    np.testing.assert_array_equal(without.train_inputs[:, :2], with_types.train_inputs[:, :2])
    assert not without.train_inputs[:, 2].any()


def test_subsets(load, original):
    """Drawn with the seed, and only they are tokenised."""
    many = [(word, "a", mnli.CLASSES[number % 3]) for number, word in enumerate(VOCABULARY[5:] * 3)]
    (original / "multinli_1.0_train.jsonl").write_bytes(json_lines(many))
    first, again, other = (load(original, train_examples=6, test_examples=1, seed=seed) for seed in (0, 0, 1))
    assert (first.train_inputs.shape, first.test_inputs.shape) == ((6, 3, 7), (1, 3, 7))
    np.testing.assert_array_equal(first.train_inputs, again.train_inputs)
    assert not np.array_equal(first.train_inputs, other.train_inputs)
    chosen = np.sort(np.random.default_rng([0, 0]).permutation(27)[:6])
    everything = load(original)
    np.testing.assert_array_equal(first.train_inputs, everything.train_inputs[chosen])
    np.testing.assert_array_equal(first.train_labels, everything.train_labels[chosen])


def test_a_subset_larger_than_the_data(load, glue):
    with pytest.raises(UserError, match=r"mnli: 4 examples asked for, '.*train' has 3"):
        load(glue, train_examples=4)


def test_downloaded_where_there_is_none(load, tmp_path, archive, monkeypatch):
    calls = []

    def copy(url, path, digest):
        calls.append((url, path.name, digest))
        path.parent.mkdir(parents=True)
        shutil.copy(archive, path)

    monkeypatch.setattr(download, "_download", copy)
    root = tmp_path / "new" / "data"
    check(load(root=root))
    check(load(root=root))
    assert calls == [("https://dl.fbaipublicfiles.com/glue/data/MNLI.zip", "MNLI.zip", mnli.ARCHIVE_SHA256)]


def test_without_internet(load, tmp_path, archive, monkeypatch):
    def fail(url, path, digest):
        raise URLError("no internet")

    monkeypatch.setattr(download, "_download", fail)
    with pytest.raises(UserError, match="no internet") as error:
        load(root=tmp_path / "new")
    assert str(error.value).startswith(f"mnli: '{tmp_path}/new/MNLI.zip' is not there, and the download from https://")
    assert f"put the archive into '{tmp_path}/new'" in str(error.value)


def test_a_damaged_archive_is_refused_by_name(load, archive):
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(UserError, match="damaged or half downloaded") as error:
        load(root=archive.parent)
    assert f"'{archive}'" in str(error.value)


def test_the_official_checksum():
    assert len(mnli.ARCHIVE_SHA256) == 64
    assert int(mnli.ARCHIVE_SHA256, 16)


@pytest.mark.parametrize("missing", ["train.tsv", "dev_matched.tsv"])
def test_a_missing_table(load, glue, missing):
    (glue / missing).unlink()
    with pytest.raises(
        UserError, match=rf"'{glue}' has neither train\.tsv and dev_matched\.tsv .* nor multinli_1\.0_train"
    ):
        load(glue)


HEADER = b"sentence1\tsentence2\tgold_label\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "at pair 1 .no column sentence1, sentence2, gold_label"),
        (b"index\tsentence1\tsentence2\tlabel1\n0\ta\tb\tneutral\n", "no column gold_label"),
        (HEADER + b"a\tb\tneutral\na\tb\n", "at pair 2 .2 columns in place of 3"),
        (HEADER + b"a\tb\tc\tneutral\n", "at pair 1 .4 columns in place of 3"),
        (HEADER + b"a\tb\tneutral\na\tb\thidden\n", "at pair 2 .gold_label is 'hidden'; allowed: entailment, neutral"),
        (HEADER + b"a\t\xff\tneutral\n", "can't decode"),
    ],
)
def test_a_table_that_is_damaged_or_foreign(load, glue, content, reason):
    (glue / "dev_matched.tsv").write_bytes(content)
    with pytest.raises(UserError, match=rf"dev_matched\.tsv' is damaged or not in the format of MultiNLI.*{reason}"):
        load(glue)


@pytest.mark.parametrize("content", [HEADER, HEADER + b"a\tb\t-\n"])
def test_no_pairs(load, glue, content):
    (glue / "train.tsv").write_bytes(content)
    with pytest.raises(UserError, match=r"train\.tsv' has no pairs with a label"):
        load(glue)


@pytest.mark.parametrize(
    "content",
    [
        b'{"sentence1": "a", "sentence2": "b", "gold_label"',
        b'{"sentence1": "a", "sentence2": "b"}\n',
        b'{"sentence1": "a", "sentence2": null, "gold_label": "neutral"}\n',
        b'["a", "b", "neutral"]\n',
        b"sentence1\tsentence2\n",
    ],
)
def test_json_that_is_damaged_or_foreign(load, original, content):
    (original / "multinli_1.0_train.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=r"multinli_1\.0_train\.jsonl' is damaged or not in the format"):
        load(original)


def test_a_tokenizer_that_is_not_there(load, glue, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("no/such/tokenizer", str(tmp_path / "nowhere"), str(tmp_path / "empty")):
        with pytest.raises(UserError, match=f"^mnli: tokenizer '{name}' can't be loaded") as error:
            load(glue, tokenizer=name)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"model": 3}'])
def test_a_damaged_tokenizer(load, glue, tokenizer, tmp_path, content):
    folder = tmp_path / "damaged"
    shutil.copytree(tokenizer, folder)
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match=f"^mnli: tokenizer '{folder}' can't be loaded"):
        load(glue, tokenizer=str(folder))


def test_a_tokenizer_with_code_of_its_own_is_not_run(load, glue, tokenizer, tmp_path):
    folder = tmp_path / "code"
    shutil.copytree(tokenizer, folder)
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass Own: pass\n")
    config = {"auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}, "tokenizer_class": "Own"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    try:
        load(glue, tokenizer=str(folder))
    except UserError as error:
        assert "can't be loaded" in str(error)
    assert not ran.exists()


def test_a_tokenizer_without_padding(load, glue, tokenizer, tmp_path):
    pieces = transformers.AutoTokenizer.from_pretrained(tokenizer)
    pieces.pad_token = None
    pieces.save_pretrained(tmp_path / "unpadded")
    config = json.loads((tmp_path / "unpadded/tokenizer_config.json").read_text())
    config |= {"pad_token": None, "tokenizer_class": "PreTrainedTokenizerFast"}
    (tmp_path / "unpadded/tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="has no token for padding"):
        load(glue, tokenizer=str(tmp_path / "unpadded"))


def test_too_few_tokens(load, glue):
    with pytest.raises(UserError, match="mnli: tokens is 4, but a pair has at least 5 with tokenizer"):
        load(glue, tokens=4)


def test_without_transformers(load, glue, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"^loader 'mnli' needs .*pip install 'transformers>=5'"):
        load(glue)


def test_prepared(glue, tokenizer, tmp_path):
    spec = {"loader": "mnli", "path": str(glue), "tokenizer": tokenizer, "tokens": 7, "train_examples": 2}
    prepare(spec, tmp_path / "prepared")
    manifest = read_manifest(tmp_path / "prepared")
    assert (manifest["input_shape"], manifest["classes"]) == ([3, 7, len(VOCABULARY)], list(mnli.CLASSES))
