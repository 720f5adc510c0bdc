import html
import re
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest

from breakeven.figures.registry import FIGURES

CAPTIONS = Path(__file__).parents[2] / "workflow" / "report"


@pytest.mark.parametrize("name", ["workflow", "tables", *FIGURES])
def test_captions_are_valid_and_name_their_study(name):
    core = pytest.importorskip("docutils.core", reason="docutils comes with snakemake, which is not installed")
    path = CAPTIONS / f"{'figure' if name in FIGURES else name}.rst"
    snakemake = SimpleNamespace(
        wildcards=SimpleNamespace(study="my_study", figure=name),
        params=SimpleNamespace(caption=FIGURES.get(name)),
        config={"studies": {"my_study": {}, "other": {}}},
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    text = environment.from_string(path.read_text(encoding="utf-8")).render(snakemake=snakemake)
    settings = {"report_level": 1, "halt_level": 1}  # any remark of docutils is an error
    page = core.publish_parts(text, writer="html", settings_overrides=settings)["body"]
    assert "my_study" in page and "system-message" not in page
    if name in FIGURES:  # as it is written, with all its symbols
        assert FIGURES[name] in html.unescape(re.sub(r"\s+", " ", re.sub("<[^>]+>", "", page)))
