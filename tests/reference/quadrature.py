"""Posterior of the log-linear model by numerical integration: no MCMC, no JAX, no effbayes.

The model (`t` in years of 365.25 days from the mean date of the rows, ``y = log2(value)``, and
``sign = 1`` for a falling cost, ``-1`` for a rising score)::

    y_i ~ Normal(alpha - sign * r * t_i, sd_i)   or StudentT(nu, ...) if robust
    sd_i = sqrt(sigma**2 + value_sd_i**2 + (r * date_sd_i)**2)

An interval-censored row contributes ``log(F((high - mu) / sd) - F((low - mu) / sd))``. Priors:

=============  =======================================================================
``default``    doubling time 12/r ~ LogNormal(median 18 months, sdlog 1.2)
``signed``     r ~ Normal(0, 2)
both           alpha ~ Normal(mean y, 10), sigma ~ HalfNormal(1), nu ~ Gamma(2, rate 0.1)
``reference``  flat in (alpha, r, log sigma); exact rows alone, else it is improper
=============  =======================================================================

How: an outer trapezoidal rule over ``log sigma``; at each of its nodes a *slice*, a tensor grid
over ``x`` (the logarithm of the doubling time, or r), ``alpha`` where it cannot be integrated in
closed form, and ``log nu``. Each slice's box is found by zooming on where its log-density is
within `DEPTH` of its greatest, so that a conditional posterior that shrinks with sigma (two points
on one line) is resolved at every sigma. The trapezoidal rule converges faster than any power of
the step for smooth integrands that vanish at the ends (Trefethen and Weideman, SIAM Review 2014).
Student's t noise has a sharp core and tails as long as the prior allows: there x and alpha move as
``centre + scale * sinh(u)`` with u equally spaced, centre and scale as with normal noise.

Every number comes with the change that dropping every other node of every axis makes to it: an
error estimate that errs on the large side.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.interpolate import make_interp_spline

Box = list[tuple[float, float]]
Floats = NDArray[np.float64]
Prior = Literal["default", "signed", "reference"]
LogDensity = Callable[[Sequence[Floats]], Floats]

ALPHA_SD = 10.0
DOUBLING_TIME_MEDIAN = 18.0
DOUBLING_TIME_SDLOG = 1.2
SIGNED_RATE_SD = 2.0
NU_SHAPE, NU_RATE = 2.0, 0.1

DEPTH = 32.0
"""A slice's box holds every point whose log-density is within this of the slice's greatest."""

TAIL = 25.0
"""Slices lighter than exp(-TAIL) of the heaviest, 1.4e-11, are left out."""

LOG_SIGMA_FLOOR, LOG_SIGMA_CEILING = -45.0, 60.0
SCOUT_STEP, SCOUT_NODES = 0.5, 33
CORE_DEPTH = 2.0
"""The core of a slice: where a normal density is within two sd of its mode."""

ONLY_WIDEN_AFTER = 30
"""Rounds of zooming that may shrink a box: two axes could shrink and widen in turn for ever."""


# Data -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Rows of one series, as the likelihood needs them. All columns have dims (row,).

    Attributes
    ----------
    t
        Years of 365.25 days from the mean date.
    y
        log2 of the value; of a censored row it only helps to centre alpha's prior (the middle of
        the bounds, or the one bound, where no value is given).
    value_sd
        Standard deviation of y by measurement, doublings.
    date_sd
        Standard deviation of t, years.
    low, high
        log2 of the bounds; -inf or inf where one is missing. Not looked at in an exact row.
    censored
        Whether the row is known by its bounds alone.
    sign
        1 for a falling cost, -1 for a rising score.
    """

    t: Floats
    y: Floats
    value_sd: Floats
    date_sd: Floats
    low: Floats
    high: Floats
    censored: NDArray[np.bool_]
    sign: float

    @classmethod
    def from_columns(
        cls,
        dates: Sequence[str],
        value: ArrayLike,
        *,
        value_low: ArrayLike | None = None,
        value_high: ArrayLike | None = None,
        value_sd: ArrayLike | None = None,
        date_sd_days: ArrayLike | None = None,
        direction: Literal["falling", "rising"] = "falling",
    ) -> Table:
        """Build a table from its columns, NaN for an empty cell.

        Parameters
        ----------
        dates
            ISO dates.
        value, value_low, value_high
            In any one unit, > 0; a row with a bound is interval-censored.
        value_sd
            Doublings.
        date_sd_days
            Days.
        direction
            Which way the value moves as things improve.
        """
        n = len(dates)
        nothing = np.full(n, np.nan)
        low = nothing if value_low is None else np.asarray(value_low, dtype=float)
        high = nothing if value_high is None else np.asarray(value_high, dtype=float)
        log_low = np.where(np.isnan(low), -np.inf, np.log2(low))
        log_high = np.where(np.isnan(high), np.inf, np.log2(high))
        y = np.log2(np.asarray(value, dtype=float))
        one_bound = np.where(np.isinf(log_low), log_high, log_low)
        two_sided = np.isfinite(log_low) & np.isfinite(log_high)
        with np.errstate(invalid="ignore"):
            centre = np.where(two_sided, 0.5 * (log_low + log_high), one_bound)
        return cls(
            t=years(dates),
            y=np.where(np.isnan(y), centre, y),
            value_sd=np.zeros(n) if value_sd is None else np.asarray(value_sd, dtype=float),
            date_sd=(
                np.zeros(n)
                if date_sd_days is None
                else np.asarray(date_sd_days, dtype=float) / 365.25
            ),
            low=log_low,
            high=log_high,
            censored=~(np.isnan(low) & np.isnan(high)),
            sign=1.0 if direction == "falling" else -1.0,
        )

    @classmethod
    def from_csv(
        cls, path: Path, *, rows: Literal["all", "frontier"] = "all", bounds: bool = False
    ) -> Table:
        """Read one of the project's own tables with the standard library's reader alone."""
        with path.open(newline="", encoding="utf-8") as file:
            records = [
                record
                for record in csv.DictReader(file)
                if rows == "all" or _is_true(record["frontier"])
            ]
        return cls.from_columns(
            [record["date"] for record in records],
            _column(records, "value"),
            value_low=_column(records, "value_low") if bounds else None,
            value_high=_column(records, "value_high") if bounds else None,
            value_sd=np.nan_to_num(_column(records, "value_sd")),
            date_sd_days=np.nan_to_num(_column(records, "date_sd_days")),
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.t)

    @property
    def is_exact(self) -> bool:
        """Whether no row is censored and none has an error of its own."""
        return not (self.censored.any() or self.value_sd.any() or self.date_sd.any())


