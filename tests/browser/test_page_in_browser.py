"""The page as a reader has it: opened from disk, explored, printed, and without script."""

from __future__ import annotations

import re

import pytest
from example_report import HOSTILE

from effbayes.figures.charts import LONGEST_HOVER
from effbayes.figures.panels import shown

from .conftest import LAPTOP, PHONE

pytestmark = pytest.mark.browser

MODELS = "[...Bokeh.documents].flatMap((one) => [...one.all_models])"

# Where on the screen the mark of a row is, in the plot of a figure that is seen.
PLACE_OF_MARK = f"""([figure, label]) => {{
  for (const renderer of {MODELS}.filter((model) => model.type === "GlyphRenderer")) {{
    const {{ x, y, label: labels }} = renderer.data_source.data;
    const row = [...(labels ?? [])].indexOf(label);
    const view = Bokeh.index.find_one(renderer);
    if (row < 0 || view === null) continue;
    let host = view.parent.el;
    while (host.getRootNode() instanceof ShadowRoot) host = host.getRootNode().host;
    const box = view.parent.canvas_view.el.getBoundingClientRect();
    if (host.closest("figure").id !== figure || box.width === 0) continue;
    const {{ x_scale, y_scale }} = view.coordinates;
    return [box.left + x_scale.compute(x[row]), box.top + y_scale.compute(y[row])];
  }}
  return null;
}}"""


def point_at(tab, figure, label):
    """Move the mouse to a row's mark, and read what is said of it."""
    tab.page.locator(f"#{figure}").scroll_into_view_if_needed()
    tab.page.locator(f"#{figure}.is-live").wait_for()
    tab.page.wait_for_timeout(300)
    place = tab.page.evaluate(PLACE_OF_MARK, [figure, label])
    assert place is not None, f"{figure} has no point labelled {label[:40]!r}"
    tab.page.mouse.move(place[0] - 3, place[1] - 3)
    tab.page.mouse.move(*place)
    tip = tab.page.locator(".bk-Tooltip:visible .bk-tooltip-content").filter(has_text="label").first
    tip.wait_for()
    return tip


@pytest.mark.parametrize("name", ["good", "bad", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_from_disk_and_asks_the_network_for_nothing(open_page, pages, name, scheme):
    tab = open_page(name, color_scheme=scheme)
    tab.show_all()
    assert tab.said == []
    assert tab.asked == [pages[name].as_uri()]


def test_its_policy_would_refuse_a_request_and_a_script(open_page):
    tab = open_page("good")
    assert tab.page.evaluate(
        "fetch('https://example.org').then(() => 'sent', () => 'refused')"
    ) == ("refused")
    tab.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'taken = 1'}))"
    )
    assert tab.page.evaluate("typeof taken") == "undefined"
    assert tab.page.evaluate("document.body.innerHTML += '<img src=x onerror=taken=1>', 1")
    tab.page.wait_for_timeout(200)
    assert tab.page.evaluate("typeof taken") == "undefined"


def test_pointing_at_a_row_says_label_date_value_and_source(open_page):
    tab = open_page("good")
    said = point_at(tab, "figure-trend", "GoogLeNet").inner_text()
    for part in ("GoogLeNet", "2014-09-17", "0.711 teraflop/s-day", "Hernandez & Brown 2020"):
        assert part in said


def test_log_and_linear_months_and_years(open_page):
    tab = open_page("good")
    tab.show_all()
    scales = (
        "(id) => [...Bokeh.documents].flatMap((one) => [...one.all_models])"
        ".filter((m) => m.type === 'Tabs').map((m) => m.tabs[m.active])"
        ".map((tab) => [tab.title, tab.child.y_scale.type, tab.child.xaxis?.[0]?.axis_label?.text])"
    )
    trend = tab.page.locator("#figure-trend")
    log, linear = (trend.get_by_role("button", name=f"{name} axis") for name in ("log", "linear"))
    assert log.get_attribute("aria-pressed") == "true"
    linear.click()
    assert (log.get_attribute("aria-pressed"), linear.get_attribute("aria-pressed")) == (
        "false",
        "true",
    )
    shown = tab.page.evaluate(scales)
    assert ["linear axis", "LinearScale"] in [one[:2] for one in shown]
    assert "0" in shown_ticks(tab, "figure-trend")
    years = tab.page.locator("#figure-doubling-time").get_by_role("button", name="years")
    years.focus()
    tab.page.keyboard.press("Enter")
    assert years.get_attribute("aria-pressed") == "true"
    assert "years" in [one[0] for one in tab.page.evaluate(scales)]


def shown_ticks(tab, figure):
    """Words of the axes that are drawn now: those of the panel that is picked."""
    return tab.page.evaluate(
        """(figure) => {
          const tabs = [...Bokeh.documents].flatMap((one) => [...one.all_models])
            .filter((m) => m.type === 'Tabs');
          const picked = tabs.map((m) => m.tabs[m.active].child);
          return picked.flatMap((plot) => [plot.y_range.start, plot.y_range.end]).map(String);
        }""",
        figure,
    )


