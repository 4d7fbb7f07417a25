"""The records model: its densities against SciPy and mpmath, its draws, what it refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import special, stats

import effbayes as eb
from effbayes import runtime
from effbayes.models import catalogue, contract
from effbayes.models.records import Priors, Records, make_model
from effbayes.models.records_program import gap_below, log_density_below, record_beaten

from .conftest import make_series

DATES = ["2012-01-01", "2016-01-01", "2013-06-01", "2014-02-01", "2014-02-01", "2017-05-05"]
VALUES = np.array([16.0, 2.5, 9.0, 7.0, 5.0, 1.0])
BEATEN = np.array([np.inf, 5.0, 16.0, 9.0, 7.0, 2.5])
"""Records of an unsorted table, two of one date, and what each of them beat."""
NONE = np.full(len(VALUES), np.nan)


@pytest.fixture(params=["falling", "rising"])
def series(request):
    """Errors and bounds of every kind, and the same mirrored."""
    low, high = NONE.copy(), NONE.copy()
    low[1], high[1] = 2.0, 3.5
    high[5], low[4], high[4] = 1.5, 4.0, 8.0
    low[3] = 3.0
    rising = request.param == "rising"
    return make_series(
        DATES,
        1.0 / VALUES if rising else VALUES,
        direction=request.param,
        value_sd=np.array([0.0, 0.2, 0.0, 0.1, 0.0, 0.0]),
        date_sd_days=np.array([0.0, 0.0, 40.0, 0.0, 0.0, 10.0]),
        value_low=1.0 / high if rising else low,
        value_high=1.0 / low if rising else high,
    )


def arrays(series):
    return jax.tree.map(jnp.asarray, contract.data_from_series(series))


def expected_log_likelihood(series, alpha, rate, sigma):
    """Row by row with SciPy's distribution functions, costs mirrored by hand."""
    sign = 1.0 if series.direction == "falling" else -1.0
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    mean = sign * alpha - rate * t
    found = []
    for i, beaten in enumerate(np.log2(BEATEN)):
        sd = np.hypot(np.hypot(sigma, series.value_sd[i]), rate * series.date_sd_days[i] / 365.25)
        law = stats.norm(mean[i], sd)
        ends = sign * np.log2([series.value_low[i], series.value_high[i]])[:: int(sign)]
        if np.isnan(ends).all():
            inside = law.logpdf(sign * np.log2(series.value[i]))
        else:
            high = min(beaten, np.inf if np.isnan(ends[1]) else ends[1])
            low = 0.0 if np.isnan(ends[0]) else law.cdf(ends[0])
            inside = np.log(law.cdf(high) - low)
        found.append(inside - law.logcdf(beaten))
    return np.array(found)


@pytest.mark.parametrize("kind", ["default", "signed"])
@pytest.mark.parametrize("position", [[0.3, -0.4, 0.2], [2.0, -1.5, 1.0]])
def test_log_density_is_prior_times_likelihood(series, kind, position):
    model = Records(Priors(kind=kind))
    with runtime.on_device("cpu"):
        data, at = arrays(series), jnp.array(position)
        made = model.constrain(at, data)
        values = {k: float(v) for k, v in made.items()}
        likelihood = np.asarray(model.log_likelihood(made, data))
        prior = float(model.log_prior(made, data))
        joint = float(model.log_density(at, data))
        names = ["alpha", "doubling_time" if kind == "default" else "rate", "sigma"]

        def to_sites(u):
            made = model.constrain(u, data)
            return jnp.stack([made[name] for name in names])

        log_jacobian = float(jnp.linalg.slogdet(jax.jacfwd(to_sites)(at))[1])

    np.testing.assert_allclose(
        likelihood[: len(VALUES)],
        expected_log_likelihood(series, values["alpha"], values["rate"], values["sigma"]),
        rtol=1e-9,
        atol=1e-12,
    )
    assert np.all(likelihood[len(VALUES) :] == 0.0)
    expected = stats.norm(float(data.y_mean), 10.0).logpdf(values["alpha"])
    expected += stats.halfnorm.logpdf(values["sigma"])
    if kind == "default":
        expected += stats.lognorm(1.2, scale=18.0).logpdf(values["doubling_time"])
    else:
        expected += stats.norm(0.0, 2.0).logpdf(values["rate"])
    assert prior == pytest.approx(expected, rel=1e-9)
    assert joint == pytest.approx(expected + np.sum(likelihood) + log_jacobian, rel=1e-9)


