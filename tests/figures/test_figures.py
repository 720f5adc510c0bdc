import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vl_convert
from scipy.stats import gmean

from breakeven.figures import break_even, common, curves, labels, theories
from breakeven.figures.registry import FIGURES
from tests.figures.specs import check, compiled, found, spec_of
from tests.figures.synthetic import CASES, make_study, with_preconditioned

ALONG_TRAINING = {
    "lambda_K": "lambda_K_1",
    "trace_over_lambda_K": "trace_over_lambda_1",
    "lambda_star_over_lambda_K": "lambda_star_over_lambda_1",
    "lambda_H": "lambda_H_1",
}


OTHERS = [figure for figure in FIGURES if figure not in ("training_curves", "lambda_H", "maxima", "break_even")]


def rows_of(spec, part):
    return pd.DataFrame([row for row in spec["data"]["values"] if row["part"] == part])


def layers_of(spec):
    return {layer["mark"]["type"]: layer for layer in spec.get("spec", spec)["layer"]}


# the figures of one quantity share their code: one of them meets all cases
@pytest.mark.parametrize(
    ("figure", "case"),
    [(figure, case) for figure in ("training_curves", "lambda_H", "maxima", "break_even") for case in CASES]
    + [(figure, case) for figure in FIGURES for case in ("learning_rate", "missing") if figure in OTHERS],
)
def test_every_figure_compiles(figure, case):
    spec = spec_of(figure, case)
    check(spec)
    if case == "missing":
        assert "no values of" in json.dumps(spec)


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_drawn(figure):
    spec = spec_of(figure, "diverged")
    check(spec)
    svg = vl_convert.vegalite_to_svg(spec)
    assert "NaN" not in svg and "Infinity" not in svg
    assert spec["title"]["text"] in svg


@pytest.mark.parametrize("figure", FIGURES)
def test_titles_fit_in_a_browser_whose_letters_are_wider(figure):
    spec = spec_of(figure)
    width = float(re.search(r'width="([\d.]+)"', vl_convert.vegalite_to_svg(spec))[1])
    assert 9.2 * len(re.sub(r"[_^]", "", spec["title"]["text"])) <= width


@pytest.mark.parametrize("figure", ["lambda_H", "break_even", "maxima"])
def test_where_there_is_no_value_the_picture_says_so(figure):
    svg = vl_convert.vegalite_to_svg(spec_of(figure, "missing"))
    assert "no values of" in svg and "NaN" not in svg and "Infinity" not in svg


@pytest.mark.parametrize("figure", FIGURES)
def test_axes_zoom_and_legends_select(figure):
    spec = spec_of(figure, "two")
    text = json.dumps(spec)
    assert '"bind": "scales"' in text and '"tooltip"' in text
    legends = [legend for legend in legends_of(vl_convert.vegalite_to_vega(spec)) if "gradient" not in legend["encode"]]
    assert legends and all(legend["encode"]["labels"]["interactive"] for legend in legends)


def legends_of(part):
    """The legends anywhere in a Vega specification."""
    if isinstance(part, dict):
        return part.get("legends", []) + [legend for item in part.values() for legend in legends_of(item)]
    return [legend for item in part for legend in legends_of(item)] if isinstance(part, list) else []


@pytest.mark.parametrize("figure", ["lambda_K", "maxima"])
def test_a_png_is_drawn(figure):
    assert vl_convert.vegalite_to_png(spec_of(figure)).startswith(b"\x89PNG")


@pytest.mark.parametrize("figure", ["training_curves", "lambda_K", "maxima"])
def test_the_same_tables_give_the_same_specification(figure):
    assert json.dumps(compiled(figure, *make_study())) == json.dumps(spec_of(figure))


def test_the_order_of_rows_in_the_tables_does_not_matter():
    trajectories, runs, study = make_study(**CASES["two"])
    shuffled = (table.sample(frac=1, random_state=0) for table in (trajectories, runs))
    assert compiled("lambda_K", *shuffled, study) == spec_of("lambda_K", "two")


