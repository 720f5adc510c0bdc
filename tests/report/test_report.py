import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import vl_convert

from breakeven.figures.registry import FIGURES
from breakeven.report.build import build
from breakeven.report.inside import Tables, own_code
from breakeven.specs.run import RunSpec
from tests.report.results_folder import DESCRIPTION, HOSTILE, write_results

CHROMIUM = shutil.which("chromium")


class Resources(HTMLParser):
    """What a page would load by itself, its links, and how many elements of each kind it has."""

    def __init__(self, page):
        super().__init__()
        self.loaded, self.links, self.count, self.charts, self.text = [], [], {}, [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        (self.links if tag == "a" else self.loaded).extend(
            attributes[key] for key in ("src", "href") if key in attributes
        )
        if "chart" in (attributes.get("class") or "").split():
            self.charts.append(attributes)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(results):
    return (results[0] / "report.html").read_text(encoding="utf-8")


def test_nothing_is_loaded_from_outside(page):
    parsed = Resources(page)
    assert parsed.loaded == []
    assert [link for link in parsed.links if link.startswith("http")] == ["https://arxiv.org/abs/2002.09572"]
    assert "default-src 'none'" in page


def test_the_libraries_are_there_once_and_the_page_is_small(page):
    assert page.count(vl_convert.javascript_bundle()) == 1
    assert len(page.encode()) < 4_000_000


def test_every_figure_is_there_with_its_number_caption_and_description(page):
    parsed = Resources(page)
    shown = parsed.count["figure"]
    assert len(parsed.charts) == shown == parsed.count["figcaption"]
    assert shown >= 3 * len(FIGURES) + 2  # the one that it begins with, and the effects
    specs = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', page, re.DOTALL)
    assert len(specs) == shown - 1 and {chart["data-spec"] for chart in parsed.charts} == {name for name, _ in specs}
    assert all(chart["aria-label"] for chart in parsed.charts)
    assert all("title" in json.loads(text) for name, text in specs if name.startswith("spec-figure"))  # of its pictures
    numbers = re.findall(r"<h3>Figure (\d+)\.", page)
    assert numbers == [str(number) for number in range(1, shown + 1)]


def test_the_page_begins_with_what_was_found_and_the_curvature(page):
    found, picture, equation, matrix = (
        page.index(each) for each in ('id="found"', 'id="picture"', "<math", 'id="verdicts"')
    )
    assert found < picture < equation < matrix < page.index('id="effects"') < page.index('id="tests"')
    assert 'data-spec="spec-figure-1-lambda_H"' in page[picture:equation]


def test_headings_are_in_order_and_every_table_has_a_caption(page):
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", page)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    tables = re.findall(r"<table.*?</table>", page[: page.index("<footer")], re.DOTALL)
    assert all("<caption" in table and 'scope="col"' in table for table in tables)
    assert page.index('class="skip"') < page.index("<header")


def test_the_tables_are_inside_whole(page, results):
    folder, studies, _ = results
    packed = dict(re.findall(r'<script type="application/gzip" data-name="([^"]+)">([^<]*)</script>', page))
    assert len(packed) == 1 + 2 * len(studies)
    for name, path in [
        ("claims.csv", folder / "tables/claims.csv"),
        ("rate-runs.csv", folder / "tables/rate/runs.csv"),
        ("two-trajectories.csv", folder / "tables/two/trajectories.csv"),
    ]:
        assert gzip.decompress(base64.b64decode(packed[name])) == path.read_bytes()


def test_a_table_for_which_there_is_no_room_is_a_file_beside_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("breakeven.report.inside.MOST_BYTES", 400)
    (tmp_path / "small.csv").write_bytes(b"a,b\n1,2\n")
    (tmp_path / "large.csv").write_bytes(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(32)))
    tables = Tables(tmp_path / "report.html")
    first, second, third = (tables.table(tmp_path / f"{name}.csv", name) for name in ("small", "large", "small"))
    assert first["content"] and third["content"] and not second["content"] and second["link"] == "large.csv"


