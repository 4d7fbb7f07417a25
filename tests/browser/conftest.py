"""A browser, and pages to open in it; what is missing is said where the tests are skipped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from example_report import document, hostile_series

import effbayes as eb
from effbayes.report.page import render

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAPTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
EXECUTABLE = next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    if EXECUTABLE is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    driver = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: uv run --group browser"
    )
    with driver.sync_playwright() as playwright:
        # Containers have no sandbox to start it in.
        started = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def fit() -> eb.Analysis:
    return eb.sample(eb.load_series("imagenet", "alexnet-training"), seed=0)


@pytest.fixture(scope="session")
def pages(fit, tmp_path_factory) -> dict[str, Path]:
    """Files: a report that can be relied on, one that cannot, and one of a hostile table."""
    folder = tmp_path_factory.mktemp("pages")
    few = eb.sample(fit.series, seed=0, warmup=50, draws=50)
    assert not few.verdict.ok
    hostile = eb.sample(hostile_series(), seed=0)
    signed = eb.sample(eb.load_series("go", "alphago-zero-level"), prior="signed", seed=0)
    documents = {
        "good": document(fit, [signed]),
        "bad": document(few),
        "hostile": document(hostile, [hostile]),
    }
    for name, one in documents.items():
        (folder / f"{name}.html").write_text(render(one), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in documents}


class Tab:
    """A page that was opened, and all that it said and asked for."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.goto(path.as_uri())

    def _listen(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def show_all(self) -> None:
        """Go down the page until every figure that can be explored is there."""
        figures = self.page.locator("figure.picture")
        for place in range(figures.count()):
            figures.nth(place).scroll_into_view_if_needed()
            live = figures.nth(place).locator(".live canvas").first
            live.wait_for(state="attached")
        self.page.evaluate("window.scrollTo(0, 0)")


@pytest.fixture
def open_page(browser, pages) -> Iterator[Callable[..., Tab]]:
    """Open one of the pages: ``open_page("good", color_scheme="dark")``."""
    contexts = []

    def opened(name: str, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": LAPTOP, **options})
        context.set_default_timeout(10_000)
        contexts.append(context)
        return Tab(context.new_page(), pages[name])

    yield opened
    for context in contexts:
        context.close()
