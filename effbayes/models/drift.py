r"""A rate of progress that drifts: the local linear trend.

.. math::

    r(t) = r_0 + q W(t), \qquad
    f(t) = \alpha - \int_0^t r(s)\,ds, \qquad
    y_i \sim \mathrm{Normal}(f(t_i),\ s_i)

with W a two-sided standard Wiener process, W(0) = 0 at the mean date of the rows, and
:math:`s_i^2 = \sigma^2 + \mathrm{value\_sd}_i^2 + (r_0\,\mathrm{date\_sd}_i)^2` (for a rising
series the sign of r turns). The path is integrated out: with K the covariance of the integrated
Wiener process (`effbayes.models.wiener`)

.. math::

    y \sim \mathrm{Normal}(\alpha - r_0 t,\ q^2 K + \mathrm{diag}(s^2))

which is the log-linear trend at q = 0. A row known only to lie between two bounds counts as their
middle with the variance of a uniform, width squared over twelve: only normal rows can be integrated
in closed form. One bound alone cannot be used.

Given parameters and data the path is normal too. It is drawn by conditioning a draw from the prior
(Matheron's rule; Wilson et al. 2021, Journal of Machine Learning Research 22): a path and rows
simulated at the parameters are corrected by what the data say of their difference. This stays exact
as q vanishes, where the covariance of the path is singular.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import PerObs, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import DataError, UsageError
from effbayes.models import as_normal, wiener
from effbayes.models.censoring import log_interval_normal
from effbayes.models.contract import Data, Parameters, bucket_size, is_censored
from effbayes.models.drift_marginal import marginal
from effbayes.models.priors import DriftPriors
from effbayes.models.trend_model import Positive, TrendModel

if TYPE_CHECKING:
    from effbayes.models.drift_program import Program

KNOTS = 33
"""Dates at which a path is kept, equally spaced from the first row used to the last."""

SHORT = 32
"""Rows of a bucket up to which one program serves every series, whatever its errors."""

MOST_ROWS = 512
"""Rows past which a covariance matrix per step is too slow."""

_ON_A_LINE = 1e-9  # doublings: below the rounding of any value that was printed
_REMEDY = "state the measurement error of the values (value_sd)"


Priors = DriftPriors


@dataclass(frozen=True)
class Drift(TrendModel):
    """A drifting rate as a `effbayes.models.contract.Model`.

    ``rate_mid`` is the rate at the mean date, ``rate`` the mean over the span of the rows,
    ``rate_end`` that at the last of them; the last two belong to the path that `complete` draws.

    Parameters
    ----------
    priors
        Prior distributions.
    alike
        Whether all rows have one variance about the path, which makes long series cheap.
    """

    priors: Priors = field(default_factory=Priors)
    alike: bool = False
    name: str = "drift"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the rate, in the order they are shown."""
        return ("alpha", "rate_mid", "rate_end", "sigma", "drift")

    @property
    def own(self) -> tuple[Positive, ...]:
        """The drift."""
        return (Positive("drift", self.priors.drift_scale),)

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.drift_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.alike)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the path, in doublings."""
        return values["sigma"] * jax.random.normal(key, shape)

    def beside(self, own: Any, data: Data) -> PerObs:
        """The path's variance at each row."""
        return own["drift"] ** 2 * wiener.covariance(data.t, data.t)

    def constrain(self, position: Position, data: Data) -> dict[str, Scalar]:
        """Alpha, sigma, drift and the rate at the mean date."""
        values = super().constrain(position, data)
        return {name: values[name] for name in ("alpha", "sigma", "drift")} | {
            "rate_mid": values["rate"]
        }

    def complete(self, key: RandomKey, values: Parameters, data: Data) -> dict[str, Array]:
        """A path given parameters and data, and the rates that it has.

        Returns
        -------
        dict
            ``path_level`` (log2 of the unit) and ``path_rate`` at `knots`, dims (knot,); ``rate``
            and ``rate_end``.
        """
        key_path, key_noise = jax.random.split(key)
        at = knots(data)
        path = wiener.draw(key_path, jnp.concatenate([data.t, at]))
        q, sign, n = values["drift"], data.slope_sign, data.t.shape[0]
        rows = marginal(values, data, alike=self.alike)
        made = rows.mean + sign * q * path.level[:n]
        made += rows.sd * jax.random.normal(key_noise, (n,))
        missed = jnp.where(data.mask, as_normal.middle(data) - made, 0.0)
        weight = sign * q * rows.covariance.solve(missed)
        here, there = at[:, None], data.t[None, :]
        return _described(
            values,
            data,
            wiener.States(
                q * (path.level[n:] + wiener.covariance(here, there) @ weight),
                q * (path.rate[n:] + wiener.covariance_with_rate(here, there) @ weight),
            ),
        )

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of (alpha, doubling time or rate at the mean date, sigma, drift)."""
        joint = self._joint(_sites(values), data)
        return joint - marginal(values, data, alike=self.alike).log_density(
            as_normal.middle(data), data
        )

    def log_likelihood(self, values: Parameters, data: Data) -> PerObs:
        """Log density of each row given all others and the parameters; zero for padding.

        Rows are dependent, and these do not sum to the joint log density. With P the inverse of the
        covariance and w = P (y - mean), row i given the others is normal with mean
        ``y_i - w_i / P_ii`` and variance ``1 / P_ii`` (Sundararajan and Keerthi 2001; Bürkner,
        Gabry and Vehtari 2021). A row with bounds has the probability of lying between them, as in
        every other model, so that the figures of all can be compared: only the others count as
        their middles there.
        """
        rows = marginal(values, data, alike=self.alike)
        precision = rows.covariance.precisions()
        missed = jnp.where(data.mask, as_normal.middle(data) - rows.mean, 0.0)
        weight = rows.covariance.solve(missed)
        found = 0.5 * (jnp.log(precision / (2.0 * jnp.pi)) - weight**2 / precision)
        if not self.alike:
            inside = is_censored(data)
            half = 0.5 * jnp.where(inside, data.high - data.low, 2.0)
            # The row's own variance is part of 1 / P_ii; that of its bounds is taken out again.
            about = jnp.maximum(1.0 / precision - half**2 / 3.0, rows.sd**2 - half**2 / 3.0)
            sd = jnp.sqrt(jnp.where(inside, about, 1.0))
            middle = weight / precision
            ends = (middle - half) / sd, (middle + half) / sd
            found = jnp.where(inside, log_interval_normal(*ends), found)
        return jnp.where(data.mask, found, 0.0)

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> PerObs:
        """A replicated log2 value at each row.

        New systems on the path of `values`, which between knots is drawn afresh given its states
        there; on a new path altogether if `values` hold none.
        """
        key_path, key_noise = jax.random.split(key)
        at = knots(data)
        q, sign, n = values["drift"], data.slope_sign, data.t.shape[0]
        path = wiener.draw(key_path, jnp.concatenate([data.t, at]))
        rows = marginal(values, data, alike=self.alike)
        away = q * path.level[:n]
        if "path_level" in values:
            level = sign * (values["path_level"] - values["alpha"]) - values["rate_mid"] * at
            slope = values["path_rate"] - values["rate_mid"]
            missed = wiener.States(level - q * path.level[n:], slope - q * path.rate[n:])
            # The state at time zero is a parameter, whatever the path.
            nodes = jnp.append(at, 0.0)
            states = wiener.States(jnp.append(missed.level, 0.0), jnp.append(missed.rate, 0.0))
            away += wiener.interpolate(nodes, states, data.t)
        noise = rows.sd * jax.random.normal(key_noise, (n,))
        return jnp.where(data.mask, rows.mean + sign * away + noise, 0.0)

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Array]:
        """Parameters, a path and its rates drawn from the prior."""
        key_parameters, key_path = jax.random.split(key)
        drawn = super().prior_draw(key_parameters, data)
        values = {name: drawn[name] for name in ("alpha", "sigma", "drift")}
        values["rate_mid"] = drawn["rate"]
        path = wiener.draw(key_path, knots(data))
        q = values["drift"]
        return values | _described(values, data, wiener.States(q * path.level, q * path.rate))

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior is improper, or that has one-sided bounds.

        Raises
        ------
        DataError
            With the reason and what to do.
        """
        _require_normal_rows(series)
        _require_noise(series, self.priors.kind)