@pytest.mark.parametrize(("figure", "quantity"), ALONG_TRAINING.items())
def test_curves_are_the_mean_and_range_over_seeds(figure, quantity):
    trajectories, _, _ = make_study()
    drawn = rows_of(spec_of(figure), "curve")
    rows = trajectories[trajectories["quantity"] == quantity]
    expected = rows.groupby(["learning_rate", "step"])["value"].agg(["mean", "min", "max"]).reset_index()
    drawn = drawn.assign(learning_rate=drawn["colour"].astype(float)).sort_values(["learning_rate", "step"])
    assert len(drawn) == len(expected)
    for column in ("learning_rate", "step", "mean", "min", "max"):
        np.testing.assert_allclose(drawn[column], expected[column], rtol=1e-5)
    assert (drawn["seeds"] == 3).all()


@pytest.mark.parametrize("figure", ALONG_TRAINING)
def test_axes_are_named_and_logarithmic(figure):
    line = layers_of(spec_of(figure))["line"]["encoding"]
    assert line["y"]["scale"]["type"] == "log"
    words, symbol = line["y"]["title"]
    assert " of " in words and symbol.endswith("(log scale)")
    assert line["x"]["field"] == "epoch"


def test_every_value_has_its_own_colour_in_numerical_order():
    rates = [10.0, 0.001, 0.01, 0.1, 1.0]
    spec = compiled("lambda_K", *make_study(sweeps={"learning_rate": rates}))
    assert layers_of(spec)["line"]["encoding"]["color"]["scale"]["domain"] == ["0.001", "0.01", "0.1", "1", "10"]
    group = vl_convert.vegalite_to_scenegraph(spec)
    strokes, shapes = set(), set()

    def walk(item):
        if item.get("marktype") == "line":
            strokes.update(part["stroke"] for part in item["items"])
        if item.get("marktype") == "symbol" and item.get("role") == "mark":
            shapes.update(part.get("shape", "circle") for part in item["items"])
        for part in item.get("items", []):
            walk(part)

    walk(group["scenegraph"])
    assert len(strokes) == len(shapes) == 5


def test_the_rule_stands_at_the_mean_epoch_of_the_runs_that_pass_the_threshold():
    trajectories, runs, study = make_study()
    runs.loc[0, "threshold_epoch"] = np.nan  # one seed of η = 0.03 never gets there
    spec = compiled("lambda_K", trajectories, runs, study)
    drawn = rows_of(spec, "rule").set_index("colour")
    for rate, group in runs.groupby("learning_rate"):
        assert math.isclose(drawn.loc[str(rate), "at_epoch"], group["threshold_epoch"].mean(), rel_tol=1e-5)
    assert list(drawn["seeds"]) == [2, 3, 3]
    assert layers_of(spec)["rule"]["mark"]["strokeDash"]
    assert "above 60 %" in " ".join(spec["title"]["subtitle"])


def test_a_second_hyperparameter_makes_panels_in_numerical_order():
    spec = compiled("lambda_H", *make_study(sweeps={"learning_rate": [0.1, 0.3], "batch_size": [128, 8, 32]}))
    assert spec["facet"]["sort"] == ["batch size S = 8", "batch size S = 32", "batch size S = 128"]
    assert spec["columns"] == 1
    assert set(rows_of(spec, "curve")["panel"]) == set(spec["facet"]["sort"])


def test_diverged_runs_are_counted_and_their_infinities_left_out():
    spec = spec_of("lambda_K", "diverged")
    assert "4 of 12 runs diverged: drawn as far as measured, on the axis of the others." in spec["title"]["subtitle"]
    drawn = rows_of(spec, "curve")
    assert np.isfinite(drawn[["mean", "min", "max"]]).all(axis=None)
    assert drawn[drawn["colour"] == "3"]["epoch"].max() < drawn[drawn["colour"] == "0.03"]["epoch"].max()
    low, high = layers_of(spec)["line"]["encoding"]["y"]["scale"]["domain"]
    assert low < high < 1e3 < drawn["max"].max()  # the way to infinity doesn't flatten the other curves


def test_zeros_and_negative_values_are_left_out_of_logarithmic_axes():
    trajectories, runs, study = make_study()
    first = trajectories["quantity"] == "lambda_H_1"
    trajectories.loc[first & (trajectories["step"] == 0), "value"] = 0.0
    trajectories.loc[first & (trajectories["step"] == 10), "value"] = -1.0
    drawn = rows_of(compiled("lambda_H", trajectories, runs, study), "curve")
    assert drawn["step"].min() == 20 and (drawn["min"] > 0).all()


