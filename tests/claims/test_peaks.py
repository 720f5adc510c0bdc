"""Where runs begin with their largest value, what comes after it is compared, and the row says so."""

import math

import numpy as np
import pytest
from simulated_studies import run, study

from breakeven.claims.peaks import largest_after_the_fall, peaks
from breakeven.claims.ratios import Peak
from breakeven.claims.trends import Trend

FALLS = Trend("lambda_K_1", "learning_rate", -1)
ENDS = {0.03: 13.0, 0.3: 4.0}


def falling(start=79.7, seeds=8, **others):
    """Runs that fall from the same start to levels of their own."""
    return [
        run(seed, {"lambda_K_1": [start, 40, 20, ends + seed / 100, ends, ends]}, learning_rate=eta, **others)
        for seed in range(seeds)
        for eta, ends in ENDS.items()
    ]


def test_what_comes_after_the_start_is_compared_where_all_runs_are_largest_there():
    smoothed, raw = FALLS.rows(study(falling()))
    for row in (smoothed, raw):
        assert row.quantity.startswith("λ_K^1 after its fall from the start")
        assert row.effect == pytest.approx(4 / 13, rel=0.02) and row.sample.direction == -1
        assert "all runs are largest at their first measured step" in row.note
        assert (row.figure, "after its fall" in row.restriction) == ("lambda_K", True)


def test_one_run_that_peaks_later_leaves_the_maxima_and_is_told_of():
    runs = falling()
    runs[0]["curves"]["lambda_K_1"][3] = 100.0
    _, raw = FALLS.rows(study(runs))
    assert raw.quantity == "max λ_K^1" and raw.effect == 1 and raw.figure is None
    assert "15 of 16 runs are largest at their first measured step" in raw.note


def test_equal_numbers_point_nowhere():
    """A line that is fitted to equal numbers has a slope of some 1e-16."""
    equal = [
        run(seed, {"lambda_K_1": [79.7, 100, 5]}, learning_rate=eta) for seed in range(8) for eta in (0.03, 0.1, 0.3)
    ]
    _, raw = FALLS.rows(study(equal))
    assert (raw.effect, raw.sample.direction, raw.sample.p_value) == (1, 0, 1)


def test_a_diverged_run_does_not_decide_what_is_compared():
    runs = falling()
    runs[0]["curves"]["lambda_K_1"][-1], runs[0]["diverged"] = 1e12, True
    runs.append(run(0, {"lambda_K_1": [79.7, 8.0, 8.0, 8.0]}, learning_rate=1.0))
    tables = study(runs)
    assert peaks(tables, tables.runs, "lambda_K_1", smoothed=False).restriction


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9.0, 5, 3, 2], 2),  # it only falls: the last
        ([9.0, 5, 5.5, 3, 2], 2),  # noise is no rise
        ([9.0, 5, 2, 4, 6, 1], 6),  # a bump, below where it began
        ([9.0, 5, 2, 2.9, 1.9], 1.9),  # not by half
        ([9.0, -1, -2, 3, 1], 3),
        ([7.0], 7),
    ],
)
def test_the_largest_value_after_the_fall(values, expected):
    assert largest_after_the_fall(np.array(values)) == expected


def test_nothing_after_the_start_is_no_number():
    tables = study([run(0, {"lambda_K_1": [3.0, 2.0, 1.0]})])
    assert math.isnan(peaks(tables, tables.runs, "lambda_K_1", smoothed=True).values.iloc[0])
    assert peaks(tables, tables.runs, "lambda_K_1", smoothed=False).values.iloc[0] == 0


def test_a_fall_has_no_peak():
    for row in Peak("lambda_K_1").rows(study(falling(threshold_epoch=3.0))):
        assert row.sample is None and "largest at the start" in row.note
