"""The grid of coverage as a picture: heat maps by the number of rows, with and without errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import covering
import matplotlib as mpl
import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

LEAST = 70.0
"""Per cent: the colour of all that is lower."""


def draw(cells: list[dict[str, Any]], path: Path) -> None:
    """Draw the cells of the grid; those that deviate have a frame."""
    cells = [cell for cell in cells if cell["kind"] == "grid"]
    rows = sorted({cell["rows"] for cell in cells})
    settings = {"svg.hashsalt": "coverage", "svg.fonttype": "none", "font.size": 9}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(2.3 * len(rows), 4.6), layout="constrained")
        axes = figure.subplots(2, len(rows), sharex=True, sharey=True, squeeze=False)
        for (i, j), panel in np.ndenumerate(axes):
            image = _panel(
                panel, [c for c in cells if c["rows"] == rows[j] and c["errors"] == bool(i)]
            )
            if i == 0:
                panel.set_title(f"{rows[j]} rows")
        for panel, errors in zip(axes[:, 0], ("exact rows", "rows with errors"), strict=True):
            panel.set_ylabel(f"{errors}\nsigma, doublings")
        figure.supxlabel("true doubling time, months", fontsize=9)
        bar = figure.colorbar(image, ax=axes, shrink=0.7, extend="min")
        bar.set_label("95 % intervals that hold it, %")
        bar.set_ticks([LEAST, 80.0, 90.0, 95.0, 100.0])
        figure.savefig(path, metadata={"Date": None})


def _panel(panel: Any, cells: list[dict[str, Any]]) -> Any:
    places = {(cell["sigma"], cell["months"]): cell for cell in cells}
    share = np.array(
        [[100.0 * places[s, m]["share"] for m in covering.MONTHS] for s in covering.SIGMAS]
    )
    norm = TwoSlopeNorm(covering.PROB * 100.0, LEAST, 100.0)
    image = panel.imshow(share, norm=norm, cmap="RdBu", origin="lower", aspect="auto")
    for (y, x), value in np.ndenumerate(share):
        dark = value < LEAST + 10.0 or value > 98.5
        panel.text(
            x, y, f"{value:.0f}", ha="center", va="center", color="white" if dark else "black"
        )
        cell = places[covering.SIGMAS[y], covering.MONTHS[x]]
        if abs(cell["deviation"]) > covering.DEVIATES:
            panel.add_patch(
                Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, fill=False, lw=1.2, color="black")
            )
    panel.set_xticks(range(len(covering.MONTHS)), [f"{m:g}" for m in covering.MONTHS])
    panel.set_yticks(range(len(covering.SIGMAS)), [f"{s:g}" for s in covering.SIGMAS])
    return image
