"""The figures of a report, for a page: each takes a fit and returns a model of Bokeh.

The same names as in `effbayes.figures.report_figures`, the same numbers, colours and order. Where
there are several views, such as a log and a linear axis, they are tabs. Nothing is shown or
written, and no document is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from effbayes.figures import posterior_charts, sampler_charts, trend_charts
from effbayes.figures.bokeh_drawing import draw
from effbayes.figures.posterior_charts import IN_MONTHS, Unit

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from effbayes.analysis import Analysis
    from effbayes.figures.trend_charts import Scale

LOG_FIRST: tuple[Scale, Scale] = ("log", "linear")
LINEAR_FIRST: tuple[Scale, Scale] = ("linear", "log")
UNITS: tuple[Unit, ...] = tuple(IN_MONTHS)


def trend(fit: Analysis) -> LayoutDOM:
    """Values with the trend's 50 % and 95 % bands and Moore's law; log or linear axis."""
    return draw({f"{scale} axis": trend_charts.trend(fit, scale) for scale in LOG_FIRST})


def factor(fit: Analysis) -> LayoutDOM:
    """Efficiency since the first row used, with the trend's bands; linear or log axis."""
    return draw({f"{scale} axis": trend_charts.factor(fit, scale) for scale in LINEAR_FIRST})


def doubling_time(fit: Analysis, *, published: float | None = None) -> LayoutDOM:
    """Posterior density of the doubling time with its 95 % interval; months or years.

    Parameters
    ----------
    published
        A claim, in months, to be marked.
    """
    return draw({unit: posterior_charts.doubling_time(fit, published, unit) for unit in UNITS})


def prior_posterior(fit: Analysis) -> LayoutDOM:
    """Prior density against posterior of every parameter.

    Raises
    ------
    UsageError
        The prior is improper.
    """
    return draw({"": posterior_charts.prior_posterior(fit)})


def forecast(fit: Analysis, *, until: str | None = None) -> LayoutDOM:
    """The trend, and the band that holds new systems, to a later date; log or linear axis.

    Parameters
    ----------
    until
        A date as `effbayes.forecasting.day_of` reads it; None is half the span past the last row.

    Raises
    ------
    UsageError
        The date is not after the last row used.
    """
    return draw({f"{each} axis": trend_charts.forecast(fit, until, each) for each in LOG_FIRST})


def predictive_check(fit: Analysis) -> LayoutDOM:
    """What the fit expects at each row's date, 50 % and 95 %, beside the row."""
    return draw({"": trend_charts.predictive_check(fit)})


def ranks(fit: Analysis) -> LayoutDOM:
    """How far each chain's ranks are from uniform."""
    return draw({"": sampler_charts.ranks(fit)})


def energy(fit: Analysis) -> LayoutDOM:
    """Marginal energy against its change in one step, with the smallest BFMI."""
    return draw({"": sampler_charts.energy(fit)})


def forest(fits: Sequence[Analysis], *, published: Mapping[str, float] | None = None) -> LayoutDOM:
    """Doubling times of several series on a log axis; months or years.

    Parameters
    ----------
    published
        Claims in months by id of the series.
    """
    return draw({unit: posterior_charts.forest(fits, published, unit) for unit in UNITS})


def models(fits: Sequence[Analysis]) -> LayoutDOM:
    """Doubling times of one series by several models; months or years."""
    return draw({unit: posterior_charts.models(fits, unit) for unit in UNITS})