def exact_log_density(gap, bound):
    with mpmath.workdps(60):
        z = mpmath.mpf(bound) - mpmath.mpf(gap)
        below = mpmath.erfc(-mpmath.mpf(bound) / mpmath.sqrt(2)) / 2
        return float(-(z**2) / 2 - mpmath.log(2 * mpmath.pi) / 2 - mpmath.log(below))


GRID = [
    (gap, bound)
    for bound in (-1000.0, -100.0, -20.1, -8.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 4.0, 30.0, 1000.0)
    for gap in (1e-12, 1e-4, 0.3, 2.0, 25.0, 400.0, 1000.0, 1990.0)
    if abs(bound - gap) <= 1000.0
]


def test_truncated_density_keeps_its_digits_in_the_tails():
    gap, bound = (np.array(column) for column in zip(*GRID, strict=True))
    with runtime.on_device("cpu"):
        found = np.asarray(log_density_below(jnp.asarray(gap), jnp.asarray(bound)))
    expected = [exact_log_density(*each) for each in GRID]
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-9)


def test_gradient_of_the_truncated_density():
    gap, bound = (np.array(column) for column in zip(*GRID, strict=True))

    def total(gap, bound):
        return jnp.sum(log_density_below(gap, bound))

    with runtime.on_device("cpu"):
        by_gap, by_bound = jax.grad(total, argnums=(0, 1))(jnp.asarray(gap), jnp.asarray(bound))
    z = bound - gap
    np.testing.assert_allclose(by_gap, z, rtol=1e-12)
    tail = bound <= 0.0
    hazard = np.where(
        tail,
        np.sqrt(2.0 / np.pi) / special.erfcx(-np.where(tail, bound, 0.0) / np.sqrt(2.0)),
        np.exp(-0.5 * np.minimum(bound, 30.0) ** 2 - special.log_ndtr(bound)) / np.sqrt(2 * np.pi),
    )
    # Of -z - hazard, whose terms cancel where the gap is small beside a far bound.
    np.testing.assert_allclose(by_bound, -z - hazard, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("bound", [-1000.0, -40.0, -6.0, -1.0, 0.0, 0.4, 3.0, 8.0])
def test_gap_inverts_its_survival_function(bound):
    probability = np.array([1e-300, 1e-12, 1e-3, 0.1, 0.5, 0.9, 0.999])
    with runtime.on_device("cpu"):
        gap = np.asarray(gap_below(jnp.asarray(probability), jnp.full(len(probability), bound)))
    assert np.all(np.diff(gap) < 0.0)
    assert np.all(gap > 0.0)
    for p, found in zip(probability, gap, strict=True):
        with mpmath.workdps(60):
            tail = lambda x: mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2))  # noqa: E731
            survival = tail(mpmath.mpf(bound) - mpmath.mpf(found)) / tail(bound)
            assert float(mpmath.log(survival / p)) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("direction", ["falling", "rising"])
def test_records_beaten_of_an_unsorted_table(direction):
    rising = direction == "rising"
    made = make_series(DATES, 1.0 / VALUES if rising else VALUES, direction=direction)
    with runtime.on_device("cpu"):
        beaten = np.asarray(record_beaten(arrays(made)))
    np.testing.assert_allclose(beaten[: len(VALUES)], np.log2(BEATEN), rtol=1e-12)
    assert np.all(np.isinf(beaten[len(VALUES) :]))


@pytest.mark.parametrize("position", [[0.3, -0.7, 0.1], [-2.0, 1.5, -3.0]])
def test_rising_is_falling_of_the_inverse(position):
    found = []
    with runtime.on_device("cpu"):
        for direction, values in (("falling", VALUES), ("rising", 1.0 / VALUES)):
            data = arrays(make_series(DATES, values, direction=direction))
            level = position[0] if direction == "falling" else -position[0]
            at = jnp.array([level, *position[1:]])
            made = {k: float(v) for k, v in Records().constrain(at, data).items()}
            found.append((float(Records().log_density(at, data)), made))
    (falling, of_falling), (rising, of_rising) = found
    assert falling == pytest.approx(rising, rel=1e-12)
    assert of_falling["rate"] == pytest.approx(of_rising["rate"], rel=1e-12)
    assert of_falling["alpha"] == pytest.approx(-of_rising["alpha"], rel=1e-12)


@pytest.mark.parametrize("kind", ["default", "signed"])
def test_gradients_are_finite_far_from_the_data(series, kind):
    model = Records(Priors(kind=kind))
    rng = np.random.default_rng(0)
    positions = np.concatenate([s * rng.standard_normal((50, 3)) for s in (1.0, 5.0, 20.0)])
    with runtime.on_device("cpu"):
        data = arrays(series)
        density = jax.jit(jax.vmap(jax.value_and_grad(model.log_density), in_axes=(0, None)))
        value, slope = density(jnp.asarray(positions), data)
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(slope))


