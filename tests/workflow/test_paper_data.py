"""The laptop configs of FashionMNIST, ImageNet and MNLI, cut short, from files in the standard formats to the table of runs.

What follows does not know what was trained.
"""

import csv
import json
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.networks.tiny_bert import transformers
from tests.workflow.project import MEASURED, Project

pytestmark = pytest.mark.workflow

WORDS = ["the", "a", "man", "woman", "dog", "cat", "sleeps", "eats", "runs", "is", "not", "outside", "hungry", "and"]


def run_cut_short(
    project: Project, name: str, *edits: tuple[str, str], env: dict[str, str] | None = None
) -> pd.DataFrame:
    """Run a config of the project with these edits; returns its table of runs, one."""
    config = f"workflow/configs/{name}.yaml"
    for old, new in edits:
        project.edit(old, new, config)
    runs = f"results-{name}/tables/learning_rate/runs.csv"
    said = project.snakemake("--cores", "all", "--configfile", config, "--", runs, env=env)
    logs = "".join(path.read_text() for path in project.folder.glob(f"results-{name}/logs/**/*.log"))
    assert said.returncode == 0, said.stdout + logs
    [run] = (project.folder / f"results-{name}/runs").iterdir()
    assert {path.name for path in run.iterdir()} >= {f"{name}.csv" for name in MEASURED}
    stability = pd.read_csv(run / "stability.csv")
    assert stability["stability_lhs"].notna().all()
    return pd.read_csv(project.folder / runs)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def test_fashion_mnist(fresh):
    """Idx files, as the data set is published: ten classes of stripes at ten heights."""
    folder = fresh.folder / "mine"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for split, count in (("train", 300), ("t10k", 60)):
        labels = np.arange(count) % 10
        pictures = draws.integers(0, 100, (count, 28, 28))
        for picture, label in zip(pictures, labels, strict=True):
            picture[2 * label + 4 : 2 * label + 7] += 150
        (folder / f"{split}-images-idx3-ubyte").write_bytes(idx(pictures))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels))
    table = run_cut_short(
        fresh,
        "fashion_mnist-mlp-small",
        ("[0.01, 0.1]", "[0.1]"),
        ("root: data # `path: FOLDER` instead reads idx files of your own", "path: mine"),
        ("train_examples: 5000", "train_examples: 300"),
        ("test_examples: 1000", "test_examples: 60"),
        ("measured_fraction: 0.1", "measured_fraction: 0.5"),
        ("epochs: 5", "epochs: 12"),
        ("[{every: 25, until: 200}, {every: 50}]", "[{every: 60}]"),
    )
    assert table["final_test_accuracy"].item() > 0.5


def test_imagenet_with_densenet121(fresh):
    """JPEG files in folders of WordNet ids; DenseNet-121 itself, measured at its start and end."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 10), ("val", 4)):
        for wordnet_id, colour in (("n01440764", (200, 60, 60)), ("n02102040", (60, 60, 200))):
            folder = fresh.folder / "data/imagenet" / split / wordnet_id
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(np.array(colour) + draws.normal(0, 40, (50 + number, 60, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{wordnet_id}_{number}.JPEG")
    table = run_cut_short(
        fresh,
        "imagenet-densenet121-small",
        ("[0.01, 0.1]", "[0.1]"),
        ("image_size: 64", "image_size: 32"),
        ("train_examples: 320", "train_examples: 16"),
        ("test_examples: 64", "test_examples: 6"),
        ("measured_fraction: 0.1 # 32 images", "measured_fraction: 0.5"),
        ("    batch_size: 8\n", "    batch_size: 4\n"),
        ("steps: 20", "steps: 1"),
        ("max_matvecs: 30", "max_matvecs: 6"),
    )
    assert table["max_lambda_H"].item() > 0 and table["max_lambda_K"].item() > 0


def test_mnli_with_a_small_bert(fresh):
    """GLUE's tables, a tokenizer built on the spot, and a BERT with random weights, both in a local folder."""
    folder = fresh.folder / "bert"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
    )
    transformers.BertModel(config).save_pretrained(folder)
    mnli = fresh.folder / "mnli"
    mnli.mkdir()
    draws = np.random.default_rng(0)
    for name, count in (("train", 90), ("dev_matched", 30)):
        with (mnli / f"{name}.tsv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
            rows.writerow(["index", "sentence1", "sentence2", "gold_label"])
            for number in range(count):
                sentences = [" ".join(draws.choice(WORDS, 5)) for _ in range(2)]
                label = ("entailment", "neutral", "contradiction")[number % 3]
                rows.writerow([number, sentences[0], sentences[1] + (" not" if number % 3 == 2 else ""), label])
    table = run_cut_short(
        fresh,
        "mnli-bert-small",
        ("[0.001, 0.01]", "[0.01]"),
        ("root: data", "path: mnli"),
        ("tokenizer: bert-base-uncased", "tokenizer: bert"),
        ("tokens: 48", "tokens: 16"),
        ("train_examples: 400", "train_examples: 80"),
        ("test_examples: 100", "test_examples: 30"),
        ("measured_fraction: 0.1 # 40 pairs", "measured_fraction: 0.3"),
        ("google/bert_uncased_L-4_H-256_A-4", "bert"),
        ("steps: 30", "steps: 2"),
        env={"HF_HUB_OFFLINE": "1"},
    )
    assert table["max_lambda_H"].item() > 0
    [manifest] = (fresh.folder / "results-mnli-bert-small/data").glob("*/manifest.json")
    content = json.loads(manifest.read_text(encoding="utf-8"))
    assert (content["input_shape"], content["inputs"]) == ([3, 16, len(vocabulary)], "texts")
