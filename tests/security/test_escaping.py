"""What the report and the pages of figures show can't become a part of the page, nor run in a browser."""

import dataclasses
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

from breakeven.figures.plot import plot
from breakeven.report.build import build
from breakeven.specs.run_file import read_spec, write_spec
from breakeven.store.tables import read_table, write_table
from breakeven.store.training_record import FILE, read_training, write_training
from tests.report.results_folder import write_results

TESTS = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium")
FIGURES = ["lambda_H", "maxima"]

# each part ends something, starts something, or is evaluated by something
NAME = "\"'><img src=x onerror=alert(1)>{{7*7}}${alert(1)}&amp;"
TEXT = (
    f"{NAME}</script><script>alert(1)</script><!--]]></pre></title>{{% raw %}}\u2028\u2029<a href=javascript:alert(1)>"
)
PLACES = ("description", "config", "setting", "swept value", "note", "remark on a claim", "stage")


def hostile(place):
    """Tells where it stood, where it does harm."""
    return f"{place}:{TEXT}"


class Page(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements, self.attributes, self.text, self.scripts = [], [], "", []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.lasttag == "script":
            self.scripts[-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def results(tmp_path_factory, vega):
    """A folder with a hostile name, and a hostile text in each place."""
    folder = tmp_path_factory.mktemp("results") / "a b <i>"
    values = [hostile("swept value"), "mlp"]
    studies = write_results(
        folder,
        {"name": NAME, "sweeps": {"network": values}, "seeds": [0, 1, 2], "description": hostile("description")},
        figures=FIGURES,
    )
    for path in folder.glob(f"runs/*/{FILE}"):
        dataset = {"loader": "image_folder", "path": hostile("setting")}
        write_spec(path.parent, dataclasses.replace(read_spec(path.parent), dataset=dataset))
        write_training(path.parent, read_training(path.parent))
    runs = read_table(folder / "tables" / NAME / "runs.csv")
    write_table(
        folder / "tables" / NAME / "runs.csv", runs.assign(break_even_step=pd.NA, break_even_note=hostile("note"))
    )
    claims = read_table(folder / "tables" / "claims.csv")
    write_table(folder / "tables" / "claims.csv", claims.assign(note=hostile("remark on a claim")))
    stage = folder / "benchmarks" / hostile("stage").replace("/", "\u2215") / "x.tsv"
    stage.parent.mkdir(parents=True)
    stage.write_text("s\tmax_rss\n1\t2\n", encoding="utf-8")
    config = folder / "config.yaml"
    config.write_text(hostile("config"), encoding="utf-8")
    build(folder / "report.html", folder, studies, config, vega)
    tables = folder / "tables" / NAME
    for figure in FIGURES:
        plot(figure, tables, studies[0], folder / "pages", vega)
    return folder


@pytest.fixture(scope="module", params=["report.html", *(f"pages/{name}.html" for name in FIGURES)])
def page(results, request):
    return Page(results / request.param)


def test_no_text_becomes_an_element_or_an_attribute(page):
    assert not {"img", "i", "iframe", "object", "embed", "form"} & set(page.elements)
    assert page.elements.count("script") == page.source.count("</script>") == len(page.scripts)
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    for name, value in page.attributes:
        if name in ("href", "src"):
            assert value.startswith(("#", "https://arxiv.org/", "figures/", "tables/"))
            assert "<" not in value


def test_no_text_ends_a_script(page, vega):
    """What scripts hold of it is JSON, in which < is written otherwise."""
    ours = "".join(page.scripts).replace(vega.read_text(encoding="utf-8"), "")
    assert "swept value:" in ours
    assert [text for text in ("<script>alert", "<img src", "\u2028", "\u2029") if text in ours] == []


@pytest.mark.parametrize("place", PLACES)
def test_the_report_shows_every_text_as_it_is(results, place):
    page = Page(results / "report.html")
    text = hostile(place).replace("/", "\u2215") if place == "stage" else hostile(place)
    assert text in page.text
    assert NAME in page.text and "49" not in page.text.split("description:")[1][:200]


def test_the_pictures_hold_no_script(results):
    for figure in FIGURES:
        tree = ElementTree.parse(results / "pages" / f"{figure}.svg")  # noqa: S314 - our own file
        names = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert names <= {
            "svg",
            "g",
            "path",
            "text",
            "tspan",
            "rect",
            "line",
            "defs",
            "clipPath",
            "symbol",
            "use",
            "style",
        }
        assert not [name for element in tree.iter() for name in element.attrib if name.lower().startswith("on")]
        assert any("swept value:" in (element.text or "") for element in tree.iter())


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_nothing_runs_in_a_browser(results):
    """Every chart is drawn, hovered over and clicked; nothing opens a dialog, is loaded, or goes wrong."""
    happened = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: happened.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: happened.append(str(error)))
        page.on("popup", lambda popup: happened.append(popup.url))
        own = ("file:", "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else happened.append(asked.url))
        for name in ("report.html", *(f"pages/{figure}.html" for figure in FIGURES)):
            page.goto((results / name).as_uri())
            charts = page.locator(".chart, #figure")
            for index in range(charts.count()):
                chart = charts.nth(index)
                chart.scroll_into_view_if_needed()
                chart.locator("svg.marks, canvas.marks").first.wait_for(timeout=60_000)
                mark = chart.locator(".mark-symbol.role-mark path").first
                if mark.count():
                    mark.hover(force=True)
                    tooltip = page.locator("#vg-tooltip-element")
                    tooltip.wait_for(state="visible", timeout=5000)
                    assert tooltip.locator("img, script, a").count() == 0
                    assert any(text in tooltip.inner_text() for text in ("swept value:", "mlp", NAME))
            assert page.locator("img, iframe").count() == 0
            assert page.evaluate("document.documentElement.dataset.problems || 0") == 0
        browser.close()
    assert happened == []
