import math

import pandas as pd
import pytest
from simulated_studies import run, study, tables

from breakeven.claims import study_tables
from breakeven.specs.measurements import QUANTITIES
from breakeven.specs.run import Switch
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.tables import write_table
from breakeven.summary import summarise as module
from breakeven.summary.summarise import summarise
from tests.summary.test_summarise import points_of, write_run


@pytest.fixture(autouse=True)
def folders_are_called_as_their_runs(monkeypatch):
    monkeypatch.setattr(module, "run_in", lambda folder: folder.name)


def summarised(results, points, out):
    summarise(results, Study(points=points), out)


CURVE = [1.0, 4.0, 1.0, 3.0, 3.5, 3.0]  # moving averages: 2, 8/3, 2.5, 19/6 at the steps 10, 20, 30, 40


def test_largest_values_raw_and_smoothed():
    one = study([run(0, {"lambda_K_1": CURVE})])
    assert study_tables.maxima(one, "lambda_K_1", smoothed=False)["run0"] == 4
    assert study_tables.maxima(one, "lambda_K_1", smoothed=True)["run0"] == pytest.approx(9.5 / 3)
    assert study_tables.peak_epochs(one, "lambda_K_1", smoothed=False)["run0"] == 1
    assert study_tables.peak_epochs(one, "lambda_K_1", smoothed=True)["run0"] == 4
    smooth = study_tables.curve(one, "run0", "lambda_K_1", smoothed=True)
    assert list(smooth["step"]) == [10, 20, 30, 40]
    assert list(smooth["value"]) == pytest.approx([2, 8 / 3, 2.5, 9.5 / 3])


def test_no_number_where_there_is_none():
    runs = study([run(0), run(1, {"lambda_K_1": [1.0, 2.0]}), run(2, {"lambda_K_1": [math.inf] * 4})])
    raw, smoothed = (study_tables.maxima(runs, "lambda_K_1", smoothed) for smoothed in (False, True))
    assert list(raw.isna()) == [True, False, True]
    assert list(smoothed.isna()) == [True, True, True]  # three steps make an average
    assert study_tables.peak_epochs(runs, "lambda_K_1", smoothed=False).isna()["run0"]
    assert study_tables.column(runs, "threshold_epoch").isna().all()
    assert study_tables.column(runs, "no such column").isna().all()
    assert list(study_tables.logarithms(pd.Series([1.0, 0.0, -1.0])).isna()) == [False, True, True]


def test_a_maximum_that_may_be_the_value_that_is_missing_is_no_number(tmp_path):
    """Beside a run that has all of its values. What K = 0 has no ratio of is not missing."""
    nan = math.nan
    write_run(tmp_path, "whole")
    covariance = {0: (nan, nan, nan), 10: (4.0, 1.0, 6.0), 20: (2.0, 1.5, 5.0), 30: (2.0, 1.0, 3.0)}
    write_run(
        tmp_path, "gap", covariance, {step: (nan, nan, nan) if step == 0 else (8.0, 2.0, 9.0) for step in covariance}
    )
    write_run(tmp_path, "zero", covariance | {0: (0.0, 0.0, 0.0)}, dict.fromkeys(covariance, (8.0, 2.0, 9.0)))
    summarised(tmp_path, points_of(*((run, 0.1, 32, 3) for run in ("whole", "gap", "zero"))), tmp_path / "t/main")
    read = study_tables.read_study(tmp_path / "t", Study("main"))
    for quantity in study_tables.EMPTY_WITH:
        for smoothed in (False, True):
            largest = study_tables.maxima(read, quantity, smoothed)
            peaks = study_tables.peak_epochs(read, quantity, smoothed)
            assert list(largest.isna()) == list(peaks.isna()) == [name == "gap" for name in largest.index], quantity
    assert study_tables.maxima(read, "trace_over_lambda_1", smoothed=False)["zero"] == 2.5


OF_K_ALONE = [each for each in QUANTITIES if each.name in study_tables.EMPTY_WITH and "over" in each.column]


