"""The plot stage: one figure of one study, as an interactive page, pictures, a specification and a table of what it draws."""

import html
import importlib
import re
from pathlib import Path
from typing import Any

import pandas as pd
import vl_convert

from breakeven.figures.drawn import drawn
from breakeven.figures.offline import javascript, script_json
from breakeven.figures.registry import NEEDS_EMBEDDING
from breakeven.store.errors import UserError
from breakeven.store.files import whole_file, write_text
from breakeven.store.progress import say
from breakeven.store.sealed_json import write_sealed_json
from breakeven.store.tables import read_table, write_table

PNG_SCALE = 2.0  # pixels for each unit of length: sharp on paper and on dense screens
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<script>{javascript}</script>
</head>
<body>
<div id="figure"></div>
<script>
vegaEmbed("#figure", {spec}, {{actions: {{export: true, source: false, compiled: false, editor: false}}}})
  .catch(error => {{ document.getElementById("figure").textContent = "The figure could not be drawn: " + error; }});
</script>
</body>
</html>
"""


def specification(
    figure: str, trajectories_csv: Path, runs_csv: Path, study: dict[str, Any], embedding_csv: Path | None = None
) -> dict[str, Any]:
    """The figure as a Vega-Lite specification that holds its data.

    The figure's module is imported by its name, so that this stage depends on that one figure and on no other.
    """
    name = f"breakeven.figures.{figure}"
    try:
        module = importlib.import_module(name) if figure.isidentifier() else None
    except ModuleNotFoundError as error:
        if error.name != name:  # the figure exists, something that it imports doesn't
            raise
        module = None
    if module is None or not hasattr(module, "chart"):
        raise UserError(f"there is no figure {figure!r}: the figures are listed in breakeven/figures/registry.py")
    more = []
    if figure in NEEDS_EMBEDDING:
        if embedding_csv is None or not Path(embedding_csv).is_file():
            raise UserError(f"figure {figure!r} needs the table that stage embed writes: there is no {embedding_csv}")
        more = [_without_separators(read_table(embedding_csv), study["swept"])]
    tables = [_without_separators(read_table(path), study["swept"]) for path in (trajectories_csv, runs_csv)]
    return module.chart(*tables, study, *more).to_dict()


def _without_separators(table: pd.DataFrame, swept: list[str]) -> pd.DataFrame:
    """``table`` with spaces for U+2028 and U+2029 in swept values: for Vega's parser of expressions they end a line in a text."""
    return table.assign(**{name: table[name].replace("[\u2028\u2029]", " ", regex=True) for name in swept})


def svg(spec: dict[str, Any]) -> str:
    """The figure as SVG, with its clip paths numbered from 0: the library counts on from one picture to the next."""
    text = vl_convert.vegalite_to_svg(spec)
    names = {name: f"clip{index}" for index, name in enumerate(dict.fromkeys(re.findall(r'id="(clip\d+)"', text)))}
    return re.sub(r'(?<=["#])clip\d+', lambda match: names.get(match[0], match[0]), text)


def plot(
    figure: str,
    trajectories_csv: str | Path,
    runs_csv: str | Path,
    study: dict[str, Any],
    out_folder: str | Path,
    embedding_csv: Path | None = None,
) -> None:
    """Write ``figure`` of ``study`` as .html (opens offline), .svg, .png, .vl.json (the specification) and .csv (what it draws).

    ``study`` has the keys ``name``, ``swept`` (the names of the swept hyperparameters) and ``accuracy_threshold``. Only some
    figures need ``embedding_csv``.
    """
    say(f"draw {figure} of study {study['name']}")
    spec = specification(figure, Path(trajectories_csv), Path(runs_csv), study, embedding_csv)
    base = Path(out_folder) / figure
    title = html.escape(f"{spec['title']['text']}: study {study['name']}")
    page = PAGE.format(title=title, javascript=javascript(), spec=script_json(spec))
    write_text(base.with_suffix(".html"), page)
    write_text(base.with_suffix(".svg"), svg(spec))
    with whole_file(base.with_suffix(".png")) as temporary:
        temporary.write_bytes(vl_convert.vegalite_to_png(spec, scale=PNG_SCALE))
    write_table(base.with_suffix(".csv"), drawn(spec, study))
    write_sealed_json(base.with_suffix(".vl.json"), spec)
    say(f"drawn: {base}.html")
