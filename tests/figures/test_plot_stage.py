import re

import numpy as np
import pandas as pd
import pytest

from breakeven.figures.plot import plot, specification
from breakeven.store.errors import UserError
from breakeven.store.tables import write_table
from tests.figures.synthetic import make_study

FORMATS = ("html", "svg", "png", "vl.json", "csv")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    trajectories, runs, study = make_study(sweeps={"augmentation": ["None", "</script><script>alert(1)</script>"]})
    write_table(folder / "trajectories.csv", trajectories)
    write_table(folder / "runs.csv", runs)
    return folder, study


def test_all_formats_are_written_with_the_same_bytes_each_time(tables, vega, tmp_path):
    for folder in ("first", "second"):
        plot("lambda_K", *tables, tmp_path / folder, vega)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(f"lambda_K.{end}" for end in FORMATS)
    for end in FORMATS:
        first, second = ((tmp_path / folder / f"lambda_K.{end}").read_bytes() for folder in ("first", "second"))
        assert first == second and first
    assert (tmp_path / "first/lambda_K.png").read_bytes().startswith(b"\x89PNG")


def test_the_page_needs_no_network_and_survives_hostile_values(tables, vega, tmp_path):
    plot("lambda_K", *tables, tmp_path, vega)
    page = (tmp_path / "lambda_K.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page and not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert page.count("<script") == page.count("</script>") == 2
    assert r"\u003c/script>" in page
    assert '"None"' in page  # a swept name, not a missing value


@pytest.mark.parametrize("figure", ["no_such_figure", "common", "../plot", "a.b"])
def test_an_unknown_figure_is_told_in_one_sentence(figure, tables, vega, tmp_path):
    with pytest.raises(UserError, match="there is no figure"):
        plot(figure, *tables, tmp_path, vega)
    assert not list(tmp_path.iterdir())


def test_the_table_holds_the_rows_that_are_drawn(vega, tmp_path):
    trajectories, runs, study = make_study(diverging=(8,))
    write_table(tmp_path / "trajectories.csv", trajectories)
    write_table(tmp_path / "runs.csv", runs)
    for figure in ("lambda_K", "maxima", "training_curves"):
        plot(figure, tmp_path, study, tmp_path / "out", vega)
    table = pd.read_csv(tmp_path / "out/lambda_K.csv")
    columns = ["quantity", "part", "learning_rate", "run", "seed", "step", "epoch", "mean", "min", "max", "seeds"]
    columns += ["at_epoch", "at_step"]
    assert list(table.columns) == columns
    curves = table[table["part"] == "curve"].set_index(["learning_rate", "step"]).sort_index()
    rows = trajectories[(trajectories["quantity"] == "lambda_K_1") & np.isfinite(trajectories["value"])]
    expected = rows.groupby(["learning_rate", "step"])["value"].agg(["mean", "min", "max", "count"])
    np.testing.assert_allclose(curves[["mean", "min", "max", "seeds"]], expected, rtol=1e-5)
    points = table[table["part"] == "break_even"]
    assert set(points["run"]) == set(runs["run"]) and set(points["step"]) == {20}
    values = rows[rows["step"] == 20].set_index("run")["value"]
    np.testing.assert_allclose(points["mean"], values[points["run"]], rtol=1e-5)

    maxima = pd.read_csv(tmp_path / "out/maxima.csv").set_index(["quantity", "run"])["value"]
    np.testing.assert_allclose(maxima["max_lambda_H"][runs["run"]], runs["max_lambda_H"], rtol=1e-5)
    assert set(pd.read_csv(tmp_path / "out/training_curves.csv")["quantity"]) == {
        f"{split}_{quantity}" for split in ("train", "test") for quantity in ("loss", "accuracy")
    }


@pytest.mark.parametrize("figure", ["lambda_K", "maxima", "break_even"])
def test_where_nothing_is_drawn_the_table_has_a_header(figure, vega, tmp_path):
    trajectories, runs, study = make_study(missing=True)
    write_table(tmp_path / "trajectories.csv", trajectories)
    write_table(tmp_path / "runs.csv", runs)
    plot(figure, tmp_path, study, tmp_path, vega)
    assert pd.read_csv(tmp_path / f"{figure}.csv").columns[0] == "quantity"
    assert pd.read_csv(tmp_path / f"{figure}.csv").empty


def test_values_have_the_same_short_names_in_all_tables(tmp_path):
    """Also in that of a study in which one of the runs has no trajectory."""
    names = ["a/mine.py:build", "b/other.py:build", "c/other.py:build", "adam"]
    trajectories, runs, study = make_study(sweeps={"optimizer": names}, seeds=[0])
    write_table(tmp_path / "trajectories.csv", trajectories[trajectories["optimizer"] != "c/other.py:build"])
    write_table(tmp_path / "runs.csv", runs)
    spec = specification("lambda_K", tmp_path, study)
    drawn = {row["colour"] for row in spec["data"]["values"] if row["part"] == "curve"}
    assert drawn == {"mine.py:build", "b/other.py:build", "adam"}
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == sorted([*drawn, "c/other.py:build"])