def test_code_of_the_users_own_is_shown_with_what_it_imports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import beside\n\ndef build(shape, classes): ...\n", encoding="utf-8")
    (tmp_path / "beside.py").write_text("WIDTH = 3\n", encoding="utf-8")
    specs = [
        RunSpec(
            {"loader": "digits"}, "mine.py:build", {}, snapshots=(), steps=5, learning_rate=0.1, batch_size=8, seed=0
        ),
        RunSpec({"loader": "gone.py:load"}, "mlp", {}, snapshots=(), steps=5, learning_rate=0.1, batch_size=8, seed=0),
    ]
    found = dict(own_code(specs))
    assert list(found) == ["gone.py", "mine.py", "beside.py"]
    assert found["beside.py"] == "WIDTH = 3\n" and "import beside" in found["mine.py"]
    assert "can no longer be read" in found["gone.py"]


def test_pictures_are_linked_beside_the_page(page):
    assert 'href="figures/rate/lambda_K.svg"' in page and 'href="figures/rate/lambda_K.png"' in page


def test_hostile_texts_are_escaped(page):
    parsed = Resources(page)
    assert "img" not in parsed.count
    inside = len(re.findall(r'<script type="application/(json|gzip)"', page))
    assert parsed.count["script"] == inside + 2 == page.count("</script>") - page.count("<\\/script>")
    assert HOSTILE in "".join(parsed.text) and DESCRIPTION in "".join(parsed.text)
    assert "studies: # </pre><b>&amp;" in "".join(parsed.text)


def test_the_header_and_the_tables_say_what_was_run(page):
    text = re.sub(r"\s+", " ", "".join(Resources(page).text))
    assert "19 runs of 3 studies, 1 of them diverged" in text
    assert "9 runs: learning rate η over 0.03, 0.1 and 0.3, each with seeds 0, 1, 2. 1 of them diverged." in text
    assert "learning rate η over 0.03 and 0.3 and batch size S over 8 and 32, each with seeds 0, 1." in text
    assert text.count("finished") >= 8
    assert "<dt>dataset</dt><dd>loader digits</dd>" in page and "<dt>steps</dt><dd>500</dd>" in page


def test_durations_count_the_runs_and_studies_of_the_page(page):
    table = page[page.index("Time that each stage took") :]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in re.findall(r"<tr><th.*?</tr>", table)]
    assert rows[1:] == [
        ["prepare", "1", "2.5 s", "2.5 s", "512 MB"],
        ["train", "2", "1 h 01 min", "1 h 00 min", "512 MB"],
        ["plot", "1", "1.5 s", "1.5 s", "–"],
    ]


def test_the_same_results_give_the_same_bytes(results, vega, tmp_path):
    folder, studies, config = results
    for name in ("first.html", "second.html"):
        build(tmp_path / name, folder, studies, config, vega)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_diverged_runs_are_named_with_their_step(vega, tmp_path):
    studies = write_results(tmp_path, {"diverging": (8,), "seeds": (0, 1, 2)}, figures=["maxima"])
    config = tmp_path / "config.yaml"
    config.touch()
    build(tmp_path / "report.html", tmp_path, studies, config, vega)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("diverged at step 120") == 1
    assert "<td>10.62</td>" in page  # four significant digits


def test_what_did_not_converge_is_named(vega, tmp_path):
    studies = write_results(tmp_path, {"unconverged": (0, 4)}, figures=["lambda_H"])
    config = tmp_path / "config.yaml"
    config.touch()
    build(tmp_path / "report.html", tmp_path, studies, config, vega)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count(">H not converged at 1 measured steps<") == 2
    assert "In 2 of them the eigenvalues of H did not converge at some measured steps" in page
    assert "did not converge at 2 measured steps of 2 runs" in page  # below the figure


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page was not opened in a browser")
def test_a_figure_that_can_not_be_drawn_is_told_and_the_others_are_drawn(results, tmp_path):
    """That all are, without an error, is in ``test_browser.py``."""
    broken = tmp_path / "broken.html"
    text = (results[0] / "report.html").read_text(encoding="utf-8")
    broken.write_text(text.replace('"mark":', '"mork":', 1), encoding="utf-8")
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
        "--disable-sync --no-first-run --virtual-time-budget=10000 --dump-dom"
    )
    command = [CHROMIUM, *options.split(), f"--user-data-dir={tmp_path / 'user'}", broken.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert 'data-problems="1"' in dom
    charts = len(Resources(text).charts)
    assert dom.count('data-state="drawn"') == charts - 1
    containers = re.findall(r'<div class="chart[^>]*>\s*(.{0,2000})', dom, re.DOTALL)
    assert len(containers) == charts
    assert sum("<svg" in container or "<canvas" in container for container in containers) >= charts - 1