def years(dates: Sequence[str]) -> Floats:
    """Years of 365.25 days from the mean of ISO `dates`."""
    days = np.array([date.fromisoformat(text).toordinal() for text in dates], dtype=float)
    return (days - days.mean()) / 365.25


def _is_true(cell: str) -> bool:
    if cell.lower() not in {"true", "false", "yes", "no", "1", "0"}:
        raise ValueError(f"frontier = {cell!r} is neither true nor false")
    return cell.lower() in {"true", "yes", "1"}


def _column(records: Sequence[Mapping[str, str]], name: str) -> Floats:
    return np.array([float(record.get(name) or "nan") for record in records])


# Closed form ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StudentTRate:
    """Posterior of r under the reference prior with exact rows: ``loc + scale * T(df)``.

    ``df = n - 2``, ``loc`` the least-squares rate, ``scale = s / sqrt(sum t**2)`` its standard
    error, ``s**2`` the residual sum of squares over df (Gelman et al., Bayesian Data Analysis,
    3rd ed., section 14.2).
    """

    df: int
    loc: float
    scale: float

    def quantile(self, probs: ArrayLike) -> Floats:
        """Quantiles of r."""
        return np.asarray(stats.t.ppf(probs, self.df, self.loc, self.scale))


def closed_form_rate(table: Table) -> StudentTRate:
    """Closed-form posterior of r under the reference prior.

    Raises
    ------
    ValueError
        A row is not exact, or fewer than three rows.
    """
    if not table.is_exact or table.n < 3:
        raise ValueError("the closed form needs three or more exact rows")
    t = table.t - table.t.mean()
    rate = -table.sign * float(t @ table.y) / float(t @ t)
    residual = table.y - table.y.mean() + table.sign * rate * t
    df = table.n - 2
    return StudentTRate(df, rate, math.sqrt(float(residual @ residual) / df / float(t @ t)))