def knots(data: Data) -> Array:
    """Years from the mean date at which a path is kept; dims (knot,)."""
    share = jnp.linspace(0.0, 1.0, KNOTS)
    return data.first * (1.0 - share) + data.last * share


def _described(values: Parameters, data: Data, away: wiener.States) -> dict[str, Array]:
    """A path and its rates, from its distance to the straight line through alpha."""
    at = knots(data)
    rate = values["rate_mid"]
    path_rate = rate + away.rate
    return {
        "rate": rate + (away.level[-1] - away.level[0]) / (at[-1] - at[0]),
        "rate_end": path_rate[-1],
        "path_level": values["alpha"] + data.slope_sign * (rate * at + away.level),
        "path_rate": path_rate,
    }


def _sites(values: Parameters) -> dict[str, Array]:
    """Parameters under the names of the NumPyro program."""
    return {name: values[name] for name in ("alpha", "sigma", "drift")} | {
        "rate": values["rate_mid"]
    }


def make_model(series: Series, priors: Priors, *, robust: bool) -> Drift:
    """The model value for a series, checked against it.

    Raises
    ------
    UsageError
        Robust noise, which cannot be integrated in closed form, or the reference prior, under which
        the posterior does not exist: a path through every value lets sigma vanish, where a density
        flat in its logarithm has no end.
    DataError
        See `Drift.check`.
    """
    if robust:
        raise UsageError("model drift has normal noise alone: leave out robust")
    if priors.kind == "reference":
        raise UsageError(
            "model drift has no posterior under the reference prior, because a path through every "
            "value lets the noise vanish; use --prior default or signed"
        )
    model = Drift(priors=priors, alike=_are_alike(series))
    model.check(series)
    return model