def test_zoom_in_and_back(open_page):
    tab = open_page("good")
    figure = tab.page.locator("#figure-factor")
    figure.scroll_into_view_if_needed()
    tab.page.locator("#figure-factor.is-live").wait_for()
    ends = (
        "[...Bokeh.documents].flatMap((one) => [...one.all_models])"
        ".filter((m) => m.type === 'Tabs' && m.tabs[0].title === 'linear axis')"
        ".map((m) => m.tabs[0].child.x_range).map((range) => [range.start, range.end])[0]"
    )
    before = tab.page.evaluate(ends)
    figure.get_by_role("button", name="Zoom in").click()
    closer = tab.page.evaluate(ends)
    assert before[0] < closer[0] < closer[1] < before[1]
    figure.get_by_role("button", name="Reset").click()
    assert tab.page.evaluate(ends) == pytest.approx(before)


def test_tables_are_sorted_by_mouse_and_by_keyboard(open_page):
    tab = open_page("good")
    table = tab.page.locator("#table-rows table")
    value = table.locator("thead th").nth(2)
    first = table.locator("tbody tr").first.locator("th")
    value.get_by_role("button").click()
    assert value.get_attribute("aria-sort") == "ascending"
    assert first.inner_text() == "EfficientNet-b0"
    value.get_by_role("button").focus()
    tab.page.keyboard.press("Enter")
    assert value.get_attribute("aria-sort") == "descending"
    assert first.inner_text() == "VGG-11"
    name = table.locator("thead th").first
    name.get_by_role("button").click()
    assert first.inner_text() == "AlexNet"
    assert value.get_attribute("aria-sort") is None


def test_hostile_words_are_text(open_page):
    tab = open_page("hostile")
    tab.show_all()
    cells = tab.page.locator("#table-rows tbody th")
    for place, label in enumerate(HOSTILE):
        assert cells.nth(place).evaluate("(cell) => cell.textContent").endswith(label)
    assert tab.page.title().startswith(HOSTILE[0])
    for label in HOSTILE:
        said = point_at(tab, "figure-trend", shown(label, LONGEST_HOVER))
        assert shown(label, 60).rstrip("…") in said.inner_text()
        assert said.locator("img, svg, b, script").count() == 0
        assert said.bounding_box()["width"] < 500
    assert tab.page.locator("main img").count() == 0
    assert tab.page.evaluate("typeof taken") == "undefined"
    assert tab.said == []
    assert len(tab.asked) == 1


def test_a_long_word_neither_widens_the_page_nor_fills_it(open_page):
    for viewport in (LAPTOP, PHONE):
        tab = open_page("hostile", viewport=viewport)
        tab.show_all()
        width = tab.page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"]
        row = tab.page.locator("#table-rows tbody tr").last
        assert row.bounding_box()["height"] < 900


def test_without_script_figures_stand_still_and_no_button_is_dead(open_page):
    tab = open_page("good", java_script_enabled=False)
    figures = tab.page.locator("figure.picture")
    assert figures.count() == 9
    for place in range(figures.count()):
        assert figures.nth(place).locator(".static svg").is_visible()
        assert not figures.nth(place).locator(".live").is_visible()
    assert tab.page.locator("button:visible").count() == 0


def test_on_paper_figures_stand_still_in_light_colours(open_page):
    tab = open_page("good", color_scheme="dark")
    tab.show_all()
    tab.page.emulate_media(media="print")
    assert tab.page.locator(".static svg:visible").count() == 9
    assert tab.page.locator(".live:visible").count() == 0
    assert tab.page.locator("button:visible").count() == 0
    paper = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def test_light_and_dark_by_system_and_by_switch_with_the_figures(open_page):
    tab = open_page("good", color_scheme="dark")
    tab.show_all()
    ink = (
        "[...Bokeh.documents].flatMap((one) => [...one.all_models])"
        ".filter((m) => m.type === 'LinearAxis').map((m) => m.major_label_text_color)"
    )
    assert set(tab.page.evaluate(ink)) == {"#e8e6e1"}
    tab.page.get_by_role("button", name="Light page").click()
    assert set(tab.page.evaluate(ink)) == {"#222222"}
    paper = "getComputedStyle(document.body).backgroundColor"
    assert tab.page.evaluate(paper) == "rgb(255, 255, 255)"
    tab.page.reload()
    assert tab.page.evaluate(paper) == "rgb(255, 255, 255)"


def test_the_keyboard_comes_first_to_the_answer(open_page):
    tab = open_page("bad")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("document.activeElement.id") == "answer"


def test_a_failure_stands_above_the_answer(open_page):
    tab = open_page("bad")
    title, banner, answer, contents = (
        tab.page.locator(name).bounding_box()["y"]
        for name in ("h1", ".banner", ".answer", "main > div.parts")
    )
    assert title < banner < answer < contents
    assert "R-hat of sigma" in tab.page.locator(".banner").inner_text()
    assert open_page("good").page.locator(".banner").count() == 0


@pytest.mark.parametrize("name", ["good", "bad"])
def test_a_phone_scrolls_in_one_direction(open_page, name):
    tab = open_page(name, viewport=PHONE, has_touch=True)
    tab.show_all()
    assert tab.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    boxes = tab.page.locator(".scroll[tabindex='0']")
    assert boxes.count() >= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "viewport"), [("good", LAPTOP), ("bad", PHONE), ("hostile", LAPTOP)]
)
def test_accessible(open_page, name, viewport, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab = open_page(name, color_scheme=scheme, viewport=viewport)
    tab.show_all()
    found = axe.Axe().run(tab.page).response
    broken = {
        one["id"]: [re.sub(r"\s+", " ", node["html"])[:120] for node in one["nodes"]][:3]
        for one in found["violations"]
    }
    assert broken == {}
    assert len(found["passes"]) > 20
