"""A study of SGD and Adam, from training to figures."""

from dataclasses import dataclass

import pandas as pd
import pytest

from breakeven.figures.plot import plot
from breakeven.specs.run import RunSpec, Segment, run_id
from breakeven.specs.study import Study
from breakeven.summary.summarise import summarise
from breakeven.training.train import train
from tests.tiny import tiny_spec
from tests.tiny_pipeline import CPU, Pipeline

SPECS = {
    "sgd": tiny_spec(learning_rate=0.2, snapshots=(Segment(4),), steps=8),
    "adam": tiny_spec(learning_rate=0.01, optimizer="adam", snapshots=(Segment(4),), steps=8),
}


@dataclass(frozen=True)
class OfOne(Pipeline):
    """The stages of one run."""

    of: RunSpec | None = None

    def spec(self, number=0):
        return self.of


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The results folder, and the study."""
    pipeline = Pipeline(tmp_path_factory.mktemp("results"))
    pipeline.prepare()
    points = {}
    for name, spec in SPECS.items():
        one = OfOne(pipeline.results, of=spec)
        train(spec, one.data, one.run(), one.state(), CPU, "code")
        for stage in (one.covariance, one.hessian, one.stability, one.assumptions, one.locate):
            stage()
        points[run_id(spec)] = {"learning_rate": spec.learning_rate, "batch_size": 8, "optimizer": name, "seed": 0}
    made = Study("optimizers", swept=("optimizer",), points=points, figures=("preconditioned",))
    summarise(pipeline.results, made, pipeline.tables("optimizers"))
    pipeline.bundle()
    return pipeline, made


def test_tables_and_figures(study):
    pipeline, made = study
    trajectories = pd.read_csv(pipeline.tables("optimizers") / "trajectories.csv")
    runs = pd.read_csv(pipeline.tables("optimizers") / "runs.csv").set_index("optimizer")
    rows = trajectories[trajectories["quantity"] == "preconditioned_lambda_H_1"]
    assert set(rows["optimizer"]) == {"adam"} and list(rows["step"]) == [0, 4, 8]
    stability = pd.read_csv(pipeline.results / "runs" / run_id(SPECS["adam"]) / "stability.csv")
    assert list(rows["value"]) == list(stability["lambda_1"])
    threshold = trajectories[trajectories["quantity"] == "threshold"].groupby("optimizer")["value"].first()
    assert threshold.to_dict() == {"adam": pytest.approx(38 / 0.01), "sgd": 10}
    # raw λ_H^1 stays beside it, and is what is largest
    raw = trajectories[(trajectories["quantity"] == "lambda_H_1") & (trajectories["optimizer"] == "adam")]
    assert runs.loc["adam", "max_lambda_H"] == raw["value"].max() < rows["value"].min()
    folder = pipeline.results / "figures" / "optimizers"
    for figure in ("preconditioned", "lambda_H", "stability", "break_even"):
        plot(figure, pipeline.tables("optimizers"), made, folder, pipeline.javascript())
        assert (folder / f"{figure}.png").stat().st_size > 10_000