def test_one_seed_is_said_to_be_one():
    assert spec_of("lambda_K", "one_seed")["title"]["subtitle"][1] == "One seed; not smoothed."


def test_a_missing_quantity_leaves_the_other_panels_alone():
    trajectories, runs, study = make_study()
    trajectories = trajectories[~trajectories["quantity"].str.startswith("test_")]
    svg = vl_convert.vegalite_to_svg(compiled("training_curves", trajectories, runs, study))
    assert "no values of test loss" in svg and "training loss (log scale)" in svg


def test_training_and_test_losses_share_their_axis():
    spec = spec_of("training_curves")
    train, test, *accuracies = (layers_of(view)["line"]["encoding"]["y"]["scale"] for view in spec["concat"])
    assert train == test and train["type"] == "log"
    assert [scale["domain"] for scale in accuracies] == [[0, 1], [0, 1]]


def test_maxima_draw_every_run_and_the_mean_of_those_that_finished():
    _, runs, _ = make_study(**CASES["diverged"])
    spec = spec_of("maxima", "diverged")
    means, points = (layer["data"]["values"] for layer in spec["concat"][0]["layer"])
    assert len(points) == 12 and sum(point["outcome"] == "diverged" for point in points) == 4
    stable = runs[~runs["diverged"]].groupby("learning_rate")["max_lambda_K"].agg(gmean)  # as the report has them
    assert [mean["x"] for mean in means] == list(stable.index)
    np.testing.assert_allclose([mean["value"] for mean in means], stable, rtol=1e-5)
    encoding = spec["concat"][0]["layer"][1]["encoding"]
    assert encoding["x"]["scale"]["type"] == encoding["y"]["scale"]["type"] == "log"
    assert encoding["x"]["axis"]["values"] == [0.03, 0.1, 0.3, 3.0]


@pytest.mark.parametrize(
    "values", [["none", "crop_flip"], ["[]", '[{"at": 100}]'], [True, False], ["none", "0.5"], ["a.b[0]", "</script>"]]
)
def test_values_that_are_no_numbers_are_drawn_by_name(values, tmp_path):
    trajectories, runs, study = make_study(sweeps={"augmentation": values})
    for figure in ("lambda_K", "maxima"):
        spec = compiled(figure, trajectories, runs, study)
        vl_convert.vegalite_to_svg(spec)
    assert spec["concat"][0]["layer"][0]["mark"]["type"] == "tick"
    assert spec["concat"][0]["layer"][1]["encoding"]["x"]["type"] == "nominal"


@pytest.mark.parametrize("names", [["adam", "rmsprop", "sgd"], [f"rule {number}" for number in range(9)]])
def test_panels_of_names_have_colours_far_apart_and_of_numbers_growing_ones(names):
    spec = compiled("maxima", *make_study(sweeps={"learning_rate": [0.1, 0.3], "optimizer": names}))
    scale = spec["concat"][0]["layer"][0]["encoding"]["color"]["scale"]
    assert scale["domain"] == [f"optimizer = {name}" for name in names]
    assert scale.get("range") == (common.NOMINAL[:3] if len(names) == 3 else None)
    of_numbers = spec_of("maxima", "two")["concat"][0]["layer"][0]["encoding"]["color"]["scale"]
    assert of_numbers["scheme"]["name"] == "plasma" and "range" not in of_numbers


def test_texts_of_values_are_short_and_tell_values_apart():
    assert [labels.text(value) for value in (32.0, 0.1, np.int64(8), "1e-1", True, "adam", float("nan"))] == [
        "32", "0.1", "8", "0.1", "True", "adam", "none",
    ]  # fmt: skip
    assert labels.text(0.12345678) != labels.text(0.12345679)


def test_own_functions_and_options_have_short_names_where_these_tell_them_apart():
    files = ["adam", "a/mine.py:build", "b/other.py:build", "c/other.py:build"]
    assert labels.shortened(files, "optimizer") == {"a/mine.py:build": "mine.py:build"}
    options = ['{"beta": 0.9, "name": "x"}', "{}", '{"channels": [3, 4]}', '{"a": "1"}', '{"a": 1}']
    assert labels.shortened(options, "optimizer_options") == {
        '{"beta": 0.9, "name": "x"}': "beta 0.9, name x",
        "{}": "defaults",
        '{"channels": [3, 4]}': "channels [3, 4]",
    }
    assert labels.shortened([0.1, 0.3], "learning_rate") == {}


