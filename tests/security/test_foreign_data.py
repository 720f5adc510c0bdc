"""Nothing of a data set or of a pretrained network unpickles, and none of its code runs."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from breakeven.data.prepare import prepare
from breakeven.networks.build import build
from breakeven.store.errors import UserError
from tests.networks.tiny_bert import saved, transformers
from tests.security.payloads import payloads
from tests.security.refusal import refusal
from tests.tiny import tiny_spec

TEXT = ("reviews", "pickle 0")  # is ASCII alone, and so a review


@pytest.fixture
def harmful(tmp_path):
    """Files that do harm when they are unpickled; at the end none may have been."""
    marker = tmp_path / "harm was done"
    yield payloads(marker)
    assert not marker.exists()


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, format="PNG")


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def image_tree(root):
    for name in ("train/a/0.png", "train/b/1.png", "test/a/2.png"):
        picture(root / name)
    return {"path": str(root)}, "train/b/1.png"


def imagenet_tree(root):
    for name in ("train/n00000001/0.JPEG", "val/n00000001/0.JPEG"):
        picture(root / name)
    return {"path": str(root), "image_size": 4}, "val/n00000001/0.JPEG"


def imagenet_of_kaggle(root):
    for name in ("train/n00000001/0.JPEG", "val/0.JPEG"):
        picture(root / "ILSVRC/Data/CLS-LOC" / name)
    return {"path": str(root), "image_size": 4}, "LOC_val_solution.csv"


def reviews(root):
    for name in ("train/neg", "train/pos", "test/neg", "test/pos"):
        text(root / name / "1_1.txt", "good")
    return {"path": str(root)}, "train/pos/1_1.txt"


def idx(root):
    for split in ("train", "t10k"):
        for name, size in (("images-idx3", 784), ("labels-idx1", 1)):
            dimensions = (1, 28, 28) if size > 1 else (1,)
            header = bytes([0, 0, 8, len(dimensions)]) + b"".join(n.to_bytes(4, "big") for n in dimensions)
            path = root / f"{split}-{name}-ubyte"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(header + bytes(size))
    return {"path": str(root)}, "t10k-images-idx3-ubyte"


def tokenizer(folder):
    """A tokenizer of BERT's kind."""
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def glue(root):
    for name in ("train.tsv", "dev_matched.tsv"):
        text(root / name, "index\tsentence1\tsentence2\tgold_label\n0\ta\tb\tneutral\n")
    return {"path": str(root), "tokenizer": tokenizer(root / "tokenizer"), "tokens": 8}, "dev_matched.tsv"


def multinli(root):
    for name in ("train", "dev_matched"):
        pair = {"sentence1": "a", "sentence2": "b", "gold_label": "neutral"}
        text(root / f"multinli_1.0_{name}.jsonl", json.dumps(pair) + "\n")
    return {"path": str(root), "tokenizer": tokenizer(root / "tokenizer"), "tokens": 8}, "multinli_1.0_train.jsonl"


FOLDERS = {
    "pictures": ("image_folder", image_tree),
    "ImageNet": ("imagenet", imagenet_tree),
    "ImageNet's solution": ("imagenet", imagenet_of_kaggle),
    "reviews": ("imdb", reviews),
    "idx": ("fashion_mnist", idx),
    "GLUE": ("mnli", glue),
    "MultiNLI": ("mnli", multinli),
}


def test_in_a_folder_of_the_users(tmp_path, harmful):
    for layout, (loader, make) in FOLDERS.items():
        mine = tmp_path / layout
        options, name = make(mine)
        for how, content in harmful.items():
            (mine / name).write_bytes(content)
            told = refusal(
                lambda loader=loader, options=options: prepare({"loader": loader} | options, tmp_path / "to")
            )
            if (layout, how) == TEXT:
                assert told == "it is not refused"
                continue
            assert told.startswith(f"{loader}: '") and Path(name).name in told, (layout, how, told)


def test_the_python_version_of_cifar10_is_never_read(tmp_path, harmful, monkeypatch):
    """Its official batches are pickles."""
    monkeypatch.setattr("breakeven.data.download._download", no_internet)
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        path = tmp_path / "data" / "cifar-10-batches-py" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(harmful["pickle 2"])
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(harmful["pickle 2"])
    with pytest.raises(UserError, match=r"the binary version; the Python version is made of pickles\)\.$"):
        prepare({"loader": "cifar10"}, tmp_path / "prepared", {"root": str(tmp_path / "data")})


def no_internet(*arguments):
    raise OSError("no internet")


@pytest.fixture
def model(tmp_path):
    """A folder with a small pretrained BERT and its tokenizer."""
    tokenizer(tmp_path / "bert")
    saved(tmp_path / "bert")
    return tmp_path / "bert"


def build_bert(folder):
    return build(
        tiny_spec(network="bert", network_options={"model": str(folder)}),
        (3, 7, 30),
        3,
        torch.float32,
        torch.device("cpu"),
    )


