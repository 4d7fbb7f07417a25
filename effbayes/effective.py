r"""Growth of effective compute: algorithms, hardware and spending, together.

What one can do with compute grows with the compute there is (spending times what a unit of money
buys) and with how little of it the same level needs. In doublings per year the rates add up,

.. math::

    r = r_{\text{algorithmic}} + r_{\text{hardware}} + r_{\text{spending}}

each a posterior or a published interval (`effbayes.rates`), drawn as independent of the others:
nothing is known of how their errors go together. Every rate is taken as constant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effbayes import posterior as post
from effbayes.errors import UsageError, checked_seed
from effbayes.posterior import Interval
from effbayes.rates import Posterior, Rate, parse
from effbayes.types import Estimate

COMPONENTS = ("algorithmic", "hardware", "spending")

DRAWS = 100_000
"""Fewest draws of the sum; a posterior's own are used over and over, each equally often."""

NO_SHARE = "the rates together may be zero or less, and there are no shares of that"

Sample = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Component:
    """One part of the growth.

    Attributes
    ----------
    text, kind
        As it was given; see `effbayes.rates.Rate`.
    share
        Of the rates together.
    """

    text: str
    kind: str
    rate_per_year: Estimate
    doubling_time_months: Estimate
    share: Estimate


@dataclass(frozen=True)
class Effective:
    """Growth of effective compute.

    Attributes
    ----------
    factor
        Over `years`; None where no period was asked for.
    prob_growth
        Probability that the rates together are positive.
    draws
        Number of draws that everything is computed from.
    """

    components: Mapping[str, Component]
    rate_per_year: Estimate
    doubling_time_months: Estimate
    factor_per_year: Estimate
    factor: Estimate | None
    years: float | None
    prob_growth: float
    draws: int


def effective_compute(
    components: Mapping[str, Rate | str | Sample],
    *,
    years: float | None = None,
    interval: Interval | None = None,
    seed: int = 0,
) -> Effective:
    """Add rates up.

    Parameters
    ----------
    components
        At least two rates by name: a rate, an expression as `effbayes.rates.parse` takes it, or
        posterior draws in doublings per year (``fit.draws["rate"]``). The name is part of the seed
        of a rate's draws, so that they do not depend on what the others are.
    years
        A period to give the factor over.
    interval
        Which credible interval; 95 %, equal-tailed by default.
    seed
        The same seed gives the same draws.

    Raises
    ------
    UsageError
        Fewer than two rates, or a period or seed that is none.

    Examples
    --------
    >>> found = effective_compute({"algorithmic": "16mo", "hardware": "moore"})
    >>> round(found.doubling_time_months.median, 2)
    9.6
    """
    chosen = (interval or Interval()).check()
    if len(components) < 2:
        raise UsageError(f"effective compute needs at least two of {', '.join(COMPONENTS)}")
    if years is not None and not np.isfinite(years):
        raise UsageError(f"a period of {years} years; it must be a finite number")
    seed = checked_seed(seed)
    rates = {name: _rate(given) for name, given in components.items()}
    number = max(DRAWS, *(rate.size for rate in rates.values()))
    drawn = {name: rate.draw(number, _rng(seed, name)) for name, rate in rates.items()}
    total = np.sum(list(drawn.values()), axis=0)
    return Effective(
        components={
            name: Component(
                rate.text,
                rate.kind,
                post.estimate(drawn[name], chosen),
                post.doubling_time(drawn[name], chosen),
                _share(drawn[name], total, chosen),
            )
            for name, rate in rates.items()
        },
        rate_per_year=post.estimate(total, chosen),
        doubling_time_months=post.doubling_time(total, chosen),
        factor_per_year=post.trend_factor(total, 1.0, chosen),
        factor=None if years is None else post.trend_factor(total, years, chosen),
        years=years,
        prob_growth=float(np.mean(total > 0.0)),
        draws=number,
    )


def _rate(given: Rate | str | Sample) -> Rate:
    if isinstance(given, str):
        return parse(given)
    return Posterior("posterior draws", given) if isinstance(given, np.ndarray) else given


def _share(part: Sample, total: Sample, interval: Interval) -> Estimate:
    if np.any(total <= 0.0):
        return Estimate(None, None, None, NO_SHARE)
    return post.estimate(part / total, interval)


def _rng(seed: int, name: str) -> np.random.Generator:
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(digest[:16])]))
