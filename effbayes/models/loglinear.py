r"""The log-linear trend, the default model.

.. math::

    y_i \sim \mathrm{Normal}(\alpha - r t_i,\ s_i), \qquad
    s_i^2 = \sigma^2 + \mathrm{value\_sd}_i^2 + (r\,\mathrm{date\_sd}_i)^2

with y = log2(value), t in years, r in doublings of efficiency per year (for a rising series the
sign of r turns). Robust noise is Student's t with the same scale. A row known only to lie between
bounds contributes the probability of that interval.

The sampler does not move in (alpha, r, sigma): at a small sigma the trend is known sharply and at a
large one hardly at all, a funnel that costs divergences with two or three points. It moves in
coordinates whitened given sigma by weighted least squares, in which the posterior of the first two
is close to standard normal whatever sigma is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Count, PerObs, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.errors import UsageError
from effbayes.models.contract import Data, Parameters, bucket_size
from effbayes.models.propriety import require_proper
from effbayes.trend import doubling_time_months, rate_per_year

if TYPE_CHECKING:
    from effbayes.models.loglinear_program import Program


@dataclass(frozen=True)
class Priors:
    """Priors of the log-linear model.

    Attributes
    ----------
    kind
        ``"default"`` assumes progress: the doubling time is log-normal. ``"signed"`` does not: the
        rate is normal around zero. ``"reference"`` is flat in (alpha, r, log sigma).
    alpha_sd
        Standard deviation of alpha around the mean of y, in doublings.
    doubling_time_median, doubling_time_sdlog
        Median in months and standard deviation of the logarithm (kind "default").
    rate_sd
        Standard deviation of the rate in doublings per year (kind "signed").
    sigma_scale
        Scale of the half-normal of sigma, in doublings.
    nu_shape, nu_rate
        Gamma prior of the degrees of freedom, for robust noise.
    """

    kind: str = "default"
    alpha_sd: float = 10.0
    doubling_time_median: float = 18.0
    doubling_time_sdlog: float = 1.2
    rate_sd: float = 2.0
    sigma_scale: float = 1.0
    nu_shape: float = 2.0
    nu_rate: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in {"default", "signed", "reference"}:
            raise UsageError(f"prior {self.kind!r} is not one of default, signed, reference")
        wrong = [
            f"{name} = {value}"
            for name, value in asdict(self).items()
            if name != "kind" and not (np.isfinite(value) and value > 0)
        ]
        if wrong:
            raise UsageError(f"priors must be finite and > 0: {', '.join(wrong)}")


@dataclass(frozen=True)
class LogLinear:
    """The log-linear trend as a `effbayes.models.contract.Model`.

    Parameters
    ----------
    priors
        Prior distributions.
    robust
        Student's t noise in place of normal.
    censored
        Whether any row has bounds; False leaves that arithmetic out of the program.
    """

    priors: Priors = field(default_factory=Priors)
    robust: bool = False
    censored: bool = True
    name: str = "loglinear"

    @property
    def prior_name(self) -> str:
        """Kind of prior, as the command line names it."""
        return self.priors.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the rate, in the order they are shown."""
        return ("alpha", "sigma", "nu") if self.robust else ("alpha", "sigma")

    def log_density(self, position: Position, data: Data) -> Scalar:
        """Log joint density at a position of the whitened space, Jacobian included."""
        values, log_jacobian = self._unwhiten(position, data)
        return self._joint(values, data) + log_jacobian

    def constrain(self, position: Position, data: Data) -> dict[str, Scalar]:
        """Parameters, rate and, where progress is assumed, doubling time at a position."""
        return self._unwhiten(position, data)[0]

    def initial(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """A jittered start: near the least-squares trend, or far from it, where all is noise.

        Chains from both show a posterior with two modes as one that has not converged.
        """
        size = 4 if self.robust else 3
        jitter = 0.3 * jax.random.normal(key, (size,))
        flat = self.priors.kind == "reference"
        sigma = jnp.where(far, data.sigma_far, data.sigma_guess)
        if not flat:
            # The half-normal prior pulls a large residual spread down to about its square root.
            sigma = jnp.where(sigma > 1.0, jnp.sqrt(sigma), sigma)
        fit = least_squares(sigma, data)
        if self.priors.kind == "default":
            error = fit.rate_precision**-0.5
            typical = rate_per_year(self.priors.doubling_time_median)
            away = _softplus_inverse(typical / error) - self._centre(fit)
        else:
            # Of no progress; a flat prior has no typical rate, and its far start is one error off.
            away = jnp.ones(()) if flat else -fit.rate * jnp.sqrt(fit.rate_precision)
        rate = jnp.where(far, jnp.clip(away, -FARTHEST, FARTHEST), 0.0)
        start = [jnp.zeros(()), rate, self._sigma_coordinate(sigma, data), jnp.zeros(())]
        return jnp.stack(start[:size]) + jitter

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of (alpha, doubling time or rate, sigma, nu)."""
        joint = self._joint(values, data)
        return joint - jnp.sum(self.log_likelihood(values, data))

    def log_likelihood(self, values: Parameters, data: Data) -> PerObs:
        """Pointwise log-likelihood; zero for padding."""
        observed = self._program().observed(values, data)
        return jnp.where(data.mask, observed.log_prob(data.y), 0.0)

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> PerObs:
        """A replicated log2 value at each row."""
        return self._program().observed(values, data).sample(key)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system from the trend, in doublings."""
        if self.robust:
            return values["sigma"] * jax.random.t(key, values["nu"], shape)
        return values["sigma"] * jax.random.normal(key, shape)

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Scalar] | None:
        """Parameters and rate drawn from the prior; None for the improper reference prior."""
        if self.priors.kind == "reference":
            return None
        return self._program().prior_draw(key, data)

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior is improper.

        Raises
        ------
        DataError
            The rows lie on one line, or are too few for the reference prior.
        """
        require_proper(series, prior=self.priors.kind, robust=self.robust)

    def describe(self) -> dict[str, Any]:
        """Name, noise and priors."""
        noise = "student_t" if self.robust else "normal"
        return {"model": self.name, "noise": noise, "priors": asdict(self.priors)}

    def _joint(self, values: Parameters, data: Data) -> Scalar:
        sites = dict(values)
        if self.priors.kind == "default":
            sites.setdefault("doubling_time", doubling_time_months(sites["rate"]))
        return self._program().log_joint(sites, data)

    def _program(self) -> Program:
        from effbayes.models.loglinear_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.robust, self.censored)

    def _unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """Parameters at a position and the log Jacobian of the map to the NumPyro sites."""
        x, width = self._sigma_axis(position[2], data)
        if self.priors.kind == "reference":
            sigma, slope = jnp.exp(x), x
        else:
            # Not exp: a half-normal's right tail stays a parabola, no cliff to diverge at.
            sigma, slope = jax.nn.softplus(x), jax.nn.log_sigmoid(x)
        fit = least_squares(sigma, data)
        values: dict[str, Scalar] = {"sigma": sigma}
        log_jacobian = slope + jnp.log(width)
        if self.priors.kind == "default":
            rate, log_slope = self._positive_rate(position[1], fit)
            values["rate"], values["doubling_time"] = rate, doubling_time_months(rate)
            log_jacobian += log_slope + jnp.log(values["doubling_time"] / rate)
        else:
            flat = self.priors.kind == "reference"
            precision = 0.0 if flat else self.priors.rate_sd**-2
            centre, scale = _combine(fit.rate, fit.rate_precision, 0.0, precision)
            values["rate"] = centre + scale * position[1]
            log_jacobian += jnp.log(scale)
        precision = 0.0 if self.priors.kind == "reference" else self.priors.alpha_sd**-2
        level = fit.level - data.slope_sign * values["rate"] * fit.time
        centre, scale = _combine(level, fit.weight, data.y_mean, precision)
        values["alpha"] = centre + scale * position[0]
        log_jacobian += jnp.log(scale)
        if self.robust:
            values["nu"] = _NU_SCALE * jax.nn.softplus(position[3])
            log_jacobian += jnp.log(_NU_SCALE) + jax.nn.log_sigmoid(position[3])
        return values, log_jacobian

    def _positive_rate(self, z: Scalar, fit: LeastSquares) -> tuple[Scalar, Scalar]:
        """Rate at the whitened coordinate z, and the log of its slope in z.

        The rate is its standard error times softplus(x). Where the data are sharp, x is the rate in
        standard errors and its posterior normal; where they are not, x is the log of the rate and
        its posterior the log-normal prior's. Either way it spreads over about one unit.
        """
        error = fit.rate_precision**-0.5
        x = self._centre(fit) + z
        slope = jnp.log(error) + jax.nn.log_sigmoid(x)
        return error * jax.nn.softplus(x), slope

    def _centre(self, fit: LeastSquares) -> Scalar:
        """Where x lies about: the data's rate in errors if that is sharp, else the prior's."""
        error = fit.rate_precision**-0.5
        signal = jax.nn.softplus(fit.rate / error)
        prior = _softplus_inverse(rate_per_year(self.priors.doubling_time_median) / error)
        return (signal**3 + _SWITCH * prior) / (signal**2 + _SWITCH)

    def _sigma_axis(self, z: Scalar, data: Data) -> tuple[Scalar, Scalar]:
        """Unscaled coordinate of sigma, and its width: that of a posterior from this many rows."""
        width = (1.0 + 2.0 * jnp.sum(data.mask)) ** -0.5
        guess = data.sigma_guess
        if self.priors.kind == "reference":
            return jnp.log(guess) + width * z, width
        guess = jnp.where(guess > 1.0, jnp.sqrt(guess), guess)
        return _softplus_inverse(guess) + width * z, width

    def _sigma_coordinate(self, sigma: Scalar, data: Data) -> Scalar:
        """Position at which sigma has a value: the inverse of `_sigma_axis` and its map."""
        centre, width = self._sigma_axis(jnp.zeros(()), data)
        x = jnp.log(sigma) if self.priors.kind == "reference" else _softplus_inverse(sigma)
        return (x - centre) / width


class LeastSquares(NamedTuple):
    """Weighted least squares of the trend, given sigma."""

    rate: Scalar
    rate_precision: Scalar
    time: Scalar
    """Weighted mean of t, at which level and rate are independent."""
    level: Scalar
    """Weighted mean of y there."""
    weight: Scalar


def least_squares(sigma: Scalar, data: Data) -> LeastSquares:
    """Fit the trend with each row's variance given sigma; only scales the sampler's space.

    One-sided rows carry no weight; two-sided bounds count as their middle with the variance of a
    uniform. A floor keeps a series of one-sided rows alone from dividing by zero.
    """
    width = data.high - data.low
    two_sided = jnp.isfinite(data.low) & jnp.isfinite(data.high)
    one_sided = jnp.isfinite(data.low) ^ jnp.isfinite(data.high)
    middle = jnp.where(two_sided, 0.5 * (data.low + data.high), data.y)
    extra = jnp.where(two_sided, jnp.where(two_sided, width, 0.0) ** 2 / 12.0, 0.0)
    variance = sigma**2 + data.value_sd**2 + (data.rate_guess * data.date_sd) ** 2 + extra
    w = jnp.where(data.mask & ~one_sided, 1.0 / variance, 0.0)
    weight = jnp.sum(w) + _FLOOR
    time = jnp.sum(w * data.t) / weight
    level = jnp.sum(w * middle) / weight
    precision = jnp.sum(w * (data.t - time) ** 2) + _FLOOR
    slope = jnp.sum(w * (data.t - time) * (middle - level)) / precision
    return LeastSquares(data.slope_sign * slope, precision, time, level, weight)


def make_model(series: Series, priors: Priors, *, robust: bool) -> LogLinear:
    """The model value for a series, checked against it.

    A short series has the arithmetic of bounds in its program whether it has bounds or not: it
    costs next to nothing there, and one program then serves every short series.
    """
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    short = bucket_size(series.n_obs) <= SHORT
    censored = short or bool(np.any(bounded & series.used))
    model = LogLinear(priors=priors, robust=robust, censored=censored)
    model.check(series)
    return model


FARTHEST = 30.0
"""Widths from the centre beyond which no chain starts: warmup must find the way back."""

SHORT = 64
"""Rows of a bucket up to which bounds are always part of the program."""

_FLOOR = 1e-12
_NU_SCALE = 10.0
_SWITCH = 9.0  # squared rate in standard errors at which the data take over from the prior


def _softplus_inverse(value: Scalar) -> Scalar:
    return value + jnp.log(-jnp.expm1(-value))


def _combine(a: Any, precision_a: Any, b: Any, precision_b: Any) -> tuple[Any, Any]:
    """Mean and standard deviation of the product of two normal densities."""
    precision = precision_a + precision_b
    return (precision_a * a + precision_b * b) / precision, precision**-0.5
