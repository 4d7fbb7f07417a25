"""Take the pictures of the report's page that docs/report-page.md shows: needs Chromium on PATH.

sh scripts/uv run --group dev --group browser python scripts/update_screenshots.py
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import effbayes as eb
from effbayes.report.page import render

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "figures"
sys.path.insert(0, str(ROOT / "tests"))

from browser.conftest import EXECUTABLE, LAPTOP, PHONE  # noqa: E402 - beside the tests
from example_report import document  # noqa: E402

A4 = {"width": 794, "height": 1123}
PICTURES: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("laptop", "good", {"viewport": LAPTOP | {"height": 1500}}, "screen"),
    ("dark", "good", {"viewport": LAPTOP | {"height": 1500}, "color_scheme": "dark"}, "screen"),
    ("phone", "bad", {"viewport": PHONE | {"height": 1500}, "device_scale_factor": 1.5}, "screen"),
    ("print", "good", {"viewport": A4}, "print"),
)


def main() -> None:
    """Write docs/figures/report-*.png."""
    series = eb.load_series("imagenet", "alexnet-training")
    pages = {
        "good": render(document(eb.sample(series, seed=0))),
        "bad": render(document(eb.sample(series, seed=0, warmup=50, draws=50))),
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        for name, which, options, media in PICTURES:
            path = Path(folder) / f"{which}.html"
            path.write_text(pages[which], encoding="utf-8")
            page = browser.new_page(**options)
            page.goto(path.as_uri())
            page.emulate_media(media="print" if media == "print" else "screen")
            if media == "print":
                page.add_style_tag(content="body { padding: 18mm 20mm; }")
            settle(page)
            keep(name, page.screenshot())
        browser.close()


def settle(page: Page) -> None:
    """Wait for the figures that are in sight."""
    page.wait_for_timeout(3000)


def keep(name: str, png: bytes) -> None:
    """Write a picture as small as it can be without a loss."""
    path = FIGURES / f"report-{name}.png"
    Image.open(io.BytesIO(png)).convert("RGB").save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201


if __name__ == "__main__":
    main()