def tokenise(folder, tmp_path):
    shutil.rmtree(tmp_path / "glue", ignore_errors=True)
    options, _ = glue(tmp_path / "glue")
    prepare({"loader": "mnli"} | options | {"tokenizer": str(folder)}, tmp_path / "prepared")


def test_in_the_place_of_a_pretrained_network(model, harmful, tmp_path):
    """Its weights, its configuration, its tokenizer, one after the other."""
    build_bert(model)
    tokenise(model, tmp_path)
    network, texts = f"network 'bert': model '{model}'", f"mnli: tokenizer '{model}'"
    for name, start, use in (
        ("model.safetensors", network, lambda: build_bert(model)),
        ("config.json", network, lambda: build_bert(model)),
        ("tokenizer.json", texts, lambda: tokenise(model, tmp_path)),
        ("tokenizer_config.json", texts, lambda: tokenise(model, tmp_path)),
    ):
        before = (model / name).read_bytes()
        for how, content in harmful.items():
            (model / name).write_bytes(content)
            told = refusal(use)
            assert told.startswith(f"{start} can't be loaded from"), (name, how, told)
        (model / name).write_bytes(before)


def test_weights_that_are_not_safetensors_are_not_read(model, harmful):
    (model / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "model.ckpt.index"):
        for how, content in harmful.items():
            (model / name).write_bytes(content)
            told = refusal(lambda: build_bert(model))
            assert re.match(rf"network 'bert': model '{model}' can't be loaded from .*safetensors", told), (
                name,
                how,
                told,
            )
        (model / name).unlink()


EVIL = """
import pathlib
pathlib.Path({marker!r}).touch()
from transformers import BertForSequenceClassification as Evil
"""
CONFIGS = {
    "its own network": {"auto_map": {"AutoModelForSequenceClassification": "evil.Evil", "AutoConfig": "evil.Evil"}},
    "an unknown kind with its own code": {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil"}},
    "a kernel of the hub": {"_attn_implementation": "evil/kernel", "attn_implementation": "evil/kernel"},
    "a quantisation": {"quantization_config": {"quant_method": "evil"}},
    "a name in another folder": {"_name_or_path": "../evil"},
}


MAY_BE_REFUSED = ("an unknown kind with its own code", "a quantisation")


def test_code_that_comes_with_a_network_does_not_run(model, tmp_path, harmful):
    for name in ("evil.py", "modeling_evil.py", "configuration_evil.py"):
        (model / name).write_text(EVIL.format(marker=str(tmp_path / "harm was done")), encoding="utf-8")
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    for what, changes in CONFIGS.items():
        (model / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
        try:
            network = build_bert(model)
        except UserError as error:
            assert what in MAY_BE_REFUSED and str(error).startswith("network 'bert': model '"), (what, error)
            continue
        assert type(network.transformer) is transformers.BertForSequenceClassification, what
        assert network.transformer.config._attn_implementation == "eager", what


def test_code_that_comes_with_a_tokenizer_does_not_run(model, tmp_path, harmful):
    (model / "evil.py").write_text(EVIL.format(marker=str(tmp_path / "harm was done")), encoding="utf-8")
    path = model / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    evil = {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, "tokenizer_class": "Evil"}
    path.write_text(json.dumps(config | evil), encoding="utf-8")
    refusal(lambda: tokenise(model, tmp_path))  # or not: what counts is that nothing ran


@pytest.fixture
def cached(model, tmp_path, monkeypatch):
    """The same in the cache of HuggingFace's hub, as its client lays it: files are links to blobs named by digests."""
    folder = tmp_path / "hub" / "models--some--bert"
    snapshot = folder / "snapshots" / ("1" * 40)
    for path in (folder / "blobs", folder / "refs", snapshot):
        path.mkdir(parents=True)
    (folder / "refs" / "main").write_text(snapshot.name)
    for path in model.iterdir():
        content = path.read_bytes()
        small = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
        digest = (hashlib.sha256(content) if path.suffix == ".safetensors" else small).hexdigest()
        shutil.move(path, folder / "blobs" / digest)
        (snapshot / path.name).symlink_to(folder / "blobs" / digest)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return snapshot


def test_what_comes_from_the_hub_is_known_by_its_digests(cached, tmp_path):
    build_bert("some/bert")
    tokenise("some/bert", tmp_path)

    weights, tokenizer = cached / "model.safetensors", cached / "tokenizer_config.json"
    tokenizer.resolve().write_bytes(tokenizer.read_bytes() + b"\n")
    with pytest.raises(UserError, match=f"'{tokenizer}' is damaged"):
        tokenise("some/bert", tmp_path)
    tokenizer.resolve().write_bytes(tokenizer.read_bytes()[:-1])

    raw = bytearray(weights.read_bytes())
    raw[-2] ^= 1  # a weight that nobody would miss
    weights.resolve().write_bytes(raw)
    with pytest.raises(UserError, match=f"'{weights}' is damaged .its digest is not the one by which .*: delete '"):
        build_bert("some/bert")
