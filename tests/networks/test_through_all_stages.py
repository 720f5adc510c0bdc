"""The networks that read words: trained with dropout, then measured by every stage."""

import numpy as np
import pandas as pd
import pytest
import torch

from breakeven.data.prepare import write
from breakeven.data.splits import Splits
from breakeven.measurements.covariance import measure_covariance
from breakeven.measurements.hessian import measure_hessian
from breakeven.measurements.stability import measure_stability
from breakeven.training.train import train
from tests.networks.tiny_bert import pieces, saved
from tests.tiny import CLASSES, DATASET, tiny_spec

CPU, WORDS, TOKENS, EXAMPLES = torch.device("cpu"), 30, 7, 28


def splits(network):
    labels = np.arange(EXAMPLES) % CLASSES
    texts = pieces(EXAMPLES, TOKENS, WORDS).numpy().astype(np.int32)
    inputs = texts if network == "bert" else texts[:, 0]
    return Splits(inputs, labels, inputs[:6], labels[:6], tuple("abc"), WORDS)


@pytest.mark.parametrize("network", ["bert", "lstm"])
def test_trained_and_measured(network, tmp_path):
    options = {"dropout": 0.1}
    if network == "bert":
        options["model"] = saved(tmp_path / "model")
    if network == "lstm":
        options |= {"embedding": 5, "hidden": 4}
    data, run = tmp_path / "data", tmp_path / "run"
    write(splits(network), DATASET, data, 0.3, seed=0, train_examples=None, test_examples=None)
    train(tiny_spec(network=network, network_options=options, steps=2), data, run, tmp_path / "state", CPU, "")
    for size in (4, 1):
        measure_covariance(
            run, data, run / f"covariance{size}.csv", CPU, 2000, batch_size=size, batches=None, precision="float64"
        )
    search = {"eigenvalues": 1, "tolerance": 1e-4, "max_matvecs": 100, "trace_probes": 1}
    measure_hessian(run, data, run / "hessian.csv", CPU, 2000, **search, batch_size=4, precision="float64")
    measure_stability(run, data, run / "stability.csv", CPU, batch_size=4, precision="float64")
    for name in ("covariance4", "covariance1", "hessian", "stability"):
        table = pd.read_csv(run / f"{name}.csv")
        assert table["step"].tolist() == [0, 2]
        assert (table["lambda_1"] > 0).all()
    assert table["stability_lhs"].notna().all()
