"""Figure 1: trajectories in the space of predictions."""

import json

import numpy as np
import pandas as pd
import pytest
import vl_convert

from breakeven.figures.plot import plot
from breakeven.figures.trajectories_umap import chart
from breakeven.store.errors import UserError
from breakeven.store.tables import write_table
from tests.figures.synthetic import CASES, make_embedding, make_study


def drawn(trajectories, runs, study, embedding):
    """The data of the three panels, or None where one has nothing to draw, and the subtitle."""
    spec = chart(trajectories, runs, study, embedding).to_dict()
    svg = vl_convert.vegalite_to_svg(spec)
    assert "NaN" not in svg and "Infinity" not in svg
    json.dumps(spec, allow_nan=False)

    def data(view):
        layer = view.get("data") or view["layer"][0]["data"]
        return pd.DataFrame(layer["values"]) if "name" in layer else None

    return [data(view) for view in spec["concat"]], spec["title"]["subtitle"], spec


def test_the_maps_show_one_seed_and_the_distances_all():
    trajectories, runs, study = make_study()
    embedding = make_embedding(trajectories, runs)
    (first, second, distances), subtitle, spec = drawn(trajectories, runs, study, embedding)
    pd.testing.assert_frame_equal(first, second)
    assert set(first["seed"]) == {0} and set(first["colour"]) == {"0.03", "0.1", "0.3"}
    expected = embedding[embedding["seed"] == 0].set_index(["run", "step"]).sort_index()
    found = first.set_index(["run", "step"]).sort_index()
    np.testing.assert_allclose(found[["x", "y"]], expected[["x", "y"]], rtol=1e-5)
    for name, quantity in (("lambda_K", "lambda_K_1"), ("accuracy", "train_accuracy")):
        values = trajectories[trajectories["quantity"] == quantity].set_index(["run", "step"])["value"]
        np.testing.assert_allclose(found[name], values[found.index], rtol=1e-5)
    assert set(first.loc[first["break_even"], "step"]) == {20} and first["break_even"].sum() == 3
    assert set(distances["seed"]) == {0, 1, 2} and set(distances["colour"]) == {"0.03", "0.1"}
    np.testing.assert_allclose(distances["distance"], distances["step"] / 1000, rtol=1e-5)
    assert "The maps show seed 0, the distances all 3 seeds." in subtitle
    fields = [view["layer"][1]["encoding"]["color"]["field"] for view in spec["concat"][:2]]
    assert fields == ["lambda_K", "accuracy"]
    assert spec["concat"][0]["layer"][1]["encoding"]["color"]["scale"]["type"] == "log"


@pytest.mark.parametrize("case", ["two", "one_seed", "no_sweep", "diverged", "missing", "names"])
def test_every_case_is_drawn(case):
    trajectories, runs, study = make_study(**CASES[case])
    drawn(trajectories, runs, study, make_embedding(trajectories, runs))


def test_too_few_snapshots_are_said_to_be_too_few():
    trajectories, runs, study = make_study(seeds=[0])
    embedding = make_embedding(trajectories, runs)
    embedding = embedding[embedding["step"] == 0].assign(x=np.nan, y=np.nan)
    runs["measured_break_even_step"] = np.nan
    (first, second, distances), subtitle, _ = drawn(trajectories, runs, study, embedding)
    assert first is None and second is None and len(distances) == 2
    assert not any("seed" in line or "diamonds" in line for line in subtitle)


def test_the_table_of_the_embedding_must_be_there(vega, tmp_path):
    trajectories, runs, study = make_study(seeds=[0])
    write_table(tmp_path / "trajectories.csv", trajectories)
    write_table(tmp_path / "runs.csv", runs)
    with pytest.raises(UserError, match="trajectories_umap' needs the table that stage embed writes"):
        plot("trajectories_umap", tmp_path, study, tmp_path / "out", vega)
    write_table(tmp_path / "embedding.csv", make_embedding(trajectories, runs))
    plot("trajectories_umap", tmp_path, study, tmp_path / "out", vega)
    table = pd.read_csv(tmp_path / "out/trajectories_umap.csv")
    assert table.groupby("quantity").size().to_dict() == {"embedding": 57, "distance": 38}
