"""A learning rate that changes at each step, and ends at 0, from the training to the tables, claims, figures and the report."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from breakeven.specs.multipliers import Cosine, WarmUp
from tests.tiny_pipeline import RATES, Pipeline

STEPS = 16


@dataclass(frozen=True)
class Changing(Pipeline):
    """Warm-up to step 4, and a cosine to 0 at the end; mini-batches that are drawn by themselves."""

    steps: int = STEPS

    def spec(self, number=0):
        schedule = (WarmUp(until=4), Cosine())
        return replace(super().spec(number), schedule=schedule, sampling="replacement")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pipeline = Changing(tmp_path_factory.mktemp("results"))
    pipeline.prepare()
    for number in range(len(RATES)):
        for stage in (pipeline.train, pipeline.covariance, pipeline.hessian, pipeline.stability, pipeline.assumptions):
            stage(number)
        pipeline.locate(number)
    pipeline.summarise()
    pipeline.claims()
    pipeline.bundle()
    for figure in ("lambda_H", "early_phase", "training_curves", "stability"):
        pipeline.plot(figure)
    pipeline.report()
    return pipeline


def eta(first, step):
    return first * min(1, (step + 1) / 4) * (1 + np.cos(np.pi * step / STEPS)) / 2


def test_the_tables(made):
    for number, first in enumerate(RATES):
        table = pd.read_csv(made.run(number) / "stability.csv").set_index("step")
        assert list(table.index) == [0, 2, 4, 6, 8, 10, 12, 14, 16]
        expected = np.array([eta(first, step) for step in table.index])
        np.testing.assert_allclose(table["learning_rate"], expected, rtol=1e-12)
        for column in ("two_over_lr", "threshold"):
            np.testing.assert_allclose(table[column][:-1], 2 / expected[:-1], rtol=1e-12)
        last = table.loc[16]  # no step is taken
        assert (last["learning_rate"], last["delta_loss"]) == (0, 0)
        assert last[["two_over_lr", "threshold", "alpha_star"]].isna().all()
        assert last["stability_lhs"] <= 1
    rows = pd.read_csv(made.tables() / "trajectories.csv")
    rates = rows[rows["quantity"] == "step_learning_rate"].set_index(["run", "step"])["value"]
    assert rates[made.run(1).name][16] == 0 and rates[made.run(1).name][5] == pytest.approx(eta(0.2, 5), rel=1e-12)
    assert 16 not in set(rows["step"][rows["quantity"] == "threshold"])  # where there is no value, there is no row
    assert rows["value"].notna().all()
    assert set(pd.read_csv(made.tables() / "runs.csv")["sampling"]) == {"replacement"}
    claims = pd.read_csv(made.results / "tables" / "claims.csv")
    assert set(claims["where"][claims["claim"] == "break_even.point"].dropna()) <= {"independent mini-batches"}


def test_the_threshold_in_the_figure_follows_the_learning_rate(made):
    drawn = pd.read_csv(made.results / "figures" / "rates" / "lambda_H.csv")
    lines = drawn[drawn["part"] == "threshold"]
    assert len(lines) >= 8 and not len(drawn[drawn["part"] == "level"])
    for first, line in lines.groupby("learning_rate"):
        np.testing.assert_allclose(line["mean"], [2 / eta(first, step) for step in line["step"]], rtol=1e-5)
        assert line["mean"].nunique() > 5
