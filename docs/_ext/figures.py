"""Every figure with its caption and a picture, drawn of made-up tables while the site is built."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vl_convert

from breakeven.figures.labels import with_schedules_in_words
from breakeven.figures.plot import svg
from breakeven.figures.registry import FIGURES, NEEDS_EMBEDDING, ON_REQUEST
from breakeven.publish.markdown import code, plain, prose

SWITCH = '[{"at": 0.5, "learning_rate": 0.3, "unit": "break_even"}]'
POINTS = [(0.03, "[]"), (0.3, "[]"), (0.03, SWITCH)]
# what the study of a figure sweeps, where it is not the learning rate
STUDIES: dict[str, dict[str, Any]] = {
    "batch_norm": {"sweeps": {"learning_rate": [0.03, 0.3], "network": ["simple_cnn", "simple_cnn_bn"]}},
    "early_switch": {"points": [{"learning_rate": rate, "schedule": schedule} for rate, schedule in POINTS]},
}


def text(pictures: str) -> str:
    """The figures, in the order of the report; ``pictures``: the folder of their pictures, as the page names it."""
    return "\n\n".join(_figure(name, caption, pictures) for name, caption in FIGURES.items())


def _figure(name: str, caption: str, pictures: str) -> str:
    when = (
        f"Drawn where a study names it: `figures: [default, {name}]`."
        if name in ON_REQUEST
        else "Drawn for every study."
    )
    picture = f"![{plain(caption)}]({pictures}/{name}.png)"
    return "\n\n".join([f"## {code(name)}", prose(caption), when, picture])


def draw(folder: Path) -> None:
    """Draw all figures into ``folder``, as pixels: a browser may lack the font that a drawing was measured in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        (folder / f"{name}.png").write_bytes(vl_convert.svg_to_png(picture(name), scale=2))


def picture(name: str) -> str:
    """A figure of the synthetic tables that its tests draw, as SVG."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.figures.synthetic import make_embedding, make_study, with_preconditioned

    trajectories, runs, study = make_study(**STUDIES.get(name, {}))
    if name == "preconditioned":
        trajectories = with_preconditioned(trajectories)
    if name == "early_switch":
        runs["first_switch_step"] = pd.Series(np.where(runs["schedule"] == SWITCH, 40.0 + 10 * runs["seed"], np.nan))
        trajectories, runs = with_schedules_in_words(trajectories), with_schedules_in_words(runs)
    tables = [make_embedding(trajectories, runs)] if name in NEEDS_EMBEDDING else []
    module = importlib.import_module(f"breakeven.figures.{name}")
    spec: dict[str, Any] = module.chart(trajectories, runs, study, *tables).to_dict()
    return svg(spec)
