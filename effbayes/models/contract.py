"""What every model is to the floors above, and how a series becomes arrays.

A model knows three spaces: the *position* that a sampler moves in (a flat unconstrained vector),
the *parameters* of the NumPyro model, and the *quantities* common to all models (``rate``,
``doubling_time``, ``level``). The floors above ask only for what `Model` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import Count, PerObs, PerObsMask, Position, RandomKey, Scalar
from effbayes.dataset.series import Series
from effbayes.trend import DAYS_PER_YEAR

Parameters = Mapping[str, Array]


class Data(NamedTuple):
    """One series as a model sees it, padded to a bucket of rows so that programs are shared.

    Rows with ``mask`` False are padding and count for nothing. Times are years from the mean date
    of the rows used; values are log2 of the series' unit.
    """

    t: PerObs
    y: PerObs
    """log2 of the point value; the middle of the bounds where there is none."""
    low: PerObs
    high: PerObs
    """log2 of the bounds, -inf and inf where there is none; both infinite for an exact row."""
    value_sd: PerObs
    date_sd: PerObs
    """Standard deviation of the date in years."""
    mask: PerObsMask
    y_mean: Scalar
    first: Scalar
    last: Scalar
    """Times of the first and the last row, also while a row is left out."""
    slope_sign: Scalar
    """-1 where progress makes the value fall, 1 where it makes it rise."""
    rate_guess: Scalar
    sigma_guess: Scalar
    """Residual spread about the least-squares trend, in doublings."""
    sigma_far: Scalar
    """Spread about no trend at all."""


@runtime_checkable
class Model(Protocol):
    """The contract; implementations are frozen, hashable values: a program is compiled for each."""

    @property
    def name(self) -> str:
        """As the command line names it."""

    @property
    def prior_name(self) -> str:
        """Kind of prior, as the command line names it."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the rate, in the order they are shown."""

    @property
    def reported(self) -> tuple[str, ...]:
        """Scalar quantities that every posterior reports, the one that matters most first."""

    @property
    def reported_of_members(self) -> tuple[str, ...]:
        """Quantities that every series of several has of its own; none of one series."""

    @property
    def common_coordinates(self) -> int | None:
        """Leading coordinates of a position that all series have in common; None of one series."""

    def __hash__(self) -> int: ...

    def log_density(self, position: Position, data: Data) -> Scalar:
        """Log of the joint density of data and position, Jacobian included."""

    def constrain(self, position: Position, data: Data) -> dict[str, Scalar]:
        """Parameters and quantities at a position."""

    def initial(self, key: RandomKey, data: Data, *, far: Count) -> Position:
        """A random start at which the log density is finite; `far` (0 or 1) from the data's fit."""

    def log_prior(self, values: Parameters, data: Data) -> Scalar:
        """Log prior density of the parameters, up to a constant where it is improper."""

    def log_likelihood(self, values: Parameters, data: Data) -> PerObs:
        """Pointwise log-likelihood; zero for padding."""

    def predict(self, key: RandomKey, values: Parameters, data: Data) -> PerObs:
        """A new log2 value at each row's date, with noise and the row's own measurement error."""

    def simulate(self, key: RandomKey, values: Parameters, data: Data) -> Data:
        """A data set drawn from the parameters, bounds and all; see `models.simulation`."""

    def complete(self, key: RandomKey, values: Parameters, data: Data) -> dict[str, Array]:
        """Quantities that are drawn given the parameters, such as the date of a change."""

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Draws of a system's deviation from the trend, in doublings."""

    @property
    def has_proper_prior(self) -> bool:
        """Whether there is a prior to draw from."""

    def prior_draw(self, key: RandomKey, data: Data) -> dict[str, Array]:
        """One draw of parameters and quantities from a proper prior."""

    def check(self, series: Series) -> None:
        """Refuse a series for which the posterior does not exist."""

    def describe(self) -> dict[str, Any]:
        """Settings and priors, for provenance."""


class OneSeries:
    """What all models of one series say of themselves."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Scalar parameters beside the rate."""
        raise NotImplementedError

    @property
    def reported(self) -> tuple[str, ...]:
        """Scalar quantities that every posterior reports."""
        return ("rate", *self.parameters)

    @property
    def reported_of_members(self) -> tuple[str, ...]:
        """None: there is one series."""
        return ()

    @property
    def common_coordinates(self) -> int | None:
        """None: there is one series."""
        return None


