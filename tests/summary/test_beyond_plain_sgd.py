"""Runs with momentum, Nesterov's or weight decay, from training to the tables of their study: nothing of Eq. 1 is empty."""

import math
from dataclasses import dataclass, field, replace

import pytest

from breakeven.figures import lambda_H
from breakeven.specs.condition import Condition
from breakeven.spectra.equation_1 import full_batch_threshold, left_hand_side
from breakeven.store.tables import read_table
from tests.tiny import TRAIN
from tests.tiny_pipeline import STUDY, Pipeline

LEARNING_RATE = 0.2  # of the second run of the study


@dataclass(frozen=True)
class Beyond(Pipeline):
    """The tiny pipeline with these settings of the optimizer."""

    settings: dict = field(default_factory=dict)

    def spec(self, number=0):
        return replace(super().spec(number), **self.settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"weight_decay": 8.0},
        {"momentum": 0.9, "weight_decay": 0.5},
    ],
)
def test_the_break_even_point_and_its_prediction(tmp_path, settings):
    pipeline = Beyond(tmp_path, 6, settings)
    pipeline.prepare()
    for number in (0, 1):
        pipeline.train(number)
        pipeline.covariance(number)
        pipeline.hessian(number)
        pipeline.stability(number)
        pipeline.assumptions(number)
        pipeline.locate(number)
    pipeline.summarise()
    runs = read_table(pipeline.tables() / "runs.csv").set_index("learning_rate")
    trajectories = read_table(pipeline.tables() / "trajectories.csv")
    known = Condition(**settings)
    for rate in (0.02, LEARNING_RATE):
        rows = trajectories[trajectories["learning_rate"] == rate]
        along = rows.pivot(index="step", columns="quantity", values="value").dropna(subset="lambda_H_1")
        assert along[["stability_lhs", "threshold"]].notna().all(axis=None)
        assert along["threshold"].to_numpy() == pytest.approx(full_batch_threshold(rate, known))
        expected = [
            left_hand_side(rate, 8, TRAIN, row.lambda_H_1, row.curvature_variance, known) for row in along.itertuples()
        ]
        assert along["stability_lhs"].to_numpy() == pytest.approx(expected, rel=1e-12)
        unstable = along.index[along["stability_lhs"] >= 1]
        step = runs["measured_break_even_step"][rate]
        assert (math.isnan(step) and unstable.empty) or step == unstable[0]
    point = runs.loc[LEARNING_RATE]
    assert point["break_even_step"] >= 0 and point["break_even_lambda_H"] > 0
    located = read_table(pipeline.run(1) / "locate.csv").set_index("step")
    row = located.loc[point["break_even_step"]]
    at = point["predicted_lambda_H"]  # there, with s in proportion, the left-hand side is 1
    variance = row["curvature_variance"] * (at / point["break_even_lambda_H"]) ** 2
    assert left_hand_side(LEARNING_RATE, 8, TRAIN, at, variance, known) == pytest.approx(1, rel=1e-9)
    assert 0 < at <= point["break_even_lambda_H"]

    spec = lambda_H.chart(trajectories, runs.reset_index(), STUDY).to_dict()
    levels = {row["colour"]: row["mean"] for row in spec["data"]["values"] if row["part"] == "level"}
    assert levels[str(LEARNING_RATE)] == pytest.approx(full_batch_threshold(LEARNING_RATE, known), rel=1e-5)