LONG = ["a very long name of something that was swept", "another such name that is as long as the first one is"]


@pytest.mark.parametrize(
    ("figure", "height"),
    [("early_phase", 150), ("theories", 180), ("maxima", 200), ("batch_norm", 200), ("stability", 240)],
)
def test_no_picture_is_wider_than_a_page_nor_do_its_titles_meet(figure, height):
    points = [{"learning_rate": 0.1, "network": name, "network_options": name[::-1]} for name in LONG]
    trajectories, runs, study = make_study(points=points, seeds=[0])
    negative = (trajectories["quantity"] == "stability_lhs") & (trajectories["step"] == 50)
    trajectories = trajectories.assign(value=trajectories["value"].mask(negative, -0.5))
    for swept in (study.swept, study.swept[::-1]):
        spec = compiled(figure, trajectories, runs, replace(study, swept=swept))
        svg = vl_convert.vegalite_to_svg(spec)
        assert float(re.search(r'width="([\d.]+)"', svg)[1]) < 1280
        written = " ".join(re.findall(r">([^<]+)<", svg))
        assert "…" not in written
        for encoding in found(spec, "y"):
            lines = encoding.get("title") or ""
            longest = max(map(len, [lines] if isinstance(lines, str) else lines))
            assert longest * common.LETTER <= height + common.BETWEEN


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.09, 2.5, [0.1, 0.2, 0.5, 1, 2]),
        (6.1, 11.2, [7, 8, 9, 10, 11]),
        (1e-6, 1e3, [1e-6, 1e-4, 1e-2, 1, 100]),
        (65.9, 73.8, [66, 68, 70, 72]),
    ],
)
def test_ticks_of_logarithmic_axes_are_round_and_few(low, high, expected):
    assert common.ticks(low, high) == expected


@pytest.mark.parametrize("figure", ["lambda_K", "lambda_H", "stability"])
def test_the_break_even_point_of_each_run_is_marked_on_its_own_value(figure):
    """Which is that of the step itself where stage locate measured it, and else that of the first unstable snapshot."""
    trajectories, runs, study = make_study()
    runs["break_even_step"] = 17
    points = ["break_even_step", "measured_break_even_step"]
    runs.loc[0, points] = np.nan
    quantity = {"lambda_K": "lambda_K_1", "lambda_H": "lambda_H_1", "stability": "stability_lhs"}[figure]
    expected = trajectories[(trajectories["quantity"] == quantity) & (trajectories["step"] == 20)]
    if figure != "lambda_K":
        expected = expected.assign(quantity=f"located_{quantity}", step=17, value=0.9 * expected["value"])
        trajectories = pd.concat([trajectories, expected])
    spec = compiled(figure, trajectories, runs, study)
    marked = rows_of(spec, "break_even")
    assert set(marked["step"]) == {20 if figure == "lambda_K" else 17}
    expected = expected[expected["run"] != runs.loc[0, "run"]]["value"]
    assert len(marked) == 8
    np.testing.assert_allclose(sorted(marked["mean"]), sorted(expected), rtol=1e-5)
    assert curves.DIAMONDS in spec["title"]["subtitle"]
    runs[points] = np.nan
    assert "Diamonds" not in json.dumps(compiled(figure, trajectories, runs, study), ensure_ascii=False)


def test_the_largest_curvature_of_another_learning_rate_is_not_drawn_against_the_prediction():
    """A run that switches has its largest λ_H^1 at one rate, and its prediction at another."""
    trajectories, runs, study = make_study()
    table = break_even.points(trajectories, runs, study)
    assert table["is_steady"].all() and not table["max"].isna().any()
    switched = runs.loc[0, "run"]
    later = (
        (trajectories["quantity"] == "two_over_lr") & (trajectories["run"] == switched) & (trajectories["step"] > 50)
    )
    trajectories.loc[later, "value"] /= 3
    table = break_even.points(trajectories, runs, study)
    assert list(table["run"][table["max"].isna()]) == [switched] and len(table) == len(runs)
    spec = compiled("break_even", trajectories, runs, study)
    assert "No symbols where the learning rate changes" in " ".join(spec["title"]["subtitle"])


