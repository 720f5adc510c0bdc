"""A validation split through all stages, against losses and accuracies that are computed by hand from the snapshots."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from breakeven.data.dataset import load
from breakeven.data.prepare import write
from breakeven.networks.build import build
from breakeven.specs.run import run_id
from breakeven.store.training_record import read_training
from tests.tiny import DATASET, tiny_splits
from tests.tiny_pipeline import RATES, Pipeline

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Validated(Pipeline):
    """A third of the training set is held out."""

    def prepare(self):
        write(tiny_splits(), DATASET, self.data, 0.3, 0, None, None, validation_fraction=1 / 3)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    found = []
    for kind in (Pipeline, Validated):
        made = kind(tmp_path_factory.mktemp("results"))
        made.everything()
        made.plot("training_curves")
        found.append(made)
    return found


def by_hand(pipeline, number, entry):
    dataset = load(pipeline.data, CPU)
    mean, std = (each[:, None, None] for each in (dataset.mean, dataset.std))
    model = build(pipeline.spec(number), dataset.input_shape, dataset.classes, torch.float64, CPU).eval()
    weights = load_file(pipeline.run(number) / "snapshots" / entry.file)
    model.load_state_dict(
        {name.removeprefix("now/"): each for name, each in weights.items() if name.startswith("now/")}
    )
    with torch.no_grad():
        outputs = model((dataset.validation_inputs.double() - mean) / std)
    labels = dataset.validation_labels
    return cross_entropy(outputs, labels).item(), (outputs.argmax(dim=1) == labels).double().mean().item()


def test_it_is_reported_beside_train_and_test(both):
    _, validated = both
    runs = pd.read_csv(validated.tables() / "runs.csv").set_index("run")
    trajectories = pd.read_csv(validated.tables() / "trajectories.csv").set_index(["run", "quantity", "step"])["value"]
    for number in range(len(RATES)):
        run = run_id(validated.spec(number))
        record = read_training(validated.run(number))
        assert record.train_examples == 43 - 14
        history = pd.read_csv(validated.run(number) / "history.csv")
        steps = history["step"].unique()
        assert history["split"].tolist() == ["train", "test", "validation"] * len(steps)
        found = history[history["split"] == "validation"].set_index("step")
        for entry in record.snapshots:
            loss, accuracy = by_hand(validated, number, entry)
            np.testing.assert_allclose(found.loc[entry.step, ["loss", "accuracy"]], [loss, accuracy], rtol=1e-5)
            assert trajectories[run, "validation_loss", entry.step] == found["loss"][entry.step]
            assert trajectories[run, "validation_accuracy", entry.step] == found["accuracy"][entry.step]
        assert runs["final_validation_accuracy"][run] == found["accuracy"].iloc[-1]
    assert runs["remarks"].isna().all() or not runs["remarks"].str.contains("validation").any()


def test_it_is_drawn(both):
    drawn = pd.read_csv(both[1].results / "figures/rates/training_curves.csv")
    splits = ("train", "test", "validation")
    assert set(drawn["quantity"]) == {f"{split}_{what}" for split in splits for what in ("loss", "accuracy")}


def test_without_one_nothing_says_so(both):
    plain = both[0]
    assert "final_validation_accuracy" not in pd.read_csv(plain.tables() / "runs.csv")
    for text in [plain.tables() / "runs.csv", plain.tables() / "trajectories.csv", *plain.results.glob("runs/*/*.csv")]:
        assert "validation" not in text.read_text()
    assert "validation" not in (plain.results / "figures/rates/training_curves.csv").read_text()
