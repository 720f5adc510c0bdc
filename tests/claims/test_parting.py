import numpy as np
import pandas as pd
import pytest
from simulated_studies import run, study, tables

from breakeven.claims.parting import Parting, shares_away
from breakeven.claims.study_tables import read_study
from breakeven.specs.study import Study
from breakeven.store.tables import write_table

# the means of neighbours of the smoothed curve are 1.25, 2.5, 5.5, 8, 8, 5.5, 2.5, 1.25: high on the third way to the sixth
LAMBDA_K = [1.0, 1.0, 1.0, 8.0, 8.0, 8.0, 1.0, 1.0, 1.0]
WAYS = [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 3.0]


def small(seed, before=0.1, high=0.5, after=0.2, lambda_k=LAMBDA_K, **columns):
    """A run at the smaller rate that goes away from the other by these shares of its way."""
    shares = [before] * 2 + [high] * 4 + [after] * 2
    away = np.cumsum([0.0, *(share * way for share, way in zip(shares, WAYS, strict=True))])
    curves = {"lambda_K_1": lambda_k, "moved": [None, *WAYS], "distance_to_path": away.tolist()}
    return run(seed, curves, **{"learning_rate": 0.03} | columns)


def large(seed, **columns):
    return run(seed, {"lambda_K_1": LAMBDA_K}, **{"learning_rate": 0.3} | columns)


def rows(runs, swept=("learning_rate",)):
    return list(Parting().rows(study(runs, swept)))


def test_the_share_of_the_way_that_leads_away():
    assert shares_away(study([small(0)]), "run0").tolist() == pytest.approx([0.5, 0.1, 0.2])


def test_they_part_while_it_is_high():
    [row] = rows([each for seed in range(8) for each in (small(seed, before=0.01 * seed), large(seed))])
    assert row.quantity == "share of the way away from η = 0.3, at η = 0.03"
    assert row.effect == pytest.approx(0.3) and row.seeds == 8
    assert row.our_value == "0.5 (while λ_K^1 is high), 0.035 (before), 0.2 (after)"
    assert row.sample.direction == 1 and row.sample.p_value < 0.05 and row.note == ""


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.9), (0.9, 0.1)])
def test_a_share_that_only_rises_or_only_falls_says_nothing(before, after):
    [row] = rows([each for seed in range(8) for each in (small(seed, before, 0.5, after), large(seed))])
    assert row.effect == 0 and row.sample.p_value == 1


@pytest.mark.parametrize("lambda_k", [sorted(LAMBDA_K), sorted(LAMBDA_K, reverse=True), [*LAMBDA_K[:-1], None]])
def test_seeds_without_a_part_are_left_out(lambda_k):
    runs = [each for seed in range(3) for each in (small(seed), large(seed))]
    [row] = rows([*runs, small(3, lambda_k=lambda_k), large(3)])
    assert row.seeds == 3
    assert row.note == "left out, λ_K^1 does not rise above, and fall below, half of its largest value: seed 3"


def test_a_row_for_each_smaller_rate_at_each_combination():
    runs = [
        each(seed, learning_rate=rate, batch_size=size)
        for seed in range(3)
        for size in (8, 32)
        for each, rate in ((small, 0.03), (small, 0.1), (large, 0.3))
    ]
    names = [row.quantity.partition(", at ")[2] for row in rows(runs, ("batch_size", "learning_rate"))]
    assert names == [f"η = {rate}; S = {size}" for size in (8, 32) for rate in (0.03, 0.1)]


def test_a_study_without_predictions_has_no_row():
    assert rows([large(0), large(0, learning_rate=0.03)]) == []


def test_the_distances_are_read_of_the_table_of_the_predictions(tmp_path):
    folder = tmp_path / "main"
    runs, trajectories = tables([small(seed) for seed in range(2)])
    of_predictions = trajectories["quantity"].isin(["moved", "distance_to_path"])
    embedding = (
        trajectories[of_predictions].pivot(index=["run", "step"], columns="quantity", values="value").reset_index()
    )
    write_table(folder / "runs.csv", runs)
    write_table(folder / "trajectories.csv", trajectories[~of_predictions])
    write_table(folder / "embedding.csv", embedding)
    read = read_study(tmp_path, Study("main", swept=("learning_rate",), predictions=True))
    assert shares_away(read, "run1").tolist() == pytest.approx([0.5, 0.1, 0.2])
    without = read_study(tmp_path, Study("main", swept=("learning_rate",)))
    assert {quantity for quantity, _ in without.curves} == {"lambda_K_1"}
    assert pd.isna(read.curves["moved", "run0"]["epoch"]).all()