def test_what_is_located_of_adam_is_the_preconditioned_eigenvalue_and_no_lambda_h():
    """It stood as a diamond on the axis of λ_H^1, which is hundreds of times smaller."""
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1, 0.3]}, seeds=[0])
    trajectories = with_preconditioned(trajectories)
    runs["break_even_step"], runs["measured_break_even_step"] = 17, 20
    of_h = trajectories[(trajectories["quantity"] == "lambda_H_1") & (trajectories["step"] == 20)]
    located = of_h.assign(quantity="located_lambda_H_1", step=17, value=1000 * of_h["value"])
    trajectories = pd.concat([trajectories, located], ignore_index=True)
    on_h = rows_of(compiled("lambda_H", trajectories, runs, study), "break_even")
    assert set(on_h["step"]) == {20}
    np.testing.assert_allclose(sorted(on_h["mean"]), sorted(of_h["value"]), rtol=1e-5)
    on_ph = rows_of(compiled("preconditioned", trajectories, runs, study), "break_even")
    assert set(on_ph["step"]) == {17}
    np.testing.assert_allclose(sorted(on_ph["mean"]), sorted(located["value"]), rtol=1e-5)


def test_steps_at_which_h_did_not_converge_are_crossed_and_counted():
    for figure in ("lambda_H", "stability"):
        spec = spec_of(figure, "unconverged")
        crossed = rows_of(spec, "unconverged")
        assert list(crossed["step"]) == [30, 30] and set(crossed["colour"]) == {"0.03", "0.1"}
    sentence = "The eigenvalues of H did not converge at 2 measured steps of 2 runs."
    for figure in ("lambda_H", "stability", "maxima"):
        assert sentence in spec_of(figure, "unconverged")["title"]["subtitle"]
    assert "unconverged" not in {row["part"] for row in spec_of("lambda_K", "unconverged")["data"]["values"]}


def test_of_adam_what_rests_on_the_preconditioned_h_is_crossed_where_that_did_not_converge():
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1, 0.3]}, seeds=[0], unconverged=[0])
    trajectories = with_preconditioned(trajectories, unconverged=[50])
    for figure, steps in {"lambda_H": [30], "preconditioned": [50], "stability": [50]}.items():
        crossed = rows_of(compiled(figure, trajectories, runs, study), "unconverged")
        assert set(crossed["step"]) == set(steps), figure


def test_theory_and_measurement_stand_side_by_side():
    trajectories, runs, study = make_study()
    runs.loc[0, ["break_even_step", "predicted_lambda_H"]] = np.nan
    runs.loc[1, "predicted_lambda_H"] = np.nan  # where λ_H^1 is not positive
    runs.loc[2, "max_lambda_H"] = np.nan  # where one of the measured values could not be computed
    spec = compiled("break_even", trajectories, runs, study)
    _, bars, symbols = spec["layer"]
    points = pd.DataFrame(bars["data"]["values"])
    assert len(points) == 6 and bars["data"] == symbols["data"]
    measured = trajectories[trajectories["quantity"] == "lambda_H_1"].set_index(["run", "step"])["value"]
    for point in points.to_dict("records"):
        assert point["before"] == pytest.approx(measured[point["run"], 10], rel=1e-5)
        assert point["after"] == pytest.approx(measured[point["run"], 20], rel=1e-5)
        assert point["max"] == pytest.approx(runs.set_index("run")["max_lambda_H"][point["run"]], rel=1e-5)
        assert point["predicted"] == pytest.approx(0.8 * measured[point["run"], 20], rel=1e-5)
    fields = [layer["encoding"]["y"]["field"] for layer in spec["layer"]]
    assert fields == ["y", "before", "max"] and bars["encoding"]["y2"]["field"] == "after"
    told = " ".join(spec["title"]["subtitle"])
    assert "1 of 9 runs have no break-even point." in told
    assert "2 of 9 runs have one, and are not drawn: a λ_H^1 is unknown or not above 0." in told
    assert max(map(len, spec["title"]["subtitle"])) <= 62


def test_maxima_say_how_many_are_not_known():
    trajectories, runs, study = make_study()
    runs.loc[[0, 3], "max_lambda_H"] = np.nan
    runs.loc[3, "max_lambda_K"] = np.nan
    spec = compiled("maxima", trajectories, runs, study)
    assert "2 of 9 runs lack a point: not all of their values could be computed." in spec["title"]["subtitle"]
    assert "lack a point" not in str(spec_of("maxima")["title"]["subtitle"])


