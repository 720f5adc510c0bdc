"""Figures of several quantities: the early phase, batch normalization, switches of the learning rate, generalization."""

import json

import numpy as np
import pandas as pd
import pytest
import vl_convert

from breakeven.figures import early_phase
from breakeven.figures.plot import specification
from breakeven.store.tables import write_table
from tests.figures.specs import check, compiled, spec_of
from tests.figures.synthetic import CASES, make_study

FIGURES = ["early_phase", "batch_norm", "early_switch", "generalization"]
NETWORKS = {"learning_rate": [0.03, 0.3], "network": ["simple_cnn", "simple_cnn_bn"]}
SWITCH = '[{"at": 0.5, "learning_rate": 0.3, "unit": "break_even"}]'
SCHEDULES = [
    {"learning_rate": 0.03, "schedule": "[]"},
    {"learning_rate": 0.3, "schedule": "[]"},
    {"learning_rate": 0.03, "schedule": SWITCH},
]


def rows_of(view, part):
    return pd.DataFrame([row for row in view["data"]["values"] if row["part"] == part])


def views_of(spec):
    return {view.get("data", {}).get("name"): view for view in spec["concat"]}


def layer_of(view, mark, **properties):
    found = [layer for layer in view["layer"] if layer["mark"]["type"] == mark]
    return [layer for layer in found if all(layer["mark"].get(key) == value for key, value in properties.items())]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("case", ["diverged", "unconverged", "two", "names", "one_seed"])
def test_every_case_compiles(figure, case):
    check(spec_of(figure, case))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_single_snapshot_is_drawn(figure):
    trajectories, runs, study = make_study(seeds=[0])
    trajectories = trajectories[trajectories["step"] == 0]
    runs["break_even_step"] = runs["break_even_epoch"] = np.nan
    svg = vl_convert.vegalite_to_svg(compiled(figure, trajectories, runs, study))
    assert "NaN" not in svg and "Infinity" not in svg


# ------------------------------------------------------------------ early phase


def test_the_early_phase_is_twice_the_time_to_the_threshold():
    trajectories, runs, study = make_study(**CASES["diverged"], steps=1000)
    assert early_phase.end(trajectories, runs) == 2 * runs.loc[~runs["diverged"], "threshold_epoch"].max()
    runs.loc[runs["diverged"], "threshold_epoch"] = np.nan  # those don't count
    until = early_phase.end(trajectories, runs)
    spec = compiled("early_phase", trajectories, runs, study)
    views = views_of(spec)
    assert list(views) == ["lambda_K_1", "lambda_H_1", "stability_lhs", "alpha_star", "delta_loss"]
    for view in views.values():
        [line] = layer_of(view, "line")
        assert line["encoding"]["x"]["scale"]["domain"] == [0, until]
        epochs = rows_of(view, "curve")["epoch"]  # all of training, also beyond the edge
        assert epochs.max() == pytest.approx(trajectories["epoch"].max(), rel=1e-5)
    assert f"Shown are the first {until:.3g} epochs." in spec["title"]["subtitle"]
    runs.loc[0, "threshold_epoch"] = np.nan  # a run that never passes it
    assert early_phase.end(trajectories, runs) is None
    spec = compiled("early_phase", trajectories, runs, study)
    assert "domain" not in layer_of(views_of(spec)["lambda_K_1"], "line")[0]["encoding"]["x"]["scale"]
    assert "Shown is all of training." in spec["title"]["subtitle"]


def test_no_more_is_shown_than_there_is():
    trajectories, runs, study = make_study()
    runs["threshold_epoch"] = 0.8 * trajectories["epoch"].max()
    assert "Shown is all of training." in compiled("early_phase", trajectories, runs, study)["title"]["subtitle"]


def test_lines_stand_where_theory_puts_them():
    views = views_of(spec_of("early_phase"))
    limits = rows_of(views["lambda_H_1"], "level").set_index("colour")["mean"]
    assert limits.to_dict() == pytest.approx({"0.03": 2 / 0.03, "0.1": 20, "0.3": 2 / 0.3}, rel=1e-5)
    for quantity, level in (("stability_lhs", 1), ("alpha_star", 2), ("delta_loss", 0)):
        assert views[quantity]["layer"][-1]["data"]["values"] == [{"level": level}]
    spec = spec_of("early_phase", "batch_size")
    assert views_of(spec)["lambda_H_1"]["layer"][-1]["data"]["values"] == [{"level": 20}]  # one learning rate, one line
    assert (
        "Horizontal line in the panel of λ_H^1: the full-batch threshold, 2/η for plain SGD."
        in spec["title"]["subtitle"]
    )


