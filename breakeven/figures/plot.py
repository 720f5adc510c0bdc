"""The plot stage: one figure of one study, as an interactive page, pictures, a specification and a table of what it draws."""

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import vl_convert
from markupsafe import Markup

from breakeven.figures import symbols
from breakeven.figures.drawn import drawn
from breakeven.figures.labels import shortened, with_schedules_in_words
from breakeven.figures.offline import script_json, templates
from breakeven.specs.study import Study
from breakeven.store.errors import UserError
from breakeven.store.files import whole_file, write_json, write_text
from breakeven.store.progress import say
from breakeven.store.tables import read_table, write_table

PNG_SCALE = 2.0  # pixels for each unit of length: sharp on paper and on dense screens


def plot(figure: str, tables: Path, study: Study, out: Path, javascript: Path) -> None:
    """Write ``figure`` of ``study`` as .html (opens offline), .svg, .png, .vl.json (the specification) and .csv (what it draws).

    ``tables``: the folder of the study's tables. Of the study, it needs the name, what is swept and the accuracy threshold.
    ``javascript``: the file that stage bundle writes.
    """
    say(f"draw {figure} of study {study.name}")
    spec = specification(figure, tables, study)
    base = out / figure
    write_text(base.with_suffix(".html"), page(spec, study, javascript))
    drawing = svg(spec)
    write_text(base.with_suffix(".svg"), drawing)
    with whole_file(base.with_suffix(".png")) as temporary:
        temporary.write_bytes(vl_convert.svg_to_png(drawing, scale=PNG_SCALE))
    write_table(base.with_suffix(".csv"), drawn(spec, study))
    write_json(base.with_suffix(".vl.json"), spec)
    say(f"drawn: {base}.html")


def specification(figure: str, tables: Path, study: Study) -> dict[str, Any]:
    """The figure as a Vega-Lite specification that holds its data."""
    module = _module(figure)
    names = ["trajectories", "runs"]
    if getattr(module, "NEEDS_EMBEDDING", False):
        names.append("embedding")
        if not (tables / "embedding.csv").is_file():
            lacking = tables / "embedding.csv"
            raise UserError(f"figure {figure!r} needs the table that stage embed writes: there is no {lacking}")
    read = [_table(tables / f"{name}.csv", study) for name in names]
    short = {name: shortened(read[1][name].dropna(), name) for name in study.compared}  # every run is in runs.csv
    trajectories, runs, *embedding = (table.replace(short) for table in read)
    spec: dict[str, Any] = module.chart(trajectories, runs, study, *embedding).to_dict()
    return spec


def _module(figure: str) -> ModuleType:
    """The module of a figure, imported by its name, so that this stage depends on that one figure and on no other."""
    name = f"breakeven.figures.{figure}"
    try:
        module = importlib.import_module(name) if figure.isidentifier() else None
    except ModuleNotFoundError as error:
        if error.name != name:  # the figure exists, something that it imports doesn't
            raise
        module = None
    if module is None or not hasattr(module, "chart"):
        raise UserError(f"there is no figure {figure!r}: the figures are the files in breakeven/figures with a CAPTION")
    return module


def _table(path: Path, study: Study) -> pd.DataFrame:
    """A table with its swept values as they are told.

    With spaces for U+2028 and U+2029: for Vega's parser of expressions they end a line in a text.
    """
    table = with_schedules_in_words(read_table(path))
    without = {name: table[name].replace("[\u2028\u2029]", " ", regex=True) for name in study.compared}
    return table.assign(**without)


def page(spec: dict[str, Any], study: Study, javascript: Path) -> str:
    """The interactive page: self-contained."""
    return (
        templates(Path(__file__).parent)
        .get_template("page.html.jinja")
        .render(
            title=f"{spec['title']['text']}: study {study.name}",
            javascript=Markup(javascript.read_text(encoding="utf-8")),
            spec=Markup(script_json(spec)),
        )
    )


def svg(spec: dict[str, Any]) -> str:
    """The figure as SVG, with real indices.

    Its clip paths are numbered from 0: the library counts on from one picture to the next.
    """
    text: str = symbols.svg(vl_convert.vegalite_to_svg(spec))
    clip_paths = dict.fromkeys(re.findall(r'id="(clip\d+)"', text))
    numbered = {name: f"clip{index}" for index, name in enumerate(clip_paths)}
    return re.sub(r'(?<=["#])clip\d+', lambda match: numbered.get(match[0], match[0]), text)