def test_space_stays_white_where_a_record_was_barely_beaten():
    """Least squares draws the trend through the exact row; any above it is about as likely.

    A sampler that crosses from a large sigma to a small one needs the same widths at both.
    """
    dates = ["2012-06-01", "2014-09-17", "2017-04-17", "2017-07-04", "2018-07-30", "2019-05-28"]
    barely = np.array([8.0, 4.5, 2.5, 1.0, 0.9999, 0.6])
    errors = np.array([0.1, 0.5, 0.1, 0.5, 0.0, 0.4])
    with runtime.on_device("cpu"):
        data = arrays(make_series(dates, barely, value_sd=errors))

        def density(z, axis):
            return Records().log_density(jnp.append(z, axis), data)

        def around_centre(axis):
            sigma = Records().constrain(jnp.append(jnp.zeros(2), axis), data)["sigma"]
            slope = jax.vmap(jax.grad(density), in_axes=(0, None))
            return sigma, slope(0.1 * jnp.eye(2), axis), slope(-0.1 * jnp.eye(2), axis)

        found = jax.jit(jax.vmap(around_centre))(jnp.linspace(-18.0, 0.0, 10))
    sigma, after, before = (np.asarray(each) for each in found)
    assert sigma.min() < 0.005
    assert sigma.max() > 0.2
    # By differences: JAX has no second derivative of erfcx.
    curvature = np.linalg.eigvalsh((before - after) / 0.2)
    assert np.all(np.abs(after + before) / 2.0 < 1.0)
    assert np.all((curvature > 0.4) & (curvature < 2.5))


def test_bounds_that_a_record_must_lie_within_anyway_say_nothing():
    high = NONE.copy()
    high[5] = 20.0
    bounded = make_series(DATES, VALUES, value_high=high)
    with runtime.on_device("cpu"):
        data = arrays(bounded)
        values = {name: jnp.asarray(x) for name, x in (("alpha", 2.0), ("rate", 0.5), ("sigma", 1))}
        likelihood = np.asarray(Records().log_likelihood(values, data))
    assert likelihood[5] == 0.0
    assert np.all(likelihood[:5] != 0.0)


def test_arithmetic_of_bounds_changes_nothing_without_bounds():
    with runtime.on_device("cpu"):
        data = arrays(make_series(DATES, VALUES))
        position = jnp.array([0.3, -0.7, 0.1])
        found = [
            jax.value_and_grad(Records(censored=censored).log_density)(position, data)
            for censored in (True, False)
        ]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-14)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)


def test_replicated_data_follow_the_models_conditional_laws(series):
    """Each row beats the record before it. False-alarm budget 1e-6 a row."""
    values = {"alpha": 1.0, "rate": 0.4, "sigma": 1.3}
    sign = 1.0 if series.direction == "falling" else -1.0
    with runtime.on_device("cpu"):
        data = arrays(series)
        given = {name: jnp.asarray(x) for name, x in values.items()}
        keys = jax.random.split(jax.random.key(0), 20_000)
        drawn = np.asarray(jax.vmap(Records().predict, in_axes=(0, None, None))(keys, given, data))
    t, n = np.asarray(data.t), len(VALUES)
    sd = np.hypot(np.hypot(1.3, series.value_sd), 0.4 * series.date_sd_days / 365.25)
    mean = sign * 1.0 - 0.4 * t[:n]
    for i, beaten in enumerate(np.log2(BEATEN)):
        law = stats.truncnorm(-np.inf, (beaten - mean[i]) / sd[i], mean[i], sd[i])
        assert stats.kstest(sign * drawn[:, i], law.cdf).pvalue > 1e-6


def test_prior_draws_follow_the_priors():
    with runtime.on_device("cpu"):
        data = arrays(make_series(DATES, VALUES))
        draws = contract.draws_of(Records(), jax.random.key(0), data, 20_000)
    for name, law in {
        "alpha": stats.norm(np.mean(np.log2(VALUES)), 10.0),
        "doubling_time": stats.lognorm(1.2, scale=18.0),
        "sigma": stats.halfnorm,
    }.items():
        # Fixed key; false alarms 1e-6 a comparison were it not.
        assert stats.kstest(np.asarray(draws[name]), law.cdf).pvalue > 1e-6


def test_noise_is_that_of_any_new_system():
    values = {"sigma": jnp.asarray(2.0)}
    drawn = np.asarray(Records().noise(jax.random.key(1), values, (20_000,)))
    assert stats.kstest(drawn / 2.0, stats.norm.cdf).pvalue > 1e-6