@pytest.mark.parametrize("quantity", OF_K_ALONE, ids=lambda each: each.name)
def test_a_ratio_that_alone_is_missing_at_a_step_has_no_maximum(tmp_path, quantity):
    """λ_K^1 is there at every step: ‖g‖/‖g_5‖ is infinite where a gradient has no part along the top eigenvectors."""
    for name in ("whole", "gap"):
        write_run(tmp_path, name)
    path = tmp_path / "runs/gap" / f"{quantity.table}.csv"
    table = pd.read_csv(path)
    table.loc[1, quantity.column] = math.nan
    table.to_csv(path, index=False)
    summarised(tmp_path, points_of(("whole", 0.1, 32, 3), ("gap", 0.1, 32, 4)), tmp_path / "t/main")
    read = study_tables.read_study(tmp_path / "t", Study("main"))
    for of_runs in (study_tables.maxima, study_tables.peak_epochs):
        assert of_runs(read, quantity.name, smoothed=False).isna().to_dict() == {"whole": False, "gap": True}


def test_only_early_steps_are_correlated():
    curves = {"lambda_K_1": [1, 2, 3, 5, 4, 0, 0.5], "lambda_H_1": [1, 2, 3, 4, 5, 9, 8]}
    runs = study([run(0, curves, break_even_epoch=4.0), run(1, curves), run(2, curves, break_even_epoch=2.0)])
    z = study_tables.early_spearman_z(runs, "lambda_K_1", "lambda_H_1", "break_even_epoch")
    assert z["run0"] == pytest.approx(math.atanh(1 - 6 * 2 / 120))  # of the steps 0 to 40, with one swap
    assert math.isnan(z["run1"])  # no break-even point
    assert math.isnan(z["run2"])  # three steps are too few


def test_the_tables_of_the_pipeline(tmp_path):
    write_run(tmp_path, "a")
    write_run(tmp_path, "b", diverged_step=20)
    points = points_of(("a", 0.1, 32, 3), ("b", 0.2, 32, 3))
    summarised(tmp_path, points, tmp_path / "tables/main")
    read = study_tables.read_study(tmp_path / "tables", Study("main", swept=("learning_rate",)))
    for column, quantity in {
        "max_lambda_K": "lambda_K_1",
        "max_lambda_H": "lambda_H_1",
        "max_trace_K": "trace_K",
        "max_trace_H": "trace_H",
        "max_lambda_star_over_lambda_1": "lambda_star_over_lambda_1",
        "max_trace_over_lambda_1": "trace_over_lambda_1",
    }.items():
        assert list(study_tables.maxima(read, quantity, smoothed=False)) == list(study_tables.column(read, column))
    assert list(read.runs["diverged"]) == [False, True]
    assert study_tables.peak_epochs(read, "lambda_K_1", smoothed=False)["a"] == 10 / 8
    assert study_tables.number(read, "a", "break_even_epoch") == 1.25


@pytest.mark.parametrize("damage", ["missing", "empty", "another"])
def test_a_damaged_table_is_told(tmp_path, damage):
    folder = tmp_path / "tables/main"
    write_run(tmp_path, "a")
    summarised(tmp_path, points_of(("a", 0.1, 32, 3)), folder)
    path = folder / "trajectories.csv"
    path.unlink()
    if damage != "missing":
        path.write_text({"empty": "", "another": "a,b\n1,2\n"}[damage])
    with pytest.raises(UserError, match=r"trajectories\.csv"):
        study_tables.read_study(tmp_path / "tables", Study("main", swept=("learning_rate",)))


def written(tmp_path, schedules):
    """Two runs whose schedules are this text."""
    (tmp_path / "main").mkdir()
    runs = [run(seed, {"lambda_K_1": CURVE}, schedule=text) for seed, text in enumerate(schedules)]
    for name, table in zip(("runs", "trajectories"), tables(runs), strict=True):
        write_table(tmp_path / "main" / f"{name}.csv", table)
    return Study("main", swept=("schedule",))


def test_schedules_are_read_as_numbers_and_told_in_words(tmp_path):
    described = written(tmp_path, ["[]", '[{"at": 0.5, "learning_rate": 0.3, "unit": "break_even"}]'])
    runs = study_tables.read_study(tmp_path, described).runs
    assert list(runs["schedule"]) == ["0.1", "0.1, 0.3 from 0.5 x break-even"]
    assert list(runs["entries"]) == [(), (Switch(0.5, 0.3, "break_even"),)]


@pytest.mark.parametrize("text", ["0.1, 0.3 from step 20", '{"at": 1}', "[1]", '[{"at": 1}]', "3", None])
def test_a_schedule_that_is_none_is_told(tmp_path, text):
    described = written(tmp_path, ["[]", text])
    with pytest.raises(UserError, match=r"'main/runs\.csv' has a schedule that can't be read"):
        study_tables.read_study(tmp_path, described)