# ------------------------------------------------------------------ batch normalization


def test_networks_share_their_panels():
    trajectories, runs, study = make_study(sweeps=NETWORKS)
    bare = (trajectories["quantity"] == "gamma_norm") & (trajectories["network"] == "simple_cnn")
    spec = compiled("batch_norm", trajectories[~bare], runs, study)
    views = views_of(spec)
    assert list(views) == ["g_over_g5", "gamma_norm", "lambda_K_1", "lambda_H_1", "trace_over_lambda_1"]
    panels = ["network = simple_cnn", "network = simple_cnn_bn"]
    legends = vl_convert.vegalite_to_vega(spec)["legends"]  # η, and the network: both select
    assert len(legends) == 2 and all(legend["encode"]["labels"]["interactive"] for legend in legends)
    for quantity, view in views.items():
        curves = rows_of(view, "curve")
        assert set(curves["panel"]) == set(panels[1:] if quantity == "gamma_norm" else panels)
        [line] = layer_of(view, "line")
        assert line["encoding"]["strokeDash"]["scale"]["domain"] == panels
        assert line["encoding"]["color"]["field"] == "colour"
        for (rate, network), rows in trajectories[trajectories["quantity"] == quantity].groupby(
            ["learning_rate", "network"]
        ):
            mean = rows.groupby("step")["value"].mean()
            drawn = curves[(curves["colour"] == str(rate)) & (curves["panel"] == f"network = {network}")]
            assert drawn.empty or np.allclose(drawn["mean"], mean, rtol=1e-5)


# ------------------------------------------------------------------ switches


def test_switches_are_marked_over_steps(tmp_path):
    trajectories, runs, study = make_study(points=SCHEDULES)
    runs["first_switch_step"] = pd.Series(np.where(runs["schedule"] == SWITCH, 40 + 10 * runs["seed"], np.nan))
    write_table(tmp_path / "trajectories.csv", trajectories)
    write_table(tmp_path / "runs.csv", runs)
    spec = specification("early_switch", tmp_path, study)
    views = views_of(spec)
    assert list(views) == ["lambda_K_1", "lambda_H_1", "test_accuracy"]
    for view in views.values():
        [rule] = rows_of(view, "rule").to_dict("records")
        assert (rule["at_step"], rule["min"], rule["max"], rule["seeds"]) == (50, 40, 60, 3)
        assert rule["colour"] == "0.03, 0.3 from 0.5 x break-even"
        [line] = layer_of(view, "line")
        assert line["encoding"]["x"]["field"] == "step"
        # with the learning rate that they begin at, schedules need no second colour or panel for it
        assert line["encoding"]["color"]["scale"]["domain"] == ["0.03", "0.3", "0.03, 0.3 from 0.5 x break-even"]
    legend = layer_of(views["lambda_K_1"], "line")[0]["encoding"]["color"]["legend"]
    assert legend["columns"] == 1  # the labels are long
    assert "break-even points of single runs" in json.dumps(spec["title"])


def test_tables_from_before_the_column_of_switches_have_no_line():
    views = views_of(compiled("early_switch", *make_study(points=SCHEDULES)))
    assert rows_of(views["lambda_K_1"], "rule").empty


# ------------------------------------------------------------------ generalization


def test_runs_are_points_and_the_subtitle_says_what_the_claim_takes():
    _, runs, _ = make_study(**CASES["diverged"])
    spec = spec_of("generalization", "diverged")
    views = views_of(spec)
    stable = runs[~runs["diverged"]].set_index("run")
    drawn = pd.DataFrame(views["max_lambda_K"]["data"]["values"]).set_index("run")
    assert set(drawn.index) == set(stable.index)
    np.testing.assert_allclose(drawn["value"], stable["max_lambda_K"][drawn.index], rtol=1e-5)
    np.testing.assert_allclose(drawn["accuracy"], stable["final_test_accuracy"][drawn.index], rtol=1e-5)
    text = " ".join(spec["title"]["subtitle"])
    assert "tested on the points of the sweep, each the mean over its seeds" in text
    assert "4 of 12 runs diverged: left out." in text


def test_without_break_even_points_there_is_no_panel_of_them():
    trajectories, runs, study = make_study(seeds=[0])
    runs["break_even_epoch"] = np.nan
    spec = compiled("generalization", trajectories, runs, study)
    assert list(views_of(spec)) == ["max_lambda_K", None]