def test_flat_priors_leave_every_decline_as_likely():
    """What remains of the likelihood at rate -R tends to the constant in the module's docstring."""
    t, y = np.array([0.0, 1.0, 2.5, 4.0]), np.array([3.0, 2.2, 1.9, 0.3])
    gap, since = y[:-1] - y[1:], t[1:] - t[0]
    limit = 0.5 * special.gamma(3) * np.prod(since) / np.sum(since * gap) ** 3

    def remaining(decline):
        """Integral over log sigma and the first row's residual v; dims of the grid (sigma, v)."""
        log_sigma, v = np.linspace(-5.0, 5.0, 801) + 0.5 * np.log(decline), np.linspace(-8, 8, 161)
        sigma = np.exp(log_sigma)[:, None]
        density = stats.norm.pdf(v)[None, :] * np.ones_like(sigma)
        for i in range(1, len(t)):
            above = (y[0] - y[i - 1] + decline * (t[i] - t[0])) / sigma + v
            step = gap[i - 1] / sigma
            ratio = np.sqrt(0.5 * np.pi) * special.erfcx(above / np.sqrt(2.0))
            density *= np.exp(-step * above - 0.5 * step**2) / ratio / sigma
        return float(density.sum() * (log_sigma[1] - log_sigma[0]) * (v[1] - v[0]))

    errors = [abs(remaining(decline) / limit - 1.0) for decline in (1e4, 1e6, 1e8)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_what_is_not_in_the_model_is_refused():
    made = make_series(DATES, VALUES)
    with pytest.raises(eb.UsageError, match="normal noise only"):
        make_model(made, Priors(), robust=True)
    with pytest.raises(eb.UsageError, match="does not exist"):
        make_model(made, Priors(kind="reference"), robust=False)


@pytest.mark.parametrize("direction", ["falling", "rising"])
def test_rows_that_are_not_records_are_named(direction):
    values = VALUES.copy()
    values[1], values[3] = 6.0, 9.0
    label = ("first", "late", "second", "", "fourth", "last")
    values = values if direction == "falling" else 1.0 / values
    made = make_series(DATES, values, label=label, direction=direction)
    with pytest.raises(eb.DataError, match="2 of 6 rows") as raised:
        make_model(made, Priors(), robust=False)
    rows = [(fault.row, fault.rule.split()[1]) for fault in raised.value.faults]
    assert rows == [("late", "2016-01-01"), (4, "2014-02-01")]
    assert "--where frontier" in str(raised.value)
    kept = made.select(np.array([True, False, True, False, True, True]), "records")
    assert make_model(kept, Priors(), robust=False).name == "records"


@pytest.mark.parametrize("direction", ["falling", "rising"])
def test_a_record_beyond_its_own_bounds_is_refused(direction):
    low, high = NONE.copy(), NONE.copy()
    low[1], high[1] = 5.0, 6.0
    rising = direction == "rising"
    made = make_series(
        DATES,
        1.0 / VALUES if rising else VALUES,
        value_low=1.0 / high if rising else low,
        value_high=1.0 / low if rising else high,
        direction=direction,
    )
    with pytest.raises(eb.DataError, match="row 1: of 2016-01-01 has bounds wholly beyond"):
        make_model(made, Priors(), robust=False)


def test_exact_records_on_one_line_are_refused():
    made = make_series(["2012-01-01", "2013-01-01", "2014-01-01"], [4.0, 2.0, 1.0])
    shifted = make_series(["2013-01-01", "2014-01-01", "2015-01-01"], [4.0, 2.0, 1.0])
    with pytest.raises(eb.DataError, match="one line"):
        make_model(shifted, Priors(), robust=False)
    # A leap day apart.
    assert make_model(made, Priors(), robust=False)


def test_short_series_share_a_program_and_long_ones_leave_out_what_they_do_not_need():
    n = 100
    long = make_series(
        np.datetime64("2010-01-01") + 50 * np.arange(n),
        np.exp(-np.cumsum(np.random.default_rng(0).exponential(size=n))),
    )
    assert not make_model(long, Priors(), robust=False).censored
    bounded = make_series(long.date, long.value, value_low=long.value / 2, value_high=long.value)
    assert make_model(bounded, Priors(), robust=False).censored
    assert make_model(make_series(DATES, VALUES), Priors(), robust=False).censored


def test_rows_and_description():
    assert catalogue.ROWS["records"] == "frontier"
    model = Records(Priors(kind="signed"))
    assert model.describe()["model"] == "records"
    assert (model.prior_name, model.parameters) == ("signed", ("alpha", "sigma"))
