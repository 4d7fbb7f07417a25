"""Everything that is reported of a run, as the strict JSON of `effbayes sample` has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from effbayes import posterior as post
from effbayes.dataset.series import Series
from effbayes.diagnostics import Chains, Diagnostics, mcse_mean
from effbayes.domains import reference_rates
from effbayes.posterior import FACTOR_KINDS, Interval
from effbayes.trend import factor, rate_per_year
from effbayes.types import Estimate, IntervalKind

SCHEMA = "effbayes.summary/1"
SUMMARIES_SCHEMA = "effbayes.summaries/1"
"""Of several series in one document."""


class Run(Protocol):
    """What a summary is made from; see `effbayes.analysis.Analysis`."""

    @property
    def series(self) -> Series:
        """The table."""

    @property
    def draws(self) -> Mapping[str, Chains]:
        """Posterior draws by name."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Model, priors and sampler."""

    @property
    def made_by(self) -> Mapping[str, Any]:
        """Versions, device and digests."""

    @property
    def diagnostics(self) -> Diagnostics:
        """Figures and verdict."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""

    def efficiency_factor(
        self,
        start: np.datetime64,
        end: np.datetime64,
        kind: str,
        ci: float,
        interval: IntervalKind,
    ) -> Estimate:
        """Efficiency factor between two dates."""


def summarize(run: Run, interval: Interval) -> dict[str, Any]:
    """Every number of a run, its verdict and its provenance.

    Parameters
    ----------
    run
        The analysis.
    interval
        Probability and kind of every credible interval.

    Returns
    -------
    dict
        Finite numbers, strings, None, lists and mappings only.
    """
    series, rate = run.series, run.draws["rate"]
    return {
        "schema": SCHEMA,
        "domain": series.domain or None,
        "series": series.name,
        "model": run.settings["model"],
        "prior": run.settings["prior"],
        "noise": run.settings["noise"],
        "n_obs": series.n_obs,
        "n_table": series.n_table,
        "rows": series.rows,
        "span": list(series.span),
        "origin": str(series.origin),
        "unit": series.unit,
        "direction": series.direction,
        "published": series.published,
        "ci": interval._asdict(),
        "doubling_time_months": post.as_dict(post.doubling_time(rate, interval)),
        "rate_per_year": {**post.as_dict(post.estimate(rate, interval)), **_moments(run)},
        "factor_per_year": post.as_dict(post.trend_factor(rate, 1.0, interval)),
        "efficiency_factor": _factors(run, interval),
        "prob_progress": float(np.mean(rate > 0.0)),
        **_own(run, interval),
        "references": _references(rate, post.years_between(*series.ends)),
        "parameters": _parameters(run, interval),
        "diagnostics": _diagnostics(run.diagnostics),
        "sampler": dict(run.settings["sampler"]),
        "notes": [*series.remarks, *run.notes],
        "provenance": dict(run.made_by),
    }


def _moments(run: Run) -> dict[str, Any]:
    """Mean, standard deviation and error of the mean, where they exist.

    Under the reference prior the rate is Student's t with n - 2 degrees of freedom.
    """
    rate = run.draws["rate"]
    if run.settings["prior"] == "reference" and run.series.n_obs <= 4:
        why = "does not exist: the posterior has n - 2 degrees of freedom"
        return {"mean": None, "sd": None, "mcse": None, "note": f"mean or sd {why}"}
    return {"mean": float(rate.mean()), "sd": float(rate.std(ddof=1)), "mcse": mcse_mean(rate)}


def _factors(run: Run, interval: Interval) -> dict[str, Any]:
    # Dates, not their text: a row may have the date of another for its label.
    start, end = run.series.ends
    factors: dict[str, Any] = {"from": str(start), "to": str(end)}
    for kind in FACTOR_KINDS:
        found = run.efficiency_factor(start, end, kind, interval.prob, interval.kind)
        factors[kind] = post.as_dict(found)
    return factors


def _references(rate: Chains, years: float) -> list[dict[str, Any]]:
    return [
        {
            "name": reference.name,
            "doubling_time_months": reference.doubling_time_months,
            "factor": _factor_of(reference.doubling_time_months, years),
            "prob_faster": post.prob_faster(rate, rate_per_year(reference.doubling_time_months)),
        }
        for reference in reference_rates()
    ]


def _factor_of(doubling_time: float, years: float) -> float | None:
    """Factor of a rate over a period; None where it is beyond double precision."""
    with np.errstate(over="ignore"):
        found = float(factor(rate_per_year(doubling_time), years))
    return found if np.isfinite(found) else None


def _own(run: Run, interval: Interval) -> dict[str, Any]:
    """What a model has to say that others have not."""
    draws, series = run.draws, run.series
    if run.settings["model"] == "changepoint":
        before, after = draws["rate_before"], draws["rate_after"]
        change = post.estimate(draws["changepoint"], interval)
        ends = {
            name: None if years is None else str(post.date_after(series.origin, years))
            for name, years in change._asdict().items()
            if name != "note"
        }
        found = {
            "date": ends,
            "doubling_time_before_months": post.as_dict(post.doubling_time(before, interval)),
            "doubling_time_after_months": post.as_dict(post.doubling_time(after, interval)),
            "prob_faster_after": float(np.mean(after > before)),
        }
        if np.all(before > 0.0):
            found["rate_ratio"] = post.as_dict(post.estimate(after / before, interval))
        return {"change": found}
    if run.settings["model"] == "drift":
        path = draws["path_rate"]
        start, end = series.ends
        dates = start + (end - start) * np.linspace(0.0, 1.0, path.shape[-1])
        rates = [
            {"date": str(date), **post.as_dict(post.estimate(path[..., i], interval))}
            for i, date in enumerate(dates.astype("datetime64[D]"))
        ]
        at_end = post.doubling_time(draws["rate_end"], interval)
        return {"drift": {"doubling_time_at_end_months": post.as_dict(at_end), "rate": rates}}
    return {}


def _parameters(run: Run, interval: Interval) -> dict[str, Any]:
    figures = run.diagnostics.quantities
    return {
        name: {
            **post.as_dict(post.estimate(run.draws[name], interval)),
            **{key: strict(value) for key, value in asdict(figures[name]).items()},
        }
        for name in run.settings["parameters"]
    }


def _diagnostics(found: Diagnostics) -> dict[str, Any]:
    shown = found.as_dict()
    shown.pop("quantities")
    return {name: strict(value) for name, value in shown.items()}


def strict(value: Any) -> Any:
    """Null in place of NaN: the JSON is strict."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