# Result -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A number by quadrature and the error estimate of it."""

    value: float
    error: float


@dataclass(frozen=True)
class Marginal:
    """One marginal of the posterior: its distribution function, mean and sd.

    Attributes
    ----------
    cdf
        Maps an array of points to probabilities.
    bracket
        A lower and an upper bound of everything with mass.
    mean, sd
        Posterior moments.
    """

    cdf: Callable[[Floats], Floats]
    bracket: tuple[float, float]
    mean: float
    sd: float

    def quantile(self, probs: ArrayLike) -> Floats:
        """Quantiles, by bisection of `cdf` down to the spacing of floats."""
        wanted = np.atleast_1d(np.asarray(probs, dtype=float))
        low = np.full(wanted.shape, self.bracket[0])
        high = np.full(wanted.shape, self.bracket[1])
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high))


@dataclass(frozen=True)
class Posterior:
    """Marginals of rate, alpha, sigma (and nu), on the full grid and on every other node of it."""

    marginals: Mapping[str, Marginal]
    halved: Mapping[str, Marginal]
    log_evidence: Number

    def quantile(self, name: str, prob: float) -> Number:
        """Quantile of a quantity: ``rate``, ``doubling_time`` (months), ``alpha``, ``sigma``.

        The doubling time's quantile is that of the rate, turned over.
        """
        if name == "doubling_time":
            rate = self.quantile("rate", 1.0 - prob)
            return Number(12.0 / rate.value, 12.0 / rate.value**2 * rate.error)
        value = float(self.marginals[name].quantile(prob)[0])
        return Number(value, abs(value - float(self.halved[name].quantile(prob)[0])))

    def mean(self, name: str) -> Number:
        """Posterior mean of ``rate``, ``alpha``, ``sigma`` or ``nu``."""
        value = self.marginals[name].mean
        return Number(value, abs(value - self.halved[name].mean))

    def sd(self, name: str) -> Number:
        """Posterior standard deviation of ``rate``, ``alpha``, ``sigma`` or ``nu``."""
        value = self.marginals[name].sd
        return Number(value, abs(value - self.halved[name].sd))


