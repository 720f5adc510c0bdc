"""The report in a real browser, offline: a reader follows verdicts, clicks legends, hovers over points, takes tables away."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import sync_playwright

from breakeven.figures.plot import plot
from breakeven.figures.registry import FIGURES
from breakeven.store.tables import write_table
from tests.figures.synthetic import CASES, make_study

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
DRAWN = "document.querySelectorAll('.chart:not([data-state=drawn])').length === 0"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def opened(browser, results, request):
    """The page with all its figures drawn; at the end nothing may have gone wrong on it."""
    context = browser.new_context(viewport=request.param, offline=True, has_touch=request.param is PHONE)
    page = context.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda asked: errors.append(asked.url) if not asked.url.startswith(("file:", "data:", "blob:")) else None,
    )
    page.goto((results[0] / "report.html").as_uri())
    assert page.locator(".chart").count() > 3 * len(FIGURES)
    page.wait_for_function(DRAWN, timeout=120_000)
    yield page
    assert errors == []
    assert page.locator("#problems").is_hidden()
    context.close()


def test_nothing_is_wider_than_the_screen(opened):
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_first_screen_has_findings_the_picture_and_no_long_way_to_the_matrix(opened):
    assert opened.locator(".findings li").first.is_visible()
    if opened.viewport_size == DESKTOP:
        assert opened.locator("#picture svg.marks").bounding_box()["y"] < 400
        assert opened.locator("table.matrix").bounding_box()["y"] < DESKTOP["height"]


def test_symbols_have_real_indices(opened):
    texts = opened.locator("svg.marks text").all_text_contents()
    assert any("λK1" in text for text in texts)
    assert [text for text in texts if "^" in text or "_K" in text or "_H" in text] == []
    assert "^" not in re.sub(r"(?s)<script.*?</script>|<[^>]+>", "", opened.locator("main").inner_html())


def test_the_effects_are_drawn_with_their_intervals(opened):
    spec = json.loads(opened.locator("#spec-effects").text_content())
    rows = pd.DataFrame(spec["layer"][0]["data"]["values"])
    chart = opened.locator("#effects .chart")
    points = chart.locator(".mark-symbol.role-mark path")
    assert points.count() == len(rows) > 3
    assert chart.locator(".mark-text.role-mark text").count() == len(rows)
    places = [box["x"] for box in (points.nth(index).bounding_box() for index in range(len(rows)))]
    assert list(np.argsort(places, kind="stable")) == list(rows["effect"].argsort(kind="stable"))


def test_every_cell_of_the_matrix_leads_to_a_figure_that_is_drawn(opened):
    cells = opened.locator("table.matrix td")
    links = opened.locator("table.matrix td a.verdict")
    assert links.count() + opened.locator("table.matrix td.none").count() == cells.count() and links.count() > 5
    for target in {link.get_attribute("href") for link in links.all()}:
        assert opened.locator(f"{target} .chart[data-state=drawn] svg.marks").count() == 1, target
        assert opened.locator(f"{target} h3").inner_text().startswith("Figure ")


def test_a_claim_leads_to_its_tests_which_unfold(opened):
    link = opened.locator("table.matrix th a").first
    target = link.get_attribute("href")
    link.click()
    opened.locator(f'[id="{target[1:]}"] table').wait_for()


def test_a_switch_turns_all_curves_from_epochs_to_steps(opened):
    chart = opened.locator("#figure-1-lambda_K .chart")
    titles = chart.locator(".role-axis-title text")
    before = chart.locator(".role-axis-label text").all_text_contents()
    assert "epoch" in titles.all_text_contents()
    step = opened.locator("#picture .along input[value=step]")
    step.focus()
    opened.keyboard.press("Space")
    opened.wait_for_function(DRAWN)
    assert "step" in titles.all_text_contents() and "epoch" not in titles.all_text_contents()
    assert chart.locator(".role-axis-label text").all_text_contents() != before
    assert opened.locator(".along input[value=step]:checked").count() == opened.locator(".along").count()
    opened.locator("#study-1 ~ .along input[value=epoch]").first.check()
    opened.wait_for_function(DRAWN)
    assert (
        "epoch" in titles.all_text_contents() and chart.locator(".role-axis-label text").all_text_contents() == before
    )


@pytest.mark.parametrize("name", ["claims.csv", "rate-runs.csv", "two-trajectories.csv"])
def test_tables_are_downloaded_from_the_page_itself(opened, results, name):
    with opened.expect_download() as found:
        opened.locator(f"a[data-table='{name}']").click()
    study, _, table = name.rpartition("-")
    original = results[0] / "tables" / study / table
    assert found.value.suggested_filename == name
    assert Path(found.value.path()).read_bytes() == original.read_bytes()


@pytest.mark.parametrize(("kind", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("csv", b"quantity,")])
def test_pictures_are_downloaded_from_the_page_itself(opened, kind, begins):
    with opened.expect_download() as found:
        opened.locator(f"#figure-1-lambda_K a[data-picture={kind}]").click()
    content = Path(found.value.path()).read_bytes()
    assert found.value.suggested_filename == f"lambda_K.{kind}" and content.startswith(begins) and len(content) > 2000
    if kind == "svg":
        assert b"^" not in re.sub(rb"<[^>]+>", b"", content) and b"Study rate" in content  # with its title


def test_a_click_on_the_legend_selects_and_one_beside_it_undoes(opened):
    """Curves of the other values fade."""
    chart = opened.locator(".chart").first
    entry = chart.locator(".role-legend-entry .mark-symbol path").first

    def opacities():
        script = (
            "e => [...e.querySelectorAll('.mark-line path')].map(p => "
            "p.getAttribute('opacity') || p.getAttribute('stroke-opacity') || '1')"
        )
        return set(chart.evaluate(script))

    before = opacities()
    entry.click(force=True)
    opened.wait_for_timeout(300)
    assert len(opacities()) > len(before)


def test_hovering_over_a_curve_tells_its_numbers(opened):
    chart = opened.locator(".chart").first
    chart.scroll_into_view_if_needed()
    mark = chart.locator(".mark-symbol.role-mark path").first
    mark.hover(force=True)
    tooltip = opened.locator("#vg-tooltip-element")
    tooltip.wait_for(state="visible", timeout=5000)
    assert "step" in tooltip.inner_text() or "epoch" in tooltip.inner_text()


def test_a_verdict_leads_to_its_figure(opened):
    link = opened.locator("table.matrix a.verdict[href^='#figure-']").first
    target = link.get_attribute("href")
    link.click()
    assert opened.evaluate("location.hash") == target
    box = opened.locator(target).bounding_box()
    assert -5 <= box["y"] < opened.viewport_size["height"]


def test_two_studies_are_compared(opened):
    select = opened.locator(".compare select").first
    select.select_option(index=1)
    figure = opened.locator("figure").filter(has=opened.locator(".comparison"))
    figure.locator(".comparison .chart[data-state=drawn] svg.marks").wait_for()
    assert figure.count() == 1
    select.select_option(index=0)
    assert opened.locator(".comparison").count() == 0


def test_the_keyboard_reaches_the_verdicts_and_the_tables(opened):
    opened.locator("h1").click()  # where the keyboard goes on from
    reached = set()
    for _ in range(60):
        opened.keyboard.press("Tab")
        reached |= set(opened.evaluate("[...document.activeElement.classList]"))
    assert {"verdict", "scroll"} <= reached


def test_a_figure_by_itself_has_the_switch_and_real_indices_too(browser, vega, tmp_path):
    trajectories, runs, study = make_study(**CASES["batch_size"])
    write_table(tmp_path / "trajectories.csv", trajectories)
    write_table(tmp_path / "runs.csv", runs)
    for figure in ("early_phase", "maxima"):
        plot(figure, tmp_path, study, tmp_path, vega)
    page = browser.new_page()
    page.goto((tmp_path / "early_phase.html").as_uri())
    titles = page.locator(".role-axis-title text")
    titles.get_by_text("epoch").first.wait_for()
    page.get_by_label("steps").check()
    titles.get_by_text("step", exact=True).first.wait_for()
    assert "epoch" not in titles.all_text_contents()
    assert any("λK1" in text for text in titles.all_text_contents())
    page.goto((tmp_path / "maxima.html").as_uri())
    page.locator("svg.marks").wait_for()
    assert page.locator("fieldset").is_hidden()  # nothing there is along training
    page.close()