def test_lines_at_the_threshold_stand_along_epochs_and_along_steps():
    """In studies of batch sizes an epoch has different numbers of steps."""
    trajectories, runs, study = make_study(**CASES["batch_size"])
    drawn = rows_of(compiled("lambda_K", trajectories, runs, study), "rule").set_index("colour")
    for size, group in runs.groupby("batch_size"):
        per_epoch = math.ceil(1437 / size)
        assert drawn.loc[str(size), "at_step"] == pytest.approx(per_epoch * group["threshold_epoch"].mean(), rel=1e-4)
        assert drawn.loc[str(size), "at_epoch"] == pytest.approx(group["threshold_epoch"].mean(), rel=1e-4)


def test_the_full_batch_threshold_is_drawn_where_it_is_near_the_curves():
    trajectories, runs, study = make_study(sweeps={"learning_rate": [1e-6, 0.1, 0.3]})
    spec = compiled("lambda_H", trajectories, runs, study)
    drawn = rows_of(spec, "level").set_index("colour")["mean"]
    assert drawn.to_dict() == {"0.1": 20, "0.3": pytest.approx(2 / 0.3, rel=1e-5)}  # not that of 1e-6
    assert "Dashed lines: the full-batch threshold, 2/η for plain SGD." in spec["title"]["subtitle"]


def with_threshold(trajectories, of):
    """The trajectories with these thresholds at each step, instead of 2/η."""
    values = [of(rate, step) for rate, step in zip(trajectories["learning_rate"], trajectories["step"], strict=True)]
    return trajectories.assign(value=trajectories["value"].where(trajectories["quantity"] != "threshold", values))


@pytest.mark.parametrize("name", ["lambda_H", "early_phase"])
def test_the_threshold_is_the_optimizers_and_follows_the_learning_rate(name):
    """That of momentum 0.5 is 3/η; one that switches at step 100 is drawn along training, and the others stay horizontal."""
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1, 0.3]})
    steps = sorted(trajectories["step"].unique())

    def view(of):
        spec = compiled(name, with_threshold(trajectories, of), runs, study)
        return spec["concat"][1] if name == "early_phase" else spec

    momentum = view(lambda rate, step: 3 / rate)
    assert rows_of(momentum, "level").set_index("colour")["mean"].to_dict() == {"0.1": 30, "0.3": 10}
    assert rows_of(momentum, "threshold").empty
    switched = view(lambda rate, step: (2 if step < 100 or rate == 0.3 else 4) / rate)
    assert rows_of(switched, "level").set_index("colour")["mean"].to_dict() == {"0.3": pytest.approx(2 / 0.3, rel=1e-5)}
    along = rows_of(switched, "threshold")
    assert set(along["colour"]) == {"0.1"} and list(along["step"]) == steps
    assert list(along["mean"]) == [20 if step < 100 else 40 for step in steps]
    [line] = [layer for layer in switched["layer"] if layer["mark"].get("interpolate") == "step-after"]
    assert line["encoding"]["x"]["field"] == "epoch" and line["mark"]["strokeDash"]


def test_adams_threshold_is_of_the_preconditioned_eigenvalue_and_no_others():
    """A study of SGD at η = 0.1 and of Adam at 0.3: λ_H^1 has the line of the one, the preconditioned that of the other."""
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1, 0.3]})
    adam = trajectories["learning_rate"] == 0.3
    trajectories = pd.concat([trajectories[~adam], with_preconditioned(trajectories[adam])], ignore_index=True)
    for name, expected in {
        "lambda_H": {"0.1": 20},
        "preconditioned": {"0.3": pytest.approx(38 / 0.3, rel=1e-5)},
    }.items():
        spec = compiled(name, trajectories, runs, study)
        assert rows_of(spec, "level").set_index("colour")["mean"].to_dict() == expected, name
    assert set(rows_of(spec, "curve")["colour"]) == {"0.3"}
    view = compiled("early_phase", trajectories, runs, study)["concat"][1]
    assert 38 / 0.3 not in [layer["encoding"].get("y", {}).get("datum") for layer in view["layer"]]
    assert set(map(float, re.findall(r"12[67]\.\d+", json.dumps(view)))) == set()


