"""Did the chains mix, and did they see all of the energy: ranks and energies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from effbayes.figures.charts import (
    Axis,
    Band,
    Chart,
    Layer,
    Line,
    Numbers,
    Rule,
    Sheet,
    warning_of,
)
from effbayes.figures.densities import coarse
from effbayes.figures.palette import BLUE, COLORS, GRAY, INK, ORANGE
from effbayes.figures.rank_bands import rank_band, relative_ranks
from effbayes.wording import diagnostic

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

FEWEST = 20
"""Draws of a chain that thinning leaves at least."""

MOST = 200
"""Draws of a chain past which a curve has no more to show."""

SHOWN = 100
"""Points of a curve."""


def ranks(fit: Analysis) -> Sheet:
    """How far each chain's ranks are from uniform, with the band that holds all of them together.

    Draws are thinned to what they are worth, since the band is that of independent ones.
    """
    names = ("rate", *fit.settings["parameters"])
    drawn = {name: np.asarray(fit.draws[name]) for name in names}
    chains, number = drawn["rate"].shape
    found = [fit.verdict.quantities[name] for name in names]
    worth = min(min(each.ess_bulk, each.ess_tail) for each in found)
    factor = max(math.ceil(chains * number / worth), number // MOST, 1)
    factor = max(min(factor, number // FEWEST), 1)
    kept = -(-number // factor)
    # Every other share is as much as a figure shows.
    x, low, high = (each[:: max(kept // SHOWN, 1)] for each in rank_band(kept, chains))
    reach = 1.6 * float(max((high - x).max(), (x - low).max()))
    charts = []
    for name in names:
        relative = relative_ranks(drawn[name][:, ::factor])
        charts.append(_rank_chart(name, relative, (x, low, high), reach))
    return Sheet(tuple(charts), warning_of(fit), columns=min(3, len(charts)), height=2.4)


def energy(fit: Analysis) -> Sheet:
    """The energy of all draws, and how far one step changes it: alike where chains move freely.

    Betancourt (2016), arXiv:1604.00695; the smallest BFMI of the chains is in the title.
    """
    energies = np.asarray(fit.stats["energy"], dtype=float)
    centred = np.ravel(energies - energies.mean())
    steps = np.ravel(np.diff(energies, axis=-1))
    layers: list[Layer] = []
    top, ends = 0.0, [0.0, 0.0]
    for values, color, name in (
        (centred, BLUE, "energy, less its mean"),
        (steps, ORANGE, "change of energy in one step"),
    ):
        if np.ptp(values) == 0.0:
            continue
        x, density = coarse(values)
        layers += [Band(x, 0.0 * x, density, color, 0.2), Line(x, density, color, name)]
        top = max(top, float(density.max()))
        ends = [min(ends[0], float(x.min())), max(ends[1], float(x.max()))]
    chart = Chart(
        x=Axis("energy, in units of log density", "linear", (ends[0], ends[1])),
        y=Axis("density", "linear", (0.0, 1.25 * top or 1.0), ticked=False),
        layers=tuple(layers),
        title=f"smallest BFMI of the chains: {diagnostic(fit.verdict.bfmi_min, 2)}",
        legend="right",
    )
    return Sheet((chart,), warning_of(fit), height=2.8)


def _rank_chart(
    name: str, relative: Numbers, band: tuple[Numbers, Numbers, Numbers], reach: float
) -> Chart:
    x, low, high = band
    layers: list[Layer] = [Band(x, low - x, high - x, GRAY, 0.25, "95 % band")]
    layers.append(Rule(0.0, "y", INK, dashed=False))
    for chain, values in enumerate(relative):
        below = np.searchsorted(np.sort(values), x, side="right") / len(values)
        reach = max(reach, 1.15 * float(np.abs(below - x).max()))
        color = COLORS[chain % len(COLORS)]
        says = tuple(f"chain {chain + 1}" for _ in x)
        layers.append(
            Line(x, below - x, color, f"chain {chain + 1}", width=1.1, dashed=chain >= 4, says=says)
        )
    return Chart(
        x=Axis("fractional rank", "linear", (0.0, 1.0)),
        y=Axis("excess of ranks below", "linear", (-reach, reach)),
        layers=tuple(layers),
        title=name.replace("_", " "),
        legend="none",
    )