SMALLEST_BUCKET = 8


def bucket_size(n: int) -> int:
    """Rows that a series of `n` is padded to: the next power of two, at least eight."""
    return max(SMALLEST_BUCKET, 1 << (n - 1).bit_length())


PADDING: Mapping[str, float | bool] = {
    "t": 0.0,
    "y": 0.0,
    "low": -np.inf,
    "high": np.inf,
    "value_sd": 0.0,
    "date_sd": 0.0,
    "mask": False,
}
"""Fields of `Data` with a value a row, and what they hold where there is none."""


def data_from_series(series: Series) -> Data:
    """The rows of a series that its model uses, as arrays.

    Parameters
    ----------
    series
        Checked series; `Series.used` chooses the rows.

    Returns
    -------
    Data
        NumPy float64 arrays with dims (obs,), padded to `bucket_size`.
    """
    used = series.used
    days = (series.date[used] - np.datetime64("1970-01-01")).astype(np.float64)
    t = (days - days.mean()) / DAYS_PER_YEAR
    low, high, y = _log2_values(series)
    value_sd = series.value_sd[used]
    date_sd = series.date_sd_days[used] / DAYS_PER_YEAR
    sign = series.sign

    slope, intercept = np.polyfit(t, y, 1)
    residual = y - intercept - slope * t
    spread = float(np.sqrt(np.sum(residual**2) / max(len(y) - 2, 1)))
    columns = {
        "t": t,
        "y": y,
        "low": low,
        "high": high,
        "value_sd": value_sd,
        "date_sd": date_sd,
        "mask": np.ones(len(y), dtype=bool),
    }
    size = bucket_size(len(y))
    padded = {name: _pad(columns[name], size, fill) for name, fill in PADDING.items()}
    scalars = {
        "y_mean": y.mean(),
        "first": t.min(),
        "last": t.max(),
        "slope_sign": sign,
        "rate_guess": sign * slope,
        "sigma_guess": np.sqrt(spread**2 + 0.05**2),
        "sigma_far": np.sqrt(np.var(y) + 0.05**2),
    }
    # NumPy arrays stand for JAX's until a floor that knows the device puts them there.
    values: dict[str, Any] = padded | {name: np.float64(x) for name, x in scalars.items()}
    return Data(**values)


def stacked(data: Sequence[Data]) -> Data:
    """Data of several series of one bucket, along a new first dim, as NumPy arrays."""
    columns: list[Any] = [np.stack(column) for column in zip(*data, strict=True)]
    return Data(*columns)


def chosen(data: Data, which: Any) -> Data:
    """Some of several series, or one, by an index of the first dim."""
    columns: list[Any] = [np.asarray(column)[which] for column in data]
    return Data(*columns)


def is_censored(data: Data) -> Any:
    """Which rows are known only to lie between bounds; dims (obs,)."""
    return jnp.isfinite(data.low) | jnp.isfinite(data.high)


def mean_of_trend(alpha: Any, rate: Any, data: Data) -> Any:
    """Trend at each row: ``alpha + slope_sign * rate * t``, in log2 of the unit."""
    return alpha + data.slope_sign * rate * data.t


def draws_of(model: Model, key: RandomKey, data: Data, number: int) -> dict[str, Array]:
    """Independent draws from a proper prior, dims (draw, ...) each."""
    keys = jax.random.split(key, number)
    return jax.vmap(lambda key: model.prior_draw(key, data))(keys)


def _log2_values(series: Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    used = series.used
    low = np.where(np.isnan(series.value_low), 0.0, series.value_low)[used]
    high = np.where(np.isnan(series.value_high), np.inf, series.value_high)[used]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_low, log_high = np.log2(low), np.log2(high)
        middle = 0.5 * (log_low + log_high)
    one_bound = np.where(np.isinf(log_low), log_high, log_low)
    centre = np.where(np.isfinite(middle), middle, one_bound)
    value = series.value[used]
    y = np.where(np.isnan(value), centre, np.log2(np.where(np.isnan(value), 1.0, value)))
    return log_low, log_high, y


def _pad(column: np.ndarray, size: int, fill: float | bool) -> np.ndarray:
    padded = np.full(size, fill, dtype=column.dtype)
    padded[: len(column)] = column
    return padded
