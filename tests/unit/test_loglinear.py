"""The log-linear model: its densities against scipy, its map, its priors."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.models import contract, loglinear
from effbayes.models.loglinear import LogLinear, Priors

from .conftest import make_series


@pytest.fixture
def series():
    return make_series(
        ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01", "2017-05-05"],
        [16.0, 9.0, 5.0, 3.0, 1.0],
        value_sd=np.array([0.0, 0.2, 0.0, 0.1, 0.0]),
        date_sd_days=np.array([0.0, 0.0, 40.0, 0.0, 0.0]),
        value_low=np.array([np.nan, np.nan, np.nan, 2.0, np.nan]),
        value_high=np.array([np.nan, np.nan, np.nan, 3.5, 1.5]),
    )


def expected_log_likelihood(series, alpha, rate, sigma, nu=None):
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    sd = np.sqrt(sigma**2 + series.value_sd**2 + (rate * series.date_sd_days / 365.25) ** 2)
    noise = stats.norm if nu is None else stats.t(nu)
    z = lambda y: (y - alpha + rate * t) / sd  # noqa: E731
    exact = noise.logpdf(z(np.log2(series.value))) - np.log(sd)
    low = np.log2(np.where(np.isnan(series.value_low), 1e-300, series.value_low))
    high = np.log2(np.where(np.isnan(series.value_high), 1e300, series.value_high))
    inside = np.log(noise.cdf(z(high)) - noise.cdf(z(low)))
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    return np.where(bounded, inside, exact)


def expected_log_prior(series, kind, values):
    y_mean = np.mean(np.log2(series.value))
    expected = 0.0
    if kind == "reference":
        expected -= np.log(values["sigma"])
    else:
        expected += stats.norm(y_mean, 10.0).logpdf(values["alpha"])
        expected += stats.halfnorm.logpdf(values["sigma"])
    if kind == "default":
        expected += stats.lognorm(1.2, scale=18.0).logpdf(values["doubling_time"])
    if kind == "signed":
        expected += stats.norm(0.0, 2.0).logpdf(values["rate"])
    if "nu" in values:
        expected += stats.gamma(2.0, scale=10.0).logpdf(values["nu"])
    return expected


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("kind", ["default", "signed", "reference"])
def test_log_density_is_prior_times_likelihood(series, kind, robust):
    model = LogLinear(Priors(kind=kind), robust=robust)
    with runtime.on_device("cpu"):
        data = jax.tree.map(jnp.asarray, contract.data_from_series(series))
        position = jnp.array([0.3, -0.4, 0.2, 0.1][: 4 if robust else 3])
        made = model.constrain(position, data)
        values = {k: float(v) for k, v in made.items()}
        likelihood = np.asarray(model.log_likelihood(made, data))
        prior = float(model.log_prior(made, data))
        joint = float(model.log_density(position, data))

        # Jacobian of the map from positions to the prior's own coordinates.
        names = ["alpha", "doubling_time" if kind == "default" else "rate", "sigma", "nu"]
        names = names[: len(position)]

        def to_sites(u):
            made = model.constrain(u, data)
            return jnp.stack([made[name] for name in names])

        log_jacobian = float(jnp.linalg.slogdet(jax.jacfwd(to_sites)(position))[1])

    nu = values.get("nu")
    np.testing.assert_allclose(
        likelihood[:5],
        expected_log_likelihood(series, values["alpha"], values["rate"], values["sigma"], nu),
        rtol=1e-9,
    )
    assert np.all(likelihood[5:] == 0.0)
    expected = expected_log_prior(series, kind, values)
    assert prior == pytest.approx(expected, rel=1e-9)
    assert joint == pytest.approx(expected + np.sum(likelihood) + log_jacobian, rel=1e-9)


DATES = ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01"]
VALUES = np.array([16.0, 9.0, 5.0, 1.0])


def density_and_values(series, position):
    model = LogLinear()
    with runtime.on_device("cpu"):
        data = jax.tree.map(jnp.asarray, contract.data_from_series(series))
        density = float(model.log_density(jnp.array(position), data))
        return density, {k: float(v) for k, v in model.constrain(jnp.array(position), data).items()}


@pytest.mark.parametrize("position", [[0.3, -0.7, 0.1], [-2.0, 1.5, -3.0]])
def test_rising_is_falling_of_the_inverse(position):
    falling = density_and_values(make_series(DATES, VALUES), position)
    mirrored = [-position[0], *position[1:]]
    rising = density_and_values(make_series(DATES, 1.0 / VALUES, direction="rising"), mirrored)
    assert falling[0] == pytest.approx(rising[0], rel=1e-12)
    assert falling[1]["rate"] == pytest.approx(rising[1]["rate"], rel=1e-12)
    assert falling[1]["alpha"] == pytest.approx(-rising[1]["alpha"], rel=1e-12)


@pytest.mark.parametrize("position", [[0.3, -0.7, 0.1], [-2.0, 1.5, -3.0]])
def test_the_unit_does_not_matter(position):
    one = density_and_values(make_series(DATES, VALUES), position)
    other = density_and_values(make_series(DATES, 8.64e16 * VALUES), position)
    assert one[0] == pytest.approx(other[0], rel=1e-10)
    assert one[1]["rate"] == pytest.approx(other[1]["rate"], rel=1e-10)
    assert one[1]["alpha"] + np.log2(8.64e16) == pytest.approx(other[1]["alpha"], rel=1e-10)


def test_level_of_a_rising_series():
    fit = eb.sample(make_series(DATES, 1.0 / VALUES, direction="rising"), seed=5)
    assert fit.level("2016-01-01").median > fit.level("2012-01-01").median
    assert fit.doubling_time().median == pytest.approx(12.0, abs=2.0)


def test_prior_draws_follow_the_priors(series):
    model = LogLinear(robust=True)
    with runtime.on_device("cpu"):
        data = jax.tree.map(jnp.asarray, contract.data_from_series(series))
        keys = jax.random.split(jax.random.key(0), 20_000)
        draws = jax.vmap(lambda key: model.prior_draw(key, data))(keys)
    y_mean = np.mean(np.log2(series.value))
    for name, law in {
        "alpha": stats.norm(y_mean, 10.0),
        "doubling_time": stats.lognorm(1.2, scale=18.0),
        "sigma": stats.halfnorm,
        "nu": stats.gamma(2.0, scale=10.0),
    }.items():
        # Fixed key; false alarms 1e-6 a comparison were it not.
        assert stats.kstest(np.asarray(draws[name]), law.cdf).pvalue > 1e-6
    np.testing.assert_allclose(draws["rate"], 12.0 / np.asarray(draws["doubling_time"]))


def test_the_reference_prior_has_no_draws():
    assert LogLinear().has_proper_prior
    assert not LogLinear(Priors(kind="reference")).has_proper_prior


def test_buckets():
    assert [contract.bucket_size(n) for n in (2, 8, 9, 16, 17, 100)] == [8, 8, 16, 16, 32, 128]


@pytest.mark.parametrize("wrong", [{"kind": "flat"}, {"sigma_scale": 0.0}, {"alpha_sd": np.inf}])
def test_bad_priors(wrong):
    with pytest.raises(eb.UsageError):
        Priors(**wrong)


def test_other_priors_are_used(alexnet):
    wide = eb.sample(alexnet, seed=0)
    narrow = eb.sample(
        alexnet, prior=eb.Priors(doubling_time_median=60.0, doubling_time_sdlog=0.05)
    )
    assert narrow.doubling_time().median > 40 > wide.doubling_time().median
    assert narrow.summary()["prior"] == "default"


def test_noise_of_a_new_system():
    model = LogLinear(robust=True, priors=Priors())
    values = {"sigma": jnp.asarray(2.0), "nu": jnp.asarray(5.0)}
    drawn = np.asarray(model.noise(jax.random.key(1), values, (20_000,)))
    assert stats.kstest(drawn / 2.0, stats.t(5.0).cdf).pvalue > 1e-6
    drawn = np.asarray(LogLinear().noise(jax.random.key(1), values, (20_000,)))
    assert stats.kstest(drawn / 2.0, stats.norm.cdf).pvalue > 1e-6


def test_short_series_share_a_program_and_long_ones_leave_out_what_they_do_not_need(series):
    exact = series.select(np.array([True, True, True, False, False]), "first three")
    short = [loglinear.make_model(each, Priors(), robust=False) for each in (series, exact)]
    assert short[0] == short[1]
    n = 100
    long = make_series(
        np.datetime64("2010-01-01") + 50 * np.arange(n),
        np.exp(np.random.default_rng(0).standard_normal(n)),
    )
    assert not loglinear.make_model(long, Priors(), robust=False).censored
    bounded = make_series(long.date, long.value, value_low=long.value / 2, value_high=long.value)
    assert loglinear.make_model(bounded, Priors(), robust=False).censored


def test_arithmetic_of_bounds_changes_nothing_without_bounds():
    series = make_series(DATES, VALUES)
    with runtime.on_device("cpu"):
        data = jax.tree.map(jnp.asarray, contract.data_from_series(series))
        position = jnp.array([0.3, -0.7, 0.1])
        found = [
            jax.value_and_grad(LogLinear(censored=censored).log_density)(position, data)
            for censored in (True, False)
        ]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-14)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-12)
