"""Posterior densities and intervals, as charts: doubling times, parameters, several fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from effbayes.errors import UsageError
from effbayes.figures.charts import (
    WIDE,
    Axis,
    Band,
    Bars,
    Chart,
    Layer,
    Line,
    Numbers,
    Points,
    Rule,
    Sheet,
    warning_of,
)
from effbayes.figures.densities import density_at
from effbayes.figures.palette import BLUE, GRAY, ORANGE
from effbayes.figures.panels import shown
from effbayes.posterior import Interval
from effbayes.posterior import doubling_time as turned
from effbayes.tree import UNITS as UNITS_OF_DRAWS
from effbayes.types import Estimate
from effbayes.wording import number

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

Unit = Literal["months", "years"]
IN_MONTHS: dict[Unit, float] = {"months": 1.0, "years": 12.0}
POINTS = 180
LONGEST_TIMES = 4.0
"""Times the median up to which a density of doubling times is drawn."""

FARTHEST_TIMES = 12.0
"""Times the largest median up to which intervals of several fits are drawn."""

LONGEST_NAME = 40
CI = 0.95
POSITIVE = ("doubling_time", "sigma", "eta", "nu", "drift")


def doubling_time(fit: Analysis, published: float | None = None, unit: Unit = "months") -> Sheet:
    """Density of the doubling time with its interval; a published value as a line.

    Parameters
    ----------
    published
        In months.
    unit
        Of the axis.
    """
    per = IN_MONTHS[unit]
    rate = np.ravel(fit.draws["rate"])
    estimate = turned(rate, Interval(CI))
    start, end = _range_of_times(rate, estimate, published)
    x = np.linspace(start, end, POINTS)
    # That of the rate, turned over: what lies at infinity is not squeezed into the picture.
    density = density_at(rate, 12.0 / x) * 12.0 / x**2
    zero, top = np.zeros(POINTS), max(float(density.max()), 1e-300)
    density /= top
    low = estimate.low if estimate.low is not None else end
    high = estimate.high if estimate.high is not None else end
    inside = (x >= low) & (x <= high)
    beyond = float(np.mean(~((rate > 0.0) & (12.0 / np.where(rate > 0.0, rate, 1.0) <= end))))
    layers: list[Layer] = [Band(x / per, zero, density, BLUE, WIDE)]
    if np.any(inside):
        said = f"{CI:.0%} interval".replace("%", " %")
        layers.append(Band(x[inside] / per, zero[inside], density[inside], BLUE, WIDE, said))
    says = tuple(f"{number(time / per)} {unit}" for time in x)
    layers.append(Line(x / per, density, BLUE, "posterior", says=says))
    if estimate.median is not None and estimate.median <= end:
        name = f"median, {number(estimate.median / per)} {unit}"
        layers.append(Rule(estimate.median / per, "x", BLUE, name, dashed=False))
    if published is not None and published <= end:
        name = f"published, {number(published / per)} {unit}"
        layers.append(Rule(published / per, "x", ORANGE, name))
    share = f"; longer, or no progress: {beyond:.2g}" if beyond >= 0.005 else ""
    chart = Chart(
        x=Axis(f"doubling time, {unit}{share}", "linear", (start / per, end / per)),
        y=Axis("posterior density", "linear", (0.0, 1.08), ticked=False),
        layers=tuple(layers),
        legend="right",
    )
    return Sheet((chart,), warning_of(fit), height=3.0)


def shows(fit: Analysis, published: float) -> bool:
    """Whether a published value, in months, is within the picture of the doubling time."""
    rate = np.ravel(fit.draws["rate"])
    return published <= _range_of_times(rate, turned(rate, Interval(CI)), published)[1]


def prior_posterior(fit: Analysis) -> Sheet:
    """Prior density against posterior of every parameter.

    Raises
    ------
    UsageError
        The prior is flat: it has no density.
    """
    prior = fit.arrays("prior")
    if not prior:
        raise UsageError("the prior is improper: there is no density to draw")
    wanted = ("doubling_time", *fit.settings["parameters"])
    names = [name for name in wanted if name in prior and name in fit.draws]
    charts = []
    for name in names:
        positive = name in POSITIVE and _all_positive(prior[name], fit.draws[name])
        before, after = (np.ravel(np.asarray(x)) for x in (prior[name], fit.draws[name]))
        charts.append(_two_densities(name, before, after, positive=positive))
    return Sheet(tuple(charts), warning_of(fit), columns=min(3, len(charts)), height=2.5)


def forest(
    fits: Sequence[Analysis], published: Mapping[str, float] | None = None, unit: Unit = "months"
) -> Sheet:
    """Doubling times of several series on a log axis, published claims as marks.

    Parameters
    ----------
    published
        Months by id of the series.
    """
    claims = published or {}
    bars = [_Bar(fit.series.id, fit, claims.get(fit.series.id)) for fit in fits]
    return _intervals(bars, unit)


def models(fits: Sequence[Analysis], unit: Unit = "months") -> Sheet:
    """Doubling times of one series by several models."""
    found = [fit.settings for fit in fits]
    kinds = {each["model"] for each in found}
    told_apart = [("model", "{}")]
    for setting, words in (("prior", "{} prior"), ("noise", "{} noise")):
        if len({(each["model"], each[setting]) for each in found}) > len(kinds):
            told_apart.append((setting, words))
    bars = []
    for fit in fits:
        words_of = [words.format(fit.settings[setting]) for setting, words in told_apart]
        bars.append(_Bar(", ".join(words_of), fit, None))
    return _intervals(bars, unit)


class _Bar(NamedTuple):
    """One fit of several."""

    name: str
    fit: Analysis
    published: float | None


def _intervals(bars: Sequence[_Bar], unit: Unit) -> Sheet:
    if not bars:
        raise UsageError("there is no fit to draw")
    per = IN_MONTHS[unit]
    estimates = [
        (turned(bar.fit.draws["rate"], Interval(CI)), turned(bar.fit.draws["rate"], Interval(0.5)))
        for bar in bars
    ]
    start, end = _range_of_intervals(bars, [wide for wide, _ in estimates])
    layers: list[Layer] = []
    for place, (wide, narrow) in enumerate(estimates):
        for each, width, opacity in ((wide, 2.0, 0.55), (narrow, 6.0, 0.45)):
            if each.low is not None and each.low < end:
                high = end if each.high is None else min(each.high, end)
                at = np.array([float(place)])
                x0, x1 = np.array([each.low / per]), np.array([high / per])
                layers.append(Bars(x0, at, x1, at, BLUE, width, opacity))
    layers += _marks(bars, [wide for wide, _ in estimates], end, unit)
    names = tuple(shown(bar.name, LONGEST_NAME) for bar in bars)
    bad = [bar for bar in bars if not bar.fit.verdict.ok]
    chart = Chart(
        x=Axis(f"doubling time, {unit}", "log", (start / per, end / per)),
        y=Axis("", "names", (len(bars) - 0.4, -0.6), names=names),
        layers=tuple(layers),
        legend="above",
    )
    warning = f"Not converged: {len(bad)} of {len(bars)}" if bad else ""
    return Sheet((chart,), warning, height=1.2 + 0.32 * len(bars))


def _marks(
    bars: Sequence[_Bar], estimates: Sequence[Estimate], end: float, unit: Unit
) -> list[Layer]:
    """Medians, claims, and what goes on beyond the axis."""
    per = IN_MONTHS[unit]
    found: dict[tuple[str, str, bool], list[tuple[float, int]]] = {}
    for place, (bar, each) in enumerate(zip(bars, estimates, strict=True)):
        hollow = not bar.fit.verdict.ok
        name = "median, not converged" if hollow else "median"
        if each.median is not None and each.median <= end:
            found.setdefault((name, "o", hollow), []).append((each.median, place))
        if each.high is None or each.high > end:
            found.setdefault(("goes on, or no progress", ">", False), []).append((end, place))
        if bar.published is not None:
            found.setdefault(("published", "D", False), []).append((bar.published, place))
    layers: list[Layer] = []
    for (name, marker, hollow), at in found.items():
        about = tuple(_about_bar(bars[place], estimates[place], unit) for _, place in at)
        x, y = np.array([value / per for value, _ in at]), np.array([float(p) for _, p in at])
        color = ORANGE if marker == "D" else BLUE
        size = 6.0 if marker == "o" else 5.0
        layers.append(Points(x, y, color, about, name, marker, size, hollow))
    return layers


def _about_bar(bar: _Bar, estimate: Estimate, unit: Unit) -> tuple[tuple[str, str], ...]:
    per = IN_MONTHS[unit]
    if estimate.low is None:
        interval = "no progress"
    elif estimate.high is None:
        interval = f"longer than {number(estimate.low / per)} {unit}, or no progress"
    else:
        interval = f"{number(estimate.low / per)} to {number(estimate.high / per)} {unit}"
    median = "none" if estimate.median is None else f"{number(estimate.median / per)} {unit}"
    said = [("label", shown(bar.name, LONGEST_NAME)), ("median", median), ("95 %", interval)]
    claim = "none" if bar.published is None else f"{number(bar.published / per)} {unit}"
    said.append(("published", claim))
    said.append(("sampler", bar.fit.verdict.verdict))
    return tuple(said)


def _range_of_intervals(bars: Sequence[_Bar], estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Ends of an axis in months: medians and claims, intervals as far as they do not dwarf them."""
    core = [e.median for e in estimates if e.median is not None]
    core += [bar.published for bar in bars if bar.published is not None]
    core += [e.low for e in estimates if e.low is not None and not core]
    low, high = (min(core), max(core)) if core else (12.0, 24.0)
    lows = [e.low for e in estimates if e.low is not None]
    highs = [FARTHEST_TIMES * high if e.high is None else e.high for e in estimates]
    start = max(min([low, *lows]), low / FARTHEST_TIMES)
    end = min(max([high, *highs]), high * FARTHEST_TIMES)
    return start / 1.15, end * 1.15


