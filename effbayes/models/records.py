r"""The trend when only record-setting systems were reported.

.. math::

    y_1 \sim \mathrm{Normal}(\mu_1, s_1), \qquad
    p(y_i) = \frac{\varphi\bigl((y_i - \mu_i) / s_i\bigr)}
                  {s_i\, \Phi\bigl((b_i - \mu_i) / s_i\bigr)} \quad (y_i < b_i), \qquad
    \mu_i = \alpha - r t_i, \quad
    s_i^2 = \sigma^2 + \mathrm{value\_sd}_i^2 + (r\,\mathrm{date\_sd}_i)^2

with :math:`b_i` the record that row i beat: the lowest value of the rows used before it. For a
rising series signs turn and it is the highest. Trend and noise are those of *all* systems; a table
of records says of those that were not reported only that they were not, and of those that were that
they had to beat the last. Noise alone makes records fall, so the rate may be far slower than their
line: the posterior has a long tail to slow progress.

What counts as what:

* *Before* is by date, and by the order of the table within a date, as for the records themselves.
* A record is one by its reported value, so what must lie below the record is the value with its
  measurement error, and the record is the value as reported: exact.
* A row with bounds is reported as its point value (their geometric middle, or the one bound, where
  it has none): that is what a later row had to beat. The row itself contributes
  :math:`P(\mathrm{low} < y < \min(\mathrm{high}, b)) / P(y < b)`. Data drawn from the model have
  the better bound there in place of the middle, which might not beat the record.
* A replicated data set (`Records.predict`) has each row below the record that was *observed* before
  it, so that it is comparable to the data row by row: these are the model's own conditional laws.

The posterior under a proper prior exists if and only if that of the log-linear model on the same
rows does. Each truncated density is at least the normal one, for its probability below the record
is at most one. It is at most twice the normal one where the trend lies below the record; elsewhere
it is at most :math:`2(1/s + 1/g)\, e^{-g^2 / 2 s^2}` with g > 0 the gap to the record, since
:math:`\varphi(x) / \Phi(x) \le 1 - x` for x <= 0, and that vanishes with s faster than any power.

Under the flat reference prior it does not exist. Let the rate go to minus infinity as -R, at
:math:`\sigma^2 = R / \lambda` and alpha within :math:`\sigma` of what the first row says. The trend
then lies about :math:`R\,(t_i - t_1)` above row i, whose gap to the record becomes exponential with
rate :math:`\lambda\,(t_i - t_1)`, whatever R is: records say that they were rare, not how rare. The
first row's :math:`1 / \sigma` is cancelled by the width of alpha, so that what is left to integrate
over R tends to a constant,

.. math::

    \tfrac12\, \Gamma(n - 1) \prod_{i \ge 2} (t_i - t_1)
    \Bigl/ \Bigl(\sum_{i \ge 2} (t_i - t_1) (b_i - y_i)\Bigr)^{n-1} > 0.

That is for exact rows of later dates than the first; the prior is refused for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from effbayes.arrays import PerObs, PerObsMask, Position, RandomKey, Scalar
from effbayes.dataset.records import level_of, record_flags
from effbayes.dataset.series import Series
from effbayes.errors import DataError, Fault, UsageError
from effbayes.models import as_normal
from effbayes.models.contract import Data, Parameters, bucket_size, mean_of_trend
from effbayes.models.priors import RecordsPriors
from effbayes.models.propriety import require_proper
from effbayes.models.simulation import Reported, reported, with_values
from effbayes.models.trend_model import TrendModel
from effbayes.models.trend_space import ALPHA, RATE, SIGMA, TrendSpace

if TYPE_CHECKING:
    from effbayes.models.records_program import Program

SHORT = 64
"""Rows of a bucket up to which bounds are always part of the program."""

_MOST = 1.0 - 1e-6
"""Of its weight in the least squares that a row can lose: rounding must leave some curvature."""
_NEWTON_STEPS = 10
"""Where the trend is many scales above a record, each step only about doubles its height."""


Priors = RecordsPriors


@dataclass(frozen=True)
class Records(TrendModel):
    """The trend behind record-setting rows as a `effbayes.models.contract.Model`.

    Parameters
    ----------
    priors
        Prior distributions.
    censored
        Whether any row has bounds; False leaves that arithmetic out of the program.
    """

    priors: Priors = field(default_factory=Priors)
    censored: bool = True
    name: str = "records"

    def program(self) -> Program:
        """The NumPyro program."""
        from effbayes.models.records_program import Program  # noqa: PLC0415 - NumPyro is slow

        return Program(self.priors, self.censored)

    def noise(self, key: RandomKey, values: Parameters, shape: tuple[int, ...]) -> Array:
        """Deviation of a new system, a record or not, from the trend, in doublings."""
        return values["sigma"] * jax.random.normal(key, shape)

    def simulate(self, key: RandomKey, values: Parameters, data: Data) -> Data:
        """Records drawn one after the other, each below the one reported before it.

        A row with bounds is reported by the better one, which is what the next has to beat.
        """
        from effbayes.models.records_program import gap_below  # noqa: PLC0415 - as there
        from effbayes.models.trend_program import scale_of_rows  # noqa: PLC0415

        sign = -data.slope_sign
        order = jnp.argsort(jnp.where(data.mask, data.t, jnp.inf), stable=True)
        mean = sign * mean_of_trend(values["alpha"], values["rate"], data)
        low = jnp.where(sign > 0.0, data.low, -data.high)
        high = jnp.where(sign > 0.0, data.high, -data.low)
        rows = (mean, scale_of_rows(values, data), low, high, jax.random.uniform(key, mean.shape))

        def one(record: Scalar, row: tuple[Scalar, ...]) -> tuple[Scalar, Reported]:
            mean, scale, low, high, chance = row
            bound = jnp.where(jnp.isfinite(record), (record - mean) / scale, 40.0)
            start = jnp.where(jnp.isfinite(record), record, mean + 40.0 * scale)
            new = reported(start - scale * gap_below(chance, bound), low, high)
            new = new._replace(y=jnp.where(jnp.isfinite(new.low), new.low, new.y))
            # A row known to be better than a bound may be reported by one that beats nothing.
            return jnp.minimum(record, new.y), new

        _, drawn = jax.lax.scan(one, jnp.asarray(jnp.inf), tuple(row[order] for row in rows))
        cost, better, worse = (jnp.zeros_like(each).at[order].set(each) for each in drawn)
        new = Reported(
            sign * cost,
            jnp.where(sign > 0.0, better, -worse),
            jnp.where(sign > 0.0, worse, -better),
        )
        return with_values(data, new)

    def _unwhiten(self, position: Position, data: Data) -> tuple[dict[str, Scalar], Scalar]:
        """As for any trend, around its mode given sigma and in its widths there.

        Weighted least squares takes the records for typical systems; Newton steps add what the
        truncation does, to first order in level and rate. They only scale the sampler's space, so a
        stand-in for the hazard phi / Phi does: the h > 0 with h * (h - height) = 1. Its slope is
        below one and never falls, so no step overshoots; and far above the record it is height +
        1 / height, as the hazard is. That matters where a record was beaten by far less than a
        small sigma: any trend above it is then about as likely, and the row, which least squares
        would pass through, says next to nothing.
        """
        sigma_axis = position[SIGMA:]
        space = TrendSpace(self.priors)

        def line(z: Array) -> tuple[Array, dict[str, Scalar]]:
            values, _ = space.unwhiten(jnp.concatenate([z, sigma_axis]), data)
            return jnp.stack([values["alpha"], values["rate"]]), values

        slopes, values = jax.jacfwd(line, has_aux=True)(jnp.zeros(2))
        above, scale, counts = self._height(values, data)
        # Of each row's height in the two whitened coordinates.
        by_level, by_rate = (
            jnp.where(counts, -(data.slope_sign * slopes[0, i] + slopes[1, i] * data.t), 0.0)
            / scale
            for i in (ALPHA, RATE)
        )
        level = rate = jnp.zeros(())
        for _ in range(_NEWTON_STEPS):
            height = above + level * by_level + rate * by_rate
            root = jnp.sqrt(height**2 + 4.0)
            hazard, weight = 0.5 * (root + height), 0.5 * _MOST * (1.0 + height / root)
            pull_level = jnp.sum(hazard * by_level) - level
            pull_rate = jnp.sum(hazard * by_rate) - rate
            a = 1.0 - jnp.sum(weight * by_level**2)
            b = -jnp.sum(weight * by_level * by_rate)
            c = 1.0 - jnp.sum(weight * by_rate**2)
            determinant = a * c - b**2
            level += (c * pull_level - b * pull_rate) / determinant
            rate += (a * pull_rate - b * pull_level) / determinant
        # The inverse of the Hessian as a triangle: the rate, and the level given the rate.
        off_rate = position[RATE] * jnp.sqrt(a / determinant)
        off_level = position[ALPHA] / jnp.sqrt(a) - b / a * off_rate
        moved = jnp.stack([level + off_level, rate + off_rate])
        values, log_jacobian = super()._unwhiten(jnp.concatenate([moved, sigma_axis]), data)
        return values, log_jacobian - 0.5 * jnp.log(determinant)

    def _height(self, values: Parameters, data: Data) -> tuple[PerObs, PerObs, PerObsMask]:
        """How far the trend is above the record that each row beat, in units of the row's scale.

        With the scale, and which rows count: those that beat a record and that least squares sees.
        """
        from effbayes.models.records_program import record_beaten  # noqa: PLC0415 - as there

        # The variances of `least_squares`: with less, a slope could exceed the row's weight there.
        scale = jnp.sqrt(as_normal.variance(values["sigma"], data))
        record = record_beaten(data)
        counts = jnp.isfinite(record) & as_normal.counts(data)
        mean = -data.slope_sign * mean_of_trend(values["alpha"], values["rate"], data)
        return jnp.where(counts, mean - jnp.where(counts, record, 0.0), 0.0) / scale, scale, counts

    def check(self, series: Series) -> None:
        """Refuse rows that are not all records, or a posterior that does not exist.

        Raises
        ------
        DataError
            A row does not beat the rows used before it, or exact rows lie on one line.
        """
        _require_records(series)
        require_proper(series, prior=self.priors.kind, robust=False)


def make_model(series: Series, priors: Priors, *, robust: bool) -> Records:
    """The model value for a series, checked against it.

    Raises
    ------
    UsageError
        Robust noise, or the reference prior, under which the posterior does not exist.
    DataError
        As `Records.check`.
    """
    if robust:
        raise UsageError("the records model has normal noise only; leave out robust")
    if priors.kind == "reference":
        raise UsageError(
            "the records model has no reference prior: under flat priors the posterior does not "
            "exist, because records of rare luck fit any decline of the trend, however steep, as "
            "well as progress; use --prior default or signed"
        )
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    censored = bucket_size(series.n_obs) <= SHORT or bool(np.any(bounded & series.used))
    model = Records(priors=priors, censored=censored)
    model.check(series)
    return model


def _require_records(series: Series) -> None:
    """Refuse used rows that do not beat every used row before them, by their point values."""
    rows = np.flatnonzero(series.used)
    date = series.date[rows]
    low, high = series.value_low[rows], series.value_high[rows]
    level = level_of(series.value[rows], low, high)
    records = record_flags(date, level, series.direction)
    better = "below" if series.direction == "falling" else "above"
    faults = [
        Fault(
            f"of {date[i]} is not {better} every row before it",
            row=series.name_of_row(int(rows[i])),
            column="value",
            value=f"{level[i]:g}",
        )
        for i in np.flatnonzero(~records)
    ]
    if faults:
        raise DataError(
            f"{series.id}: the records model takes record-setting rows alone, and {len(faults)} of "
            f"{len(rows)} rows used are not; choose --where frontier, or the model frontier, which "
            "uses all rows",
            faults,
        )
    _require_possible(series, rows, level)


def _require_possible(series: Series, rows: np.ndarray, level: np.ndarray) -> None:
    """Refuse a record whose bounds put its value beyond the record that it beat."""
    order = np.argsort(series.date[rows], kind="stable")
    sign = -series.sign
    best = sign * np.minimum.accumulate(sign * level[order])
    # The bound on the side of the record; NaN, where there is none, compares as False.
    bounds = series.value_low if series.direction == "falling" else series.value_high
    nearest = bounds[rows[order]][1:]
    faults = [
        Fault(
            f"of {series.date[row]} has bounds wholly beyond the record that it beat ({beaten:g})",
            "correct the bounds or the value",
            row=series.name_of_row(int(row)),
        )
        for row, beaten, wrong in zip(
            rows[order][1:], best[:-1], sign * nearest >= sign * best[:-1], strict=True
        )
        if wrong
    ]
    if faults:
        raise DataError(f"{series.id}: a record contradicts its bounds", faults)
