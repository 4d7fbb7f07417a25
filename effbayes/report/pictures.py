"""The pictures of a report: what each shows, said for those who see it and for those who do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from effbayes import wording
from effbayes.figures.panels import MOORE_MONTHS
from effbayes.figures.posterior_charts import shows
from effbayes.report.document import Picture

if TYPE_CHECKING:
    from effbayes.analysis import Analysis

BANDS = "Bands hold the trend with 50 % and 95 % posterior probability"
INTERVALS = "median, 50 % interval (thick) and 95 % interval (thin)"


def trend(fit: Analysis, said: Mapping[str, Any]) -> Picture:
    """Values, and the trend."""
    caption = (
        f"{fit.series.unit or 'Values'}, on a logarithmic axis. {BANDS}; new systems scatter more. "
        "Blue: rows that set a record; gray: other rows; hollow: rows that this fit does not use. "
        "Bars are bounds, or one standard deviation. Dashed: Moore's law, a doubling every "
        f"{MOORE_MONTHS:g} months."
    )
    alt = (
        f"{fit.series.n_obs} rows used from {' to '.join(fit.series.span)}. The doubling time of "
        f"efficiency is {wording.doubling_time(said['doubling_time_months'], 'months')}."
    )
    return _both("trend", caption, alt, fit)


def factor(fit: Analysis, said: Mapping[str, Any]) -> Picture:
    """Efficiency since the first row."""
    caption = f"The same as efficiency since the first row used, on a linear axis. {BANDS}."
    found = wording.estimate(said["efficiency_factor"]["trend"])
    return _both("factor", caption, f"Over the rows efficiency grows {found} times.", fit)


def doubling_time(
    fit: Analysis, said: Mapping[str, Any], published: float | None = None
) -> Picture:
    """Density of the doubling time."""
    caption = (
        "Posterior density of the doubling time of efficiency. The darker part is the equal-tailed "
        "95 % interval."
    )
    alt = wording.doubling_time(said["doubling_time_months"], "months")
    if published is not None:
        caption += (
            " The dashed line is the published claim."
            if shows(fit, published)
            else " The published claim lies beyond the axis."
        )
        alt += f"; the published claim is {wording.number(published)} months"
    return _both("doubling_time", caption, f"Doubling time: {alt}.", fit, published=published)


def prior_posterior(fit: Analysis) -> Picture:
    """What the data changed."""
    caption = (
        "Prior density (gray) against posterior (blue) of every parameter; where the two agree, "
        "the data say nothing."
    )
    return _both("prior_posterior", caption, "Prior and posterior densities.", fit)


def forecast(fit: Analysis, until: str, alt: str) -> Picture:
    """The trend carried on."""
    caption = (
        "The trend carried on, as if nothing changed. Blue bands hold the trend with 50 % and 95 % "
        "probability, the green one a new system with 95 %."
    )
    return _both("forecast", caption, alt, fit, until=until)


def predictive_check(fit: Analysis) -> Picture:
    """Replicated rows against rows."""
    caption = (
        "What the model says of each row that it used (bars: 50 % and 95 % of replicates by the "
        "posterior), and the row itself."
    )
    return _both("predictive_check", caption, "Rows and their posterior predictive intervals.", fit)


def ranks(fit: Analysis) -> Picture:
    """Whether chains are alike."""
    caption = (
        "Ranks of the draws of each chain among those of all, less what uniform ranks have; chains "
        "that are alike stay in the gray band with 95 % probability, all of them."
    )
    return _both(
        "ranks", caption, f"Largest R-hat {wording.diagnostic(fit.verdict.r_hat_max, 4)}.", fit
    )


def energy(fit: Analysis) -> Picture:
    """Whether chains move freely."""
    caption = (
        "Energy of the draws, and how far one step of the sampler changes it: the closer the two, "
        "the more freely the chains move."
    )
    return _both(
        "energy", caption, f"Smallest BFMI {wording.diagnostic(fit.verdict.bfmi_min, 2)}.", fit
    )


def forest(fits: Sequence[Analysis], published: Mapping[str, float], alt: str) -> Picture:
    """Doubling times of several series."""
    caption = f"Doubling times on a logarithmic axis: {INTERVALS}."
    if published:
        caption += " Marks are published claims."
    return _both("forest", caption, alt, fits, published=published)


def models(fits: Sequence[Analysis], alt: str) -> Picture:
    """Doubling times of one series by several models."""
    caption = f"Doubling time by each model, on a logarithmic axis: {INTERVALS}."
    return _both("models", caption, alt, fits)


def _both(name: str, caption: str, alt: str, of: Any, **options: Any) -> Picture:
    """Drawn for print, and to explore; libraries that draw are imported when it is."""

    def draw() -> Any:
        from effbayes.figures import report_figures  # noqa: PLC0415 - as said

        return getattr(report_figures, name)(of, **options)

    def explore() -> Any:
        from effbayes.figures import interactive  # noqa: PLC0415 - as said

        return getattr(interactive, name)(of, **options)

    return Picture(name.replace("_", "-"), caption, alt, draw, explore)