def _range_of_times(
    rate: Numbers, estimate: Estimate, published: float | None
) -> tuple[float, float]:
    """Ends of an axis in months: the interval, or as much of it as can be drawn."""
    positive = rate[rate > 0.0]
    if not len(positive):
        return 1.0, 120.0
    times = 12.0 / positive
    middle = estimate.median if estimate.median is not None else float(np.median(times))
    longest = LONGEST_TIMES * middle
    high = longest if estimate.high is None else min(1.15 * estimate.high, longest)
    low = float(np.quantile(times, 0.001))
    if published is not None:
        low, high = min(low, 0.9 * published), max(high, min(1.15 * published, 3.0 * longest))
    return 0.85 * low, high


def _two_densities(name: str, before: Numbers, after: Numbers, *, positive: bool) -> Chart:
    """Both as densities of the axis's own scale, over where the posterior is."""
    old, new = (np.log(before), np.log(after)) if positive else (before, after)
    low, middle, high = np.quantile(new, [0.005, 0.5, 0.995])
    reach = max(float(high - low), 1e-9 * max(abs(float(middle)), 1.0))
    x = np.linspace(low - 0.8 * reach, high + 0.8 * reach, POINTS)
    drawn = [density_at(each, x) for each in (old, new)]
    top = float(max(each.max() for each in drawn))
    at, zero = (np.exp(x) if positive else x), np.zeros(POINTS)
    unit = UNITS_OF_DRAWS.get(name, "")
    layers: list[Layer] = []
    for density, color, said in ((drawn[0], GRAY, "prior"), (drawn[1], BLUE, "posterior")):
        layers.append(Band(at, zero, density / top, color, 0.22))
        layers.append(Line(at, density / top, color, said))
    return Chart(
        x=Axis(unit, "log" if positive else "linear", (float(at[0]), float(at[-1]))),
        y=Axis("density", "linear", (0.0, 1.15), ticked=False),
        layers=tuple(layers),
        title=name.replace("_", " "),
        legend="left",
    )


def _all_positive(*drawn: Numbers) -> bool:
    return all(bool(np.all(np.asarray(each) > 0.0)) for each in drawn)
