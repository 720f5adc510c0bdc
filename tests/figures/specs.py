"""Specifications of figures, each compiled once a session: that takes seconds."""

import json
import math
from functools import cache
from importlib import import_module

from breakeven.figures.registry import NEEDS_EMBEDDING
from tests.figures.synthetic import CASES, make_embedding, make_study, with_preconditioned


def compiled(figure, trajectories, runs, study):
    """The specification of a figure of these tables."""
    more = [make_embedding(trajectories, runs)] if figure in NEEDS_EMBEDDING else []
    return import_module(f"breakeven.figures.{figure}").chart(trajectories, runs, study, *more).to_dict()


@cache
def spec_of(figure, case="learning_rate"):
    """The specification of a figure of one of the `CASES`; it must not be changed."""
    trajectories, runs, study = make_study(**CASES[case])
    if figure == "preconditioned":
        trajectories = with_preconditioned(trajectories)
    return compiled(figure, trajectories, runs, study)


def check(spec):
    """What a picture without ``NaN`` needs: numbers that JSON has, and axes with a length, above 0 where they are logarithmic."""
    json.dumps(spec, allow_nan=False)
    assert spec["title"]["text"] and spec["description"].startswith(spec["title"]["text"])
    for scale in found(spec, "scale"):
        domain = scale.get("domain", [])
        if domain and not any(isinstance(value, str) for value in domain):
            assert domain == sorted(domain) and all(math.isfinite(value) for value in domain), scale
            assert scale.get("type") != "log" or domain[0] > 0, scale


def found(part, key):
    """Everything that is called ``key``, anywhere in a specification but in its data."""
    if isinstance(part, dict):
        here = [part[key]] if isinstance(part.get(key), dict) else []
        return here + [one for name, item in part.items() if name != "data" for one in found(item, key)]
    return [one for item in part for one in found(item, key)] if isinstance(part, list) else []