# The model --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """Log-density at a fixed sigma, over axes ``x``, ``alpha`` unless integrated, ``log nu``."""

    table: Table
    prior: Prior
    robust: bool
    alpha_in_closed_form: bool

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of a slice's axes."""
        alpha = () if self.alpha_in_closed_form else ("alpha",)
        return ("x", *alpha, *(("log_nu",) if self.robust else ()))

    def rate(self, x: Floats) -> Floats:
        """Doublings per year at `x`."""
        return 12.0 * np.exp(-x) if self.prior == "default" else x

    def log_prior_sigma(self, log_sigma: float) -> float:
        """Log prior density of log sigma."""
        if self.prior == "reference":
            return 0.0
        return 0.5 * math.log(2.0 / math.pi) - 0.5 * math.exp(2.0 * log_sigma) + log_sigma

    def start(self, log_sigma: float) -> Box:
        """A box wide enough to zoom in from."""
        centre = float(self.table.y.mean())
        if self.prior == "default":
            middle = math.log(DOUBLING_TIME_MEDIAN)
            x = (middle - 9.0 * DOUBLING_TIME_SDLOG, middle + 9.0 * DOUBLING_TIME_SDLOG)
        elif self.prior == "signed":
            x = (-9.0 * SIGNED_RATE_SD, 9.0 * SIGNED_RATE_SD)
        else:
            fit = closed_form_rate(self.table)
            width = 9.0 * math.exp(log_sigma) / math.sqrt(float(self.table.t @ self.table.t))
            x = (fit.loc - width, fit.loc + width)
        boxes = {
            "x": x,
            "alpha": (centre - 9.0 * ALPHA_SD, centre + 9.0 * ALPHA_SD),
            "log_nu": (-8.0, 7.0),
        }
        return [boxes[name] for name in self.axes]

    def log_density(self, log_sigma: float, axes: Sequence[Floats]) -> Floats:
        """Log of prior times likelihood on the tensor grid of `axes`, alpha integrated out or not.

        Normalised: the integral over everything is the evidence (but under the improper prior).
        """
        grids = dict(zip(self.axes, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True))
        x = grids["x"]
        total = self._log_prior_x(x) + self.log_prior_sigma(log_sigma)
        mean = -self.table.sign * self.rate(x)[..., None] * self.table.t
        if self.alpha_in_closed_form:
            return np.asarray(total + self._collapsed(log_sigma, x, mean)[0])
        alpha = grids["alpha"]
        total = total + stats.norm.logpdf(alpha, self.table.y.mean(), ALPHA_SD)
        nu: Floats | None = None
        if self.robust:
            log_nu = grids["log_nu"]
            nu = np.exp(log_nu)
            total = total + stats.gamma.logpdf(nu, NU_SHAPE, scale=1.0 / NU_RATE) + log_nu
        for i in range(self.table.n):
            location = alpha + mean[..., i]
            total = total + self._log_likelihood(i, location, self._sd(log_sigma, x)[..., i], nu)
        return np.asarray(total)

    def alpha_given_x(self, log_sigma: float, x: Floats) -> tuple[Floats, Floats]:
        """Mean and sd of alpha given x and sigma, where it is Gaussian."""
        mean = -self.table.sign * self.rate(x)[..., None] * self.table.t
        _, centre, sd = self._collapsed(log_sigma, x, mean)
        return centre, sd

    def _log_prior_x(self, x: Floats) -> Floats:
        if self.prior == "default":
            middle = math.log(DOUBLING_TIME_MEDIAN)
            return np.asarray(stats.norm.logpdf(x, middle, DOUBLING_TIME_SDLOG))
        if self.prior == "signed":
            return np.asarray(stats.norm.logpdf(x, 0.0, SIGNED_RATE_SD))
        return np.zeros_like(x)

    def _sd(self, log_sigma: float, x: Floats) -> Floats:
        table = self.table
        by_date = (self.rate(x)[..., None] * table.date_sd) ** 2
        return np.sqrt(math.exp(2.0 * log_sigma) + table.value_sd**2 + by_date)

    def _log_likelihood(self, i: int, location: Floats, sd: Floats, nu: Floats | None) -> Floats:
        table = self.table
        if table.censored[i]:
            low, high = (table.low[i] - location) / sd, (table.high[i] - location) / sd
            return log_interval(low, high, nu)
        z = (table.y[i] - location) / sd
        log_density = stats.norm.logpdf(z) if nu is None else log_density_student_t(z, nu)
        return np.asarray(log_density - np.log(sd))

    def _collapsed(
        self, log_sigma: float, x: Floats, mean: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood with alpha integrated out; mean and sd of alpha given the rest.

        With residuals ``e_i = y_i - mean_i``, weights ``w_i = sd_i**-2`` and prior precision p
        about c, alpha is Gaussian with precision ``P = sum w + p`` and mean
        ``m = (sum w e + p c) / P``; the integral is the integrand at m times ``sqrt(2 pi / P)``.
        """
        sd = self._sd(log_sigma, x)
        weight, residual = sd**-2.0, self.table.y - mean
        precision = 0.0 if self.prior == "reference" else ALPHA_SD**-2.0
        centre = float(self.table.y.mean())
        total = weight.sum(-1) + precision
        best = ((weight * residual).sum(-1) + precision * centre) / total
        log_peak = stats.norm.logpdf(residual, best[..., None], sd).sum(-1)
        if self.prior != "reference":
            log_peak = log_peak + stats.norm.logpdf(best, centre, ALPHA_SD)
        return log_peak + 0.5 * np.log(2.0 * np.pi / total), best, total**-0.5


def log_density_student_t(z: Floats, nu: Floats) -> Floats:
    """Log-density of Student's t; `scipy.stats.t.logpdf` checks its arguments for far longer."""
    constant = special.gammaln(0.5 * (nu + 1.0)) - special.gammaln(0.5 * nu)
    constant = constant - 0.5 * np.log(nu * np.pi)
    return np.asarray(constant - 0.5 * (nu + 1.0) * np.log1p(z**2 / nu))


def log_interval(low: Floats, high: Floats, nu: Floats | None = None) -> Floats:
    """Log of ``F(high) - F(low)``, F standard normal or Student's t with `nu` degrees of freedom.

    An interval mostly above zero is mirrored, so that both tails are lower ones. Then, on one side
    of zero, ``log F(high) + log(1 - exp(log F(low) - log F(high)))``; across it
    ``log1p(-F(low) - F(-high))``.
    """
    with np.errstate(invalid="ignore"):
        mirror = low + high > 0.0
    low, high = np.where(mirror, -high, low), np.where(mirror, -low, high)

    def log_cdf(z: Floats) -> Floats:
        if nu is None:
            return np.asarray(special.log_ndtr(z))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(special.stdtr(nu, z)))

    log_low, log_high = log_cdf(low), log_cdf(np.minimum(high, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        one_side = log_high + np.log(-np.expm1(log_low - log_high))
        across = np.log1p(-np.exp(log_low) - np.exp(log_cdf(-np.maximum(high, 0.0))))
    return np.where(high <= 0.0, np.where(np.isnan(one_side), -np.inf, one_side), across)


# Integration ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """Nodes along one variable, equally spaced in u.

    The variable is u itself, or ``centre + scale * sinh(u)`` where a scale is given.
    """

    u: Floats
    centre: float = 0.0
    scale: float | None = None

    @property
    def points(self) -> Floats:
        """Values of the variable at the nodes."""
        return self.u if self.scale is None else self.centre + self.scale * np.sinh(self.u)

    @property
    def log_cell(self) -> Floats:
        """Log of the length that each node stands for."""
        step = math.log(self.u[1] - self.u[0])
        if self.scale is None:
            return np.full(self.u.shape, step)
        return step + math.log(self.scale) + np.log(np.cosh(self.u))

    def position(self, points: Floats) -> Floats:
        """u at values of the variable."""
        return points if self.scale is None else np.arcsinh((points - self.centre) / self.scale)

    def halved(self) -> Axis:
        """Every other node."""
        return replace(self, u=self.u[::2])


@dataclass(frozen=True)
class Slice:
    """The posterior at one sigma: tensor grid and normalised weights of its nodes."""

    log_sigma: float
    log_mass: float
    axes: tuple[Axis, ...]
    weight: Floats

    def halved(self) -> Slice:
        """The slice on every other node of every axis."""
        weight = self.weight[(slice(None, None, 2),) * self.weight.ndim]
        total = float(weight.sum())
        growth = math.log(total) + self.weight.ndim * math.log(2.0)
        axes = tuple(axis.halved() for axis in self.axes)
        return Slice(self.log_sigma, self.log_mass + growth, axes, weight / total)


def zoom(log_density: LogDensity, box: Box, depth: float = DEPTH) -> Box:
    """Shrink or widen `box` until it fits the region within `depth` of the greatest log-density.

    Raises
    ------
    RuntimeError
        It does not settle in 100 rounds.
    """
    current = [*box]
    nodes = SCOUT_NODES if len(current) < 3 else SCOUT_NODES // 2 + 1
    for attempt in range(100):
        axes = [np.linspace(low, high, nodes) for low, high in current]
        value = log_density(axes)
        inside = value > value.max() - depth
        settled = True
        for k, axis in enumerate(axes):
            others = tuple(j for j in range(len(axes)) if j != k)
            hit = np.flatnonzero(inside.any(axis=others))
            step, width = axis[1] - axis[0], axis[-1] - axis[0]
            low = axis[0] - 2.0 * step if hit[0] == 0 else axis[hit[0]] - step
            high = axis[-1] + 2.0 * step if hit[-1] == nodes - 1 else axis[hit[-1]] + step
            touches = hit[0] == 0 or hit[-1] == nodes - 1
            if attempt >= ONLY_WIDEN_AFTER:
                low, high = min(low, axis[0]), max(high, axis[-1])
            settled = settled and not touches and (high - low) > 0.85 * width
            current[k] = (float(low), float(high))
        if settled:
            return current
    raise RuntimeError(f"no box found for the posterior's mass: {current}")


def integrate_slice(model: Model, log_sigma: float, axes: Sequence[Axis]) -> Slice:
    """Trapezoidal rule over the tensor grid of `axes`, whose ends carry nothing."""
    value = model.log_density(log_sigma, [axis.points for axis in axes])
    for cell in np.meshgrid(*(axis.log_cell for axis in axes), indexing="ij", sparse=True):
        value = value + cell
    top = float(value.max())
    weight = np.exp(value - top)
    total = float(weight.sum())
    return Slice(log_sigma, top + math.log(total), tuple(axes), weight / total)


def posterior(
    table: Table,
    prior: Prior = "default",
    *,
    robust: bool = False,
    alpha_on_grid: bool = False,
    n_sigma: int | None = None,
    n_inner: int | None = None,
    n_nu: int = 33,
) -> Posterior:
    """Posterior of the log-linear model.

    Parameters
    ----------
    table
        The rows.
    prior
        ``"default"``, ``"signed"`` or ``"reference"``.
    robust
        Student's t noise.
    alpha_on_grid
        Integrate alpha numerically even where it could be done in closed form.
    n_sigma, n_inner, n_nu
        Odd numbers of nodes along log sigma; along x and alpha; along log nu. By default 161 of
        the first two, 81 and 101 with Student's t noise.

    Raises
    ------
    ValueError
        The reference prior with rows that are not exact, or robust: it has no proper posterior
        there, or none that is computed here; or an even number of nodes.
    """
    if prior == "reference" and (robust or alpha_on_grid or not table.is_exact or table.n < 3):
        raise ValueError("the reference prior needs three or more exact rows and normal noise")
    n_sigma = n_sigma or (81 if robust else 161)
    n_inner = n_inner or (101 if robust else 161)
    if any(count % 2 == 0 for count in (n_sigma, n_inner, n_nu)):
        raise ValueError("odd numbers of nodes, so that every other one spans the same box")
    closed = not (robust or alpha_on_grid or table.censored.any())
    model = Model(table, prior, robust, closed)
    low, high, boxes = _scout(model)

    slices = []
    for log_sigma in np.linspace(low, high, n_sigma)[::-1]:
        box = boxes[min(boxes, key=lambda known: abs(known - log_sigma))]
        nodes = [n_nu if name == "log_nu" else n_inner for name in model.axes]
        axes = _axes(model, log_sigma, [_widened(edge) for edge in box], nodes)
        slices.append(integrate_slice(model, float(log_sigma), axes))
    slices.reverse()
    halved = [piece.halved() for piece in slices[::2]]
    evidence, coarse_evidence = _log_evidence(slices), _log_evidence(halved)
    return Posterior(
        marginals=_marginals(model, slices),
        halved=_marginals(model, halved),
        log_evidence=Number(evidence, abs(evidence - coarse_evidence)),
    )


def _at(model: Model, log_sigma: float) -> LogDensity:
    return lambda axes: model.log_density(log_sigma, axes)


def _axes(model: Model, log_sigma: float, box: Box, nodes: Sequence[int]) -> list[Axis]:
    """Axes that hold a slice's mass, found by zooming from `box`."""
    blank = _blank_axes(model, log_sigma, box)

    def log_density(u: Sequence[Floats]) -> Floats:
        axes = [replace(axis, u=values) for axis, values in zip(blank, u, strict=True)]
        return model.log_density(log_sigma, [axis.points for axis in axes])

    start = [axis.position(np.array(edge)) for axis, edge in zip(blank, box, strict=True)]
    ends = zoom(log_density, [(float(low), float(high)) for low, high in start])
    return [
        replace(axis, u=np.linspace(*edge, count))
        for axis, edge, count in zip(blank, ends, nodes, strict=True)
    ]


def _blank_axes(model: Model, log_sigma: float, box: Box) -> list[Axis]:
    """Axes without nodes: the variables, or under Student's t noise crowded where normal noise
    would have the core (which places nodes and bounds no mass, so nearly will do).
    """
    none = np.zeros(0)
    if not model.robust:
        return [Axis(none) for _ in box]
    normal = replace(model, robust=False)
    log_core = max(log_sigma, _log_residual_sd(model.table) - 1.0)
    core = zoom(_at(normal, log_core), zoom(_at(normal, log_core), box[:2]), CORE_DEPTH)
    crowded = [Axis(none, 0.5 * (low + high), 0.25 * (high - low)) for low, high in core]
    return [*crowded, Axis(none)]


def _log_residual_sd(table: Table) -> float:
    """Log sd about the least-squares line, bounds standing for their values; of two points, 0's."""
    if table.n < 3:
        return -math.inf
    residual = table.y - np.polyval(np.polyfit(table.t, table.y, 1), table.t)
    return 0.5 * math.log(float(residual @ residual) / (table.n - 2))


def _widened(edge: tuple[float, float]) -> tuple[float, float]:
    extra = 0.25 * (edge[1] - edge[0])
    return edge[0] - extra, edge[1] + extra


def _scout(model: Model) -> tuple[float, float, dict[float, Box]]:
    """Range of log sigma that carries mass, and each scouted slice's box."""
    masses: dict[float, float] = {}
    boxes: dict[float, Box] = {}

    def visit(log_sigma: float, box: Box) -> None:
        axes = _axes(model, log_sigma, box, [SCOUT_NODES] * len(model.axes))
        boxes[log_sigma] = [(float(axis.points[0]), float(axis.points[-1])) for axis in axes]
        masses[log_sigma] = integrate_slice(model, log_sigma, axes).log_mass

    # Up from a sigma of 1 until nothing is left, then down, each box from the one above it.
    for step in (SCOUT_STEP, -SCOUT_STEP):
        log_sigma, box = 0.0, model.start(0.0)
        if step < 0.0:
            box = boxes[0.0]
        while LOG_SIGMA_FLOOR < log_sigma < LOG_SIGMA_CEILING:
            visit(log_sigma, box)
            # A narrow posterior may begin below a sigma of 1: only a falling mass ends the search.
            behind = masses.get(log_sigma - step, math.inf)
            light = masses[log_sigma] < max(masses.values()) - TAIL - 1.0
            if light and masses[log_sigma] < behind:
                break
            box = [_widened(_widened(edge)) for edge in boxes[log_sigma]]
            log_sigma += step
        else:
            raise RuntimeError("sigma has no end: is the posterior improper?")
    heavy = [s for s, mass in masses.items() if mass > max(masses.values()) - TAIL]
    return min(heavy) - SCOUT_STEP, max(heavy) + SCOUT_STEP, boxes


def _log_evidence(slices: Sequence[Slice]) -> float:
    step = slices[1].log_sigma - slices[0].log_sigma
    return float(special.logsumexp([piece.log_mass for piece in slices])) + math.log(step)


# Marginals --------------------------------------------------------------------------------------


def _marginals(model: Model, slices: Sequence[Slice]) -> dict[str, Marginal]:
    log_mass = np.array([piece.log_mass for piece in slices])
    share = np.exp(log_mass - special.logsumexp(log_mass))
    marginals = {"rate": _marginal_rate(model, slices, share)}
    if model.alpha_in_closed_form:
        marginals["alpha"] = _marginal_gaussian_alpha(model, slices, share)
    else:
        marginals["alpha"] = _marginal_of_axis(slices, share, 1)
    log_sigma = np.array([piece.log_sigma for piece in slices])
    marginals["sigma"] = _marginal_of_exponential(_Mixture([Axis(log_sigma)], [share], np.ones(1)))
    if model.robust:
        marginals["nu"] = _marginal_of_exponential(
            _mixture(slices, share, model.axes.index("log_nu"))
        )
    return marginals


@dataclass(frozen=True)
class _Mixture:
    """A mixture of densities on grids: axis, weights (summing to one) and share of each."""

    axes: Sequence[Axis]
    weights: Sequence[Floats]
    shares: Floats

    def cdf(self) -> Callable[[Floats], Floats]:
        """Distribution function: quintic splines through the densities, integrated exactly."""
        pieces = []
        for axis, weights, share in zip(self.axes, self.weights, self.shares, strict=True):
            integral = make_interp_spline(axis.u, weights, k=5).antiderivative()
            pieces.append((axis, integral, share / float(integral(axis.u[-1]))))

        def evaluate(points: Floats) -> Floats:
            return np.sum(
                [
                    scale * integral(np.clip(axis.position(points), axis.u[0], axis.u[-1]))
                    for axis, integral, scale in pieces
                ],
                axis=0,
            )

        return evaluate

    @property
    def bracket(self) -> tuple[float, float]:
        """Ends of the widest grid."""
        ends = [axis.points[[0, -1]] for axis in self.axes]
        return min(float(end[0]) for end in ends), max(float(end[1]) for end in ends)

    def moments(self, function: Callable[[Floats], Floats]) -> tuple[float, float]:
        """Mean and sd of a function of the variable."""
        values = [function(axis.points) for axis in self.axes]
        pairs = list(zip(values, self.weights, self.shares, strict=True))
        mean = sum(float(share * (w @ value)) for value, w, share in pairs)
        variance = sum(float(share * (w @ (value - mean) ** 2)) for value, w, share in pairs)
        return mean, math.sqrt(variance)


def _mixture(slices: Sequence[Slice], share: Floats, axis: int) -> _Mixture:
    others = tuple(k for k in range(len(slices[0].axes)) if k != axis)
    return _Mixture(
        [piece.axes[axis] for piece in slices],
        [piece.weight.sum(axis=others) for piece in slices],
        share,
    )


def _marginal_of_axis(slices: Sequence[Slice], share: Floats, axis: int) -> Marginal:
    mixture = _mixture(slices, share, axis)
    return Marginal(mixture.cdf(), mixture.bracket, *mixture.moments(lambda x: x))


def _marginal_of_exponential(mixture: _Mixture) -> Marginal:
    """Marginal of exp(x) from a mixture in x."""
    cdf, (low, high) = mixture.cdf(), mixture.bracket
    return Marginal(
        lambda points: cdf(np.log(points)),
        (math.exp(low), math.exp(high)),
        *mixture.moments(np.exp),
    )


def _marginal_rate(model: Model, slices: Sequence[Slice], share: Floats) -> Marginal:
    if model.prior != "default":
        return _marginal_of_axis(slices, share, 0)
    mixture = _mixture(slices, share, 0)
    cdf, (low, high) = mixture.cdf(), mixture.bracket
    return Marginal(
        lambda points: 1.0 - cdf(np.log(12.0 / points)),
        (12.0 * math.exp(-high), 12.0 * math.exp(-low)),
        *mixture.moments(model.rate),
    )


def _marginal_gaussian_alpha(model: Model, slices: Sequence[Slice], share: Floats) -> Marginal:
    """Alpha is a mixture of Gaussians, one a node."""
    parts = [model.alpha_given_x(piece.log_sigma, piece.axes[0].points) for piece in slices]
    centre = np.concatenate([part[0] for part in parts])
    sd = np.concatenate([np.broadcast_to(part[1], part[0].shape) for part in parts])
    weight = np.concatenate([s * piece.weight for s, piece in zip(share, slices, strict=True)])
    mean = float(weight @ centre)
    variance = float(weight @ (sd**2 + (centre - mean) ** 2))
    heavy = weight > 0.0

    def cdf(points: Floats) -> Floats:
        z = (points[:, None] - centre[heavy]) / sd[heavy]
        return np.asarray(special.ndtr(z) @ weight[heavy])

    return Marginal(
        cdf,
        (float((centre - 9.0 * sd).min()), float((centre + 9.0 * sd).max())),
        mean,
        math.sqrt(variance),
    )
