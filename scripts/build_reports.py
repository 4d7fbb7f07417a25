"""Build the reports that the README links to, and take their pictures where there is Chromium.

    sh scripts/uv run --group dev --group browser python scripts/build_reports.py

Writes docs/reports/imagenet.html and docs/reports/all.html, which are not kept in the repository,
and docs/figures/report-of-imagenet.png and report-of-all.png, which are. Everything is sampled.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from update_screenshots import EXECUTABLE, LAPTOP, keep, settle

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "docs" / "reports"
DOMAINS = ("imagenet", "all")
LARGEST = 3_000_000
"""Bytes of a page: what is read by mail and on a phone."""

SEEN = LAPTOP | {"height": 1180}
"""From the answer to the table that sets the series side by side."""


def main() -> None:
    """Build, measure, take pictures."""
    REPORTS.mkdir(exist_ok=True)
    pages = {domain: build(domain) for domain in DOMAINS}
    if EXECUTABLE is None:
        print("no pictures were taken: there is no Chromium on PATH")  # noqa: T201
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=["--no-sandbox"])
        for domain, page in pages.items():
            photograph(browser, domain, page)
        browser.close()


def build(domain: str) -> Path:
    """Sample a domain and write its report, through the program that a reader would use."""
    out = REPORTS / f"{domain}.html"
    command = ["report", "--domain", domain, "--out", str(out), "--force"]
    subprocess.run([sys.executable, "-m", "effbayes", *command], check=True)  # noqa: S603
    size = out.stat().st_size
    print(f"{out.relative_to(ROOT)}: {size / 1e6:.2f} MB")  # noqa: T201
    if size > LARGEST:
        raise SystemExit(f"{out.name} is larger than {LARGEST / 1e6:g} MB")
    return out


def photograph(browser: Browser, domain: str, page: Path) -> None:
    """What a reader sees first."""
    tab = browser.new_page(viewport=SEEN)
    tab.goto(page.as_uri())
    settle(tab)
    keep(f"of-{domain}", tab.screenshot())


if __name__ == "__main__":
    main()
