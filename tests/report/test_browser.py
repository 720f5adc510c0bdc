"""The report in a real browser, offline: a reader clicks a legend, hovers over a point, follows a verdict to its figure."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from breakeven.figures.registry import FIGURES

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
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
    charts = page.locator(".chart")
    assert charts.count() == 3 * len(FIGURES)
    for index in range(charts.count()):
        charts.nth(index).scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.chart:not([data-state=drawn])').length === 0", timeout=60_000)
    yield page
    assert errors == []
    assert page.locator("#problems").is_hidden()
    context.close()


def test_nothing_is_wider_than_the_screen(opened):
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


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
    link = opened.locator("a.verdict[href^='#figure-']").first
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
    for _ in range(40):
        opened.keyboard.press("Tab")
        reached |= set(opened.evaluate("[...document.activeElement.classList]"))
    assert {"verdict", "scroll"} <= reached