def test_break_even_of_adam_is_of_the_preconditioned_eigenvalue():
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.3]})
    plain = break_even.points(trajectories, runs, study)
    adam = break_even.points(with_preconditioned(trajectories), runs, study)
    for column in ("before", "after", "max"):
        assert adam[column].to_numpy() == pytest.approx(20 * plain[column].to_numpy(), rel=1e-5), column
    told = compiled("break_even", with_preconditioned(trajectories), runs, study)["title"]["subtitle"]
    assert "Of Adam and its relatives it is the preconditioned curvature, λ_PH^1." in told
    assert len(adam) == 3 and adam["predicted"].to_numpy() == pytest.approx(plain["predicted"].to_numpy())


@pytest.mark.parametrize("name", ["stability", "early_phase"])
def test_a_negative_left_hand_side_is_drawn(name):
    """As momentum has it, where the curvature is far below its threshold: a logarithmic axis would leave it out."""
    trajectories, runs, study = make_study(seeds=[0])
    at = (trajectories["quantity"] == "stability_lhs") & (trajectories["step"] == 50)
    for lowered in (trajectories.assign(value=trajectories["value"].mask(at, -0.7)), trajectories):
        spec = compiled(name, lowered, runs, study)
        view = spec["concat"][2] if name == "early_phase" else spec
        curve, scale = rows_of(view, "curve"), view["layer"][0]["encoding"]["y"]["scale"]
        assert set(curve["step"]) == set(trajectories["step"])
        if lowered is trajectories:
            assert scale["type"] == "log" and (curve["mean"] > 0).all()
        else:
            assert scale["type"] == "symlog" and scale["domain"][0] < -0.7
            assert (curve["mean"][curve["step"] == 50] == -0.7).all()
        check(spec)
        assert "NaN" not in vl_convert.vegalite_to_svg(spec)


def test_without_a_condition_there_is_no_threshold():
    trajectories, runs, study = make_study()
    trajectories = trajectories[trajectories["quantity"] != "threshold"]
    for name in ("lambda_H", "early_phase"):
        spec = compiled(name, trajectories, runs, study)
        assert "full-batch threshold" not in " ".join(spec["title"]["subtitle"])


def test_the_early_phase_is_shown_as_long_along_steps():
    trajectories, runs, study = make_study(**CASES["batch_size"])
    until = compiled("early_phase", trajectories, runs.assign(threshold_epoch=1.0), study)["usermeta"]["until"]
    assert until["step"] == pytest.approx(until["epoch"] * math.ceil(1437 / 8), rel=1e-4)


def test_maxima_of_traces_are_drawn_where_there_are_values():
    trajectories, runs, study = make_study()
    assert len(compiled("maxima", trajectories, runs, study)["concat"]) == 4
    runs = runs.assign(max_trace_K=2.0, max_trace_H=[1.0] * 8 + [np.nan], max_trace_H_over_lambda_1=np.nan)
    spec = compiled("maxima", trajectories, runs, study)
    titles = [view["layer"][1]["encoding"]["y"]["title"] for view in spec["concat"]]
    assert titles[4:] == ["max Tr(K) (log scale)", "max Tr(H) (log scale)"]
    assert "1 of 9 runs lack a point" in " ".join(spec["title"]["subtitle"])


# ------------------------------------------------------------------ theories


