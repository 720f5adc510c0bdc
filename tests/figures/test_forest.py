"""The forest plot draws each effect at its place, with its interval."""

import math

import pandas as pd
import pytest
import vl_convert

from breakeven.figures.forest import FIELDS, forest


def rows(**columns):
    table = {
        "name": ["λ_K^1 is smaller", "not clear", "equal"],
        "study": ["main"] * 3,
        "verdict": ["supported", "inconclusive", "contradicted"],
        "effect": [0.2, 1.1, 4.0],
        "low": [0.1, math.nan, 3.0],
        "high": [0.3, math.nan, 5.0],
        "equal_low": [None, None, 1 / 1.5],
        "equal_high": [None, None, 1.5],
        "finding": ["a", "b", "c"],
        "p": ["0.01", "", "< 0.001"],
        "seeds": [8, 8, 8],
    }
    return pd.DataFrame(table | columns)


def test_every_effect_and_interval_is_drawn():
    spec = forest(rows(), "ratio", 1, log=True)
    drawn = pd.DataFrame(spec["layer"][0]["data"]["values"])
    assert list(drawn.columns) == FIELDS and list(drawn["effect"]) == [0.2, 1.1, 4.0]
    layers = {layer["mark"]["type"]: layer for layer in spec["layer"]}
    assert layers["point"]["encoding"]["x"]["scale"]["type"] == "log"
    low, high = layers["point"]["encoding"]["x"]["scale"]["domain"]
    assert low < 0.1 and high > 5
    assert layers["point"]["encoding"]["color"]["scale"]["domain"] == ["supported", "contradicted", "inconclusive"]
    svg = vl_convert.vegalite_to_svg(spec)
    assert svg.count("λ_K^1 is smaller") >= 1 and "not clear" in svg


@pytest.mark.parametrize("effect", [[0.0, 1.0, math.inf], [math.nan, 2.0, 1.0]])
def test_what_no_axis_can_show_is_left_out(effect):
    vl_convert.vegalite_to_svg(forest(rows(effect=effect), "ratio", 1, log=True))


def test_a_linear_axis_spans_all_effects_or_what_is_said():
    for domain, expected in (
        (None, lambda low, high: low < 0 and high > 5),
        ([-1, 1], lambda low, high: (low, high) == (-1, 1)),
    ):
        spec = forest(rows(), "slope", 0, log=False, domain=domain)
        assert expected(*spec["layer"][-2]["encoding"]["x"]["scale"]["domain"])
