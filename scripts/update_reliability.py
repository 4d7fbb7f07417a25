"""Write docs/reliability.md and its picture from the figures that `benchmarks/reliability` left.

    uv run --group dev python scripts/update_reliability.py

Nothing is simulated here. What the page says of the figures was written by people who read them:
who runs the study anew reads both.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "reliability"))

import coverage_map  # noqa: E402 - found in the folder above
import covering  # noqa: E402
import references  # noqa: E402
import worlds  # noqa: E402

from effbayes.models.catalogue import MODELS, POOLED  # noqa: E402

FIGURES = ROOT / "benchmarks" / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
TEXT = ROOT / "scripts" / "reliability.md.in"
PICTURE = ROOT / "docs" / "figures" / "coverage.svg"

Parts = dict[str, dict[str, Any]]


def main() -> None:
    """Rewrite page and picture."""
    parts: Parts = json.loads(FIGURES.read_text(encoding="utf-8"))["parts"]
    PAGE.write_text(page(parts), encoding="utf-8")
    coverage_map.draw(parts["coverage"]["cells"], PICTURE)


def page(parts: Parts) -> str:
    """The text with the figures in it."""
    cells = parts["coverage"]["cells"]
    blocks = {
        "calibration": calibration(parts["calibration"]["runs"]),
        "references": reference_tests(parts["references"]),
        "controls": controls(cells),
        "exact": grid(cells, errors=False),
        "errors": grid(cells, errors=True),
        "marked": marked(cells),
        "made": made(parts),
        "cell": f"{max(cell['sets'] for cell in cells):,}",
        "tables": f"{max(row['sets'] for row in parts['worlds']['rows']):,}",
    }
    blocks |= {
        world.name.replace(" ", "-"): of_world(world, parts["worlds"]["rows"])
        for world in worlds.WORLDS
    }
    text = TEXT.read_text(encoding="utf-8")
    for name, block in blocks.items():
        if f"[[{name}]]" not in text:
            raise SystemExit(f"{TEXT.name} has no place for {name}")
        text = text.replace(f"[[{name}]]", block)
    return text


def calibration(runs: list[dict[str, Any]]) -> str:
    """A row for each model and design."""
    rows = []
    order = [*MODELS, POOLED]
    for run in sorted(runs, key=lambda run: order.index(run["model"])):
        ranks = "uniform" if run["ok"] else "not uniform: " + ", ".join(run["excursions"])
        if not run["gated"]:
            ranks += " (no gate)"
        weighted = run["sets"] - run["fitted_by"]["NUTS"]
        rows.append(
            (
                run["model"],
                run["design"],
                f"{run['sets']:,}",
                run["ranked"],
                ranks,
                percent(run["coverage_95_of_rates"], run["coverage_95_of_rates_se"]),
                f"{weighted:,}",
                run["not_certified"],
            )
        )
    head = ("model", "rows", "data sets", "ranked", "ranks", "95 % intervals of rates hold")
    return table((*head, "without NUTS", "not certified"), rows)


def reference_tests(found: dict[str, Any]) -> str:
    """A row for each file of tests."""
    rows = []
    for name, one in sorted(found["files"].items()):
        far = ("", "", "")
        if one["compared"]:
            usual = references.expected_worst(one["compared"])
            far = (f"{one['compared']:,}", f"{one['worst_z']:.1f}", f"{usual:.1f}")
        rows.append((f"`{name}`", one["passed"], one["failed"], *far))
    head = (
        "tests",
        "passed",
        "failed",
        "distances",
        "furthest, s.e.",
        "furthest of as many normal",
    )
    return table(head, rows)


def controls(cells: list[dict[str, Any]]) -> str:
    """Where theory promises 95 %: a row for each number of rows."""
    places = (
        ("drawn from the prior", False),
        ("drawn from the prior", True),
        ("reference prior", False),
    )
    rows = [
        (n, *(percent(one["share"], one["se"]) for one in _find(cells, n, places)))
        for n in sorted({cell["rows"] for cell in cells})
    ]
    head = (
        "rows",
        "truths drawn from the prior",
        "the same, with errors",
        "reference prior, exact",
    )
    return table(head, rows)


def _find(
    cells: list[dict[str, Any]], rows: int, places: tuple[tuple[str, bool], ...]
) -> list[dict[str, Any]]:
    return [
        cell
        for kind, errors in places
        for cell in cells
        if (cell["kind"], cell["errors"], cell["rows"]) == (kind, errors, rows)
    ]


def grid(cells: list[dict[str, Any]], *, errors: bool) -> str:
    """Shares by truth; what deviates is bold, with the sides on which intervals missed."""
    here = {
        (cell["rows"], cell["sigma"], cell["months"]): cell
        for cell in cells
        if cell["kind"] == "grid" and cell["errors"] == errors
    }
    rows = [
        (n, f"{sigma:g}", *(share(here[n, sigma, months]) for months in covering.MONTHS))
        for n, sigma in product(sorted({n for n, _, _ in here}), covering.SIGMAS)
    ]
    times = (f"{months:g} month{'s' * (months != 1.0)}" for months in covering.MONTHS)
    return table(("rows", "sigma", *times), rows)


def share(cell: dict[str, Any]) -> str:
    """Per cent, bold where it deviates."""
    text = f"{100.0 * cell['share']:.1f}"
    if abs(cell["deviation"]) <= covering.DEVIATES:
        return text
    return f"**{text}** ({100.0 * cell['too_slow']:.1f}, {100.0 * cell['too_fast']:.1f})"


def marked(cells: list[dict[str, Any]]) -> str:
    """How many cells deviate, by the number of rows."""
    rows = []
    for n in sorted({cell["rows"] for cell in cells}):
        here = [cell for cell in cells if cell["kind"] == "grid" and cell["rows"] == n]
        shares = [cell["share"] for cell in here]
        below = sum(cell["deviation"] < -covering.DEVIATES for cell in here)
        above = sum(cell["deviation"] > covering.DEVIATES for cell in here)
        ends = (f"{100.0 * min(shares):.1f} %", f"{100.0 * max(shares):.1f} %")
        rows.append((n, len(here), below, above, *ends))
    return table(("rows", "cells", "below 95 %", "above", "least", "most"), rows)


def of_world(world: worlds.World, rows: list[dict[str, Any]]) -> str:
    """A row for each model; where the rate changes, of the rate at the end too."""
    rows = [row for row in rows if row["world"] == world.name]
    rows.sort(key=lambda row: worlds.MODELS.index(row["model"]))
    lines = [(row["model"], *judged(row), f"{row['verdict_ok']} of {row['sets']}") for row in rows]
    head = ("model", "bias", "95 % holds", "too slow, too fast", "width", "verdict ok")
    text = table(head, lines)
    if world.now is not None:
        last = [(row["model"], *judged(row["now"])) for row in rows if row["world"] == world.name]
        text += f"\n\nOf the rate at the end, {world.now:.2f} doublings a year:\n\n"
        text += table(head[:-1], last)
    return text


def judged(one: dict[str, float]) -> tuple[str, ...]:
    """Bias, coverage, sides and width."""
    return (
        f"{one['bias']:+.3f} ± {one['bias_se']:.3f}",
        percent(one["coverage"], one["coverage_se"]),
        f"{100 * one['too_slow']:.1f}, {100 * one['too_fast']:.1f} %",
        f"{one['width']:.2f}",
    )


def made(parts: Parts) -> str:
    """When, and with what."""
    rows = []
    for name, part in parts.items():
        versions = ", ".join(f"{each} {part['versions'][each]}" for each in ("effbayes", "jax"))
        rows.append((name, part["made"][:10], part["seed"], part["machine"]["cores"], versions))
    return table(("part", "made", "seed", "cores", "versions"), rows)


def percent(share: float, se: float) -> str:
    """A share with its standard error."""
    return f"{100.0 * share:.1f} ± {100.0 * se:.1f} %"


def table(head: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> str:
    """In Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main()