def test_theories_are_drawn_over_their_thresholds():
    """λ_H^1 over the full-batch threshold and that of Eq. 1, batch sharpness over 2/η, and its plateaus with momentum."""
    trajectories, _, _ = make_study(**CASES["momentum"])
    spec = spec_of("theories", "momentum")
    check(spec)
    parts = {view["data"]["name"]: view for view in spec["concat"]}
    assert list(parts) == ["full_batch", "batch", "equation_1", "stability_lhs"]
    values = trajectories.set_index(["momentum", "batch_size", "step", "quantity", "seed"])["value"]
    for name, quantity, divisor in (
        ("full_batch", "lambda_H_1", "threshold"),
        ("batch", "batch_sharpness", "two_over_lr"),
        ("equation_1", "lambda_H_1", "break_even_curvature"),
    ):
        row = next(
            row
            for row in parts[name]["data"]["values"]
            if row["part"] == "curve" and row["step"] == 50 and row["colour"] == "8" and row["panel"].endswith("0.9")
        )
        of_step = [values[0.9, 8, 50, quantity, seed] / values[0.9, 8, 50, divisor, seed] for seed in range(3)]
        assert row["mean"] == pytest.approx(np.mean(of_step), rel=1e-4), name
    lines = {
        name: {round(row["mean"], 6) for row in parts[name]["data"]["values"] if row["part"] == "level"}
        for name in parts
    }
    assert lines == {"full_batch": set(), "batch": {0.1, 1.9}, "equation_1": set(), "stability_lhs": set()}
    assert all(at_one(view) for view in parts.values())
    said = " ".join(spec["title"]["subtitle"])
    assert "in units of 2/η: 1 without momentum; with momentum, the dashed lines." in said and "left out" not in said
    points = {
        name: {row["step"] for row in view["data"]["values"] if row["part"] == "break_even"}
        for name, view in parts.items()
    }
    assert points == {"full_batch": set(), "batch": set(), "equation_1": set(), "stability_lhs": {20}}


def at_one(view):
    """Whether there is a line at 1."""
    layers = view.get("spec", view)["layer"]
    return any(layer.get("data", {}).get("values") == [{"level": 1.0}] for layer in layers)


def test_batch_sharpness_with_momentum_alone_has_no_line_at_1():
    spec = compiled("theories", *make_study(sweeps={"momentum": [0.9]}))
    assert [at_one(view) for view in spec["concat"]] == [True, False, True, True]
    spec = spec_of("theories")
    assert all(at_one(view) for view in spec["concat"])
    assert "Target of batch sharpness, in units of 2/η: 1." in spec["title"]["subtitle"]


def test_batch_sharpness_without_a_plateau_is_left_out():
    """A study of SGD at η = 0.1 and of Adam at 0.3, whose λ_H^1 is the preconditioned one, over its own threshold."""
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1, 0.3]}, seeds=[0])
    adam = trajectories["learning_rate"] == 0.3
    both = pd.concat([trajectories[~adam], with_preconditioned(trajectories[adam])], ignore_index=True)
    both = both[~((both["learning_rate"] == 0.3) & both["quantity"].isin(theories.PLATEAUS))]
    spec = compiled("theories", both, runs, study)
    full_batch, batch, *_ = spec["concat"]
    assert set(rows_of(full_batch, "curve")["colour"]) == {"0.1", "0.3"} and set(rows_of(batch, "curve")["colour"]) == {
        "0.1"
    }
    values = trajectories[adam & (trajectories["step"] == 50)].set_index("quantity")["value"]
    drawn = rows_of(full_batch, "curve").set_index(["colour", "step"])["mean"]
    assert drawn["0.3", 50] == pytest.approx(20 * values["lambda_H_1"] / (19 * values["threshold"]), rel=1e-4)
    said = " ".join(spec["title"]["subtitle"])
    assert "left out of its panel" in said and "that of the preconditioned H, λ_PH^1" in said
    none = both[both["learning_rate"] == 0.3]
    assert "no values of a batch sharpness with a plateau" in json.dumps(compiled("theories", none, runs, study))


@pytest.mark.parametrize("factor", [1e-4, 1e-2, 1.0, 1e3])
def test_targets_are_in_view_and_what_is_not_is_told(factor):
    """Also where curves stay far away: then a part of each of them is in view, too."""
    trajectories, runs, study = make_study(sweeps={"learning_rate": [0.1], "momentum": [0.0, 0.9]})
    scaled = trajectories["quantity"].isin(["lambda_H_1", "batch_sharpness"])
    value = trajectories["value"].mask(scaled, factor * trajectories["value"])
    spec = compiled("theories", trajectories.assign(value=value), runs, study)
    views = spec["concat"][:3]
    [(low, high)] = {tuple(layers_of(view)["line"]["encoding"]["y"]["scale"]["domain"]) for view in views}
    assert low < 0.1 and high > 1.9
    values = pd.concat([rows_of(view, "curve").assign(view=index) for index, view in enumerate(views)])
    assert values.groupby(["view", "panel"])["max"].max().min() > low
    said = " ".join(spec["title"]["subtitle"])
    assert (f"below {low:.2g}" in said) == (values["min"].min() < low)
    assert (f"above {high:.2g}" in said) == (values["max"].max() > high)