def _are_alike(series: Series) -> bool:
    """Whether all rows have one variance, in a series so long that a program of its own pays."""
    used = series.used
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    own = np.ptp(series.value_sd[used]) > 0.0 or np.any(series.date_sd_days[used] > 0.0)
    return bucket_size(series.n_obs) > SHORT and not (own or np.any(bounded & used))


def _require_normal_rows(series: Series) -> None:
    if series.n_obs > MOST_ROWS:
        raise DataError(
            f"{series.id}: model drift takes {MOST_ROWS} rows at most, there are {series.n_obs}; "
            "choose fewer with --where"
        )
    one_sided = np.isfinite(series.value_low) ^ np.isfinite(series.value_high)
    rows = [label for label, out in zip(series.label, one_sided & series.used, strict=True) if out]
    if rows:
        raise DataError(
            f"{series.id}: model drift needs values or bounds on both sides, and "
            f"{len(rows)} rows have one bound alone ({', '.join(rows[:3])}); leave them out with "
            "--where"
        )


def _require_noise(series: Series, kind: str) -> None:
    """Refuse exact values that a noise of zero would fit better than any other.

    A path passes through any values at different dates, with a finite density. It does not pay for
    values that agree where they share a date: each such one makes the density grow as 1 / sigma.
    On one line, drift and noise may vanish together.
    """
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    measured = series.used & (series.value_sd == 0.0) & ~bounded
    exact = measured & (series.date_sd_days == 0.0)
    t = series.date.astype("datetime64[D]").astype(np.float64)
    y = np.log2(np.where(series.value > 0.0, series.value, 1.0))
    level = measured.sum() > 2 and np.ptp(y[measured]) < _ON_A_LINE
    if (kind == "signed" and level) or _on_one_line(t[exact], y[exact]):
        raise DataError(
            f"{series.id}: all exact values lie on one line, so drift and noise could both be zero "
            f"and no interval exists; {_REMEDY}"
        )
    dates = np.unique(t[exact])
    spreads = [np.ptp(y[exact & (t == date)]) for date in dates]
    if len(dates) < exact.sum() and max(spreads) < _ON_A_LINE:
        raise DataError(
            f"{series.id}: exact values of one date agree, so the noise could be zero and no "
            f"interval exists; {_REMEDY}"
        )


def _on_one_line(t: np.ndarray, y: np.ndarray) -> bool:
    if len(np.unique(t)) < 2:
        return len(t) > 1 and bool(np.ptp(y) < _ON_A_LINE)
    t = (t - t.mean()) / np.ptp(t)
    slope, intercept = np.polyfit(t, y, 1)
    return len(t) > 2 and bool(np.max(np.abs(y - intercept - slope * t)) < _ON_A_LINE)
