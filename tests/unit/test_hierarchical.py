"""The hierarchical model: densities against scipy, coordinates against closed forms, refusals."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import effbayes as eb
from effbayes import runtime
from effbayes.models import contract
from effbayes.models.axes import Normal
from effbayes.models.hierarchical import (
    Bounded,
    Hierarchical,
    Member,
    Priors,
    data_from_many,
    make_model,
)
from effbayes.models.hierarchical_space import Space
from effbayes.models.least_squares import LeastSquares
from effbayes.models.population import (
    Estimates,
    member_given_population,
    population_mean,
    rate_in_errors,
)
from effbayes.models.priors import HierarchicalPriors

from .conftest import make_series

FALSE_ALARMS = 1e-6


@pytest.fixture(scope="module")
def three():
    """Bounds, errors of value and date, a rising score, and a series of two rows."""
    nan = np.nan
    mixed = make_series(
        ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01", "2017-05-05"],
        [16.0, 9.0, 5.0, 3.0, 1.0],
        name="mixed",
        value_sd=np.array([0.0, 0.2, 0.0, 0.1, 0.0]),
        date_sd_days=np.array([0.0, 0.0, 40.0, 0.0, 0.0]),
        value_low=np.array([nan, nan, nan, 2.0, nan]),
        value_high=np.array([nan, nan, nan, 3.5, 1.5]),
    )
    two = make_series(["2014-01-01", "2016-07-01"], [4.0, 1.0], name="two")
    score = make_series(
        ["2011-01-01", "2012-01-01", "2013-06-01"], [1.0, 2.5, 3.0], name="x", direction="rising"
    )
    return [mixed, two, score]


def arrays(series):
    return jax.tree.map(jnp.asarray, data_from_many(series))


def expected_rows(series, alpha, rate, sigma):
    """Log-likelihood of each row, in the order of the table."""
    days = series.date.astype(float)
    t = (days - days.mean()) / 365.25
    trend = alpha + (rate if series.direction == "rising" else -rate) * t
    sd = np.sqrt(sigma**2 + series.value_sd**2 + (rate * series.date_sd_days / 365.25) ** 2)
    low = np.log2(np.where(np.isnan(series.value_low), 1e-300, series.value_low))
    high = np.log2(np.where(np.isnan(series.value_high), 1e300, series.value_high))
    inside = np.log(stats.norm.cdf((high - trend) / sd) - stats.norm.cdf((low - trend) / sd))
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    return np.where(bounded, inside, stats.norm.logpdf(np.log2(series.value), trend, sd))


def expected_prior(priors, values, y_mean):
    total = stats.norm.logpdf(values["mu"], np.log(priors.doubling_time_median), 1.2)
    total += stats.halfnorm(scale=priors.tau_scale).logpdf(values["tau"])
    total += stats.halfnorm.logpdf(values["s"])
    time = stats.lognorm(values["tau"], scale=np.exp(values["mu"]))
    total += np.sum(time.logpdf(values["doubling_time"]))
    total += np.sum(stats.lognorm(0.5, scale=values["s"]).logpdf(values["sigma"]))
    return total + np.sum(stats.norm.logpdf(values["alpha"], y_mean, 10.0))


@pytest.mark.parametrize("scale", [0.3, 1.5])
def test_log_density_is_prior_times_likelihood(three, scale):
    priors = Priors(tau_scale=0.7)
    model = make_model(three, priors, robust=False)
    position = scale * np.random.default_rng(1).normal(size=3 + 3 * len(three))
    sites = ("mu", "tau", "s", "doubling_time", "sigma", "alpha")
    with runtime.on_device("cpu"):
        data = arrays(three)
        u = jnp.asarray(position)
        made = model.constrain(u, data)
        likelihood = np.asarray(model.log_likelihood(made, data))
        prior = float(model.log_prior(made, data))
        joint = float(model.log_density(u, data))

        def to_sites(u):
            made = model.constrain(u, data)
            return jnp.concatenate([jnp.atleast_1d(made[name]) for name in sites])

        log_jacobian = float(jnp.linalg.slogdet(jax.jacfwd(to_sites)(u))[1])
    values = {name: np.asarray(value) for name, value in made.items()}
    np.testing.assert_allclose(values["rate"], 12.0 / values["doubling_time"], rtol=1e-12)
    assert values["doubling_time_typical"] == pytest.approx(np.exp(values["mu"]))
    total = 0.0
    for d, series in enumerate(three):
        rows = expected_rows(series, *(values[name][d] for name in ("alpha", "rate", "sigma")))
        total += rows.sum()
        bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
        order = np.argsort(~bounded, kind="stable")
        np.testing.assert_allclose(likelihood[d, : len(rows)], rows[order], rtol=1e-9)
        assert np.all(likelihood[d, len(rows) :] == 0.0)
    expected = expected_prior(priors, values, np.asarray(data.y_mean))
    assert prior == pytest.approx(expected, rel=1e-9)
    assert joint == pytest.approx(expected + total + log_jacobian, rel=1e-9)


def test_densities_and_gradients_are_finite_far_out(three):
    one_sided = make_series(
        ["2012-01-01", "2014-01-01", "2015-01-01"],
        [4.0, 2.0, 1.0],
        name="one-sided",
        value_high=np.array([4.0, 2.0, 1.0]),
    )
    series = [*three, one_sided]
    model = make_model(series, Priors(), robust=False)
    positions = 6.0 * np.random.default_rng(2).normal(size=(200, 3 + 3 * len(series)))
    # Tau and s all but zero, and large.
    positions[0, 1:3], positions[1, 1:3] = -30.0, 30.0
    with runtime.on_device("cpu"):
        data = arrays(series)
        density = jax.vmap(jax.value_and_grad(lambda u: model.log_density(u, data)))
        value, slope = density(jnp.asarray(positions))
        starts = [
            model.log_density(model.initial(jax.random.key(0), data, far=jnp.asarray(far)), data)
            for far in (0, 1)
        ]
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(slope))
    assert np.all(np.isfinite(starts))


def test_padding_changes_nothing(three):
    model = make_model(three, Priors(), robust=False)
    position = np.random.default_rng(3).normal(size=12)
    data = data_from_many(three)
    fill = {"low": -np.inf, "high": np.inf, "mask": False}
    columns = {
        name: np.pad(column, ((0, 0), (0, 8)), constant_values=fill.get(name, 0.0))
        for name, column in data._asdict().items()
        if column.ndim == 2
    }
    with runtime.on_device("cpu"):
        found = [
            float(model.log_density(jnp.asarray(position), jax.tree.map(jnp.asarray, each)))
            for each in (data, data._replace(**columns))
        ]
    assert found[0] == pytest.approx(found[1], rel=1e-13)


def test_data_have_a_leading_dim(three):
    data = data_from_many(three)
    assert data.y.shape == (3, 8)
    assert data.y_mean.shape == (3,)
    np.testing.assert_array_equal(data.mask.sum(axis=1), [5, 2, 3])
    np.testing.assert_array_equal(data.slope_sign, [-1.0, -1.0, 1.0])
    # The two rows with bounds lead.
    assert np.isfinite(data.high[0]).tolist() == [True, True] + 6 * [False]
    assert make_model(three, Priors(), robust=False).bounded == Bounded((0,), 8)
    assert make_model(three[1:], Priors(), robust=False).bounded == Bounded()
    one = contract.data_from_series(three[1])
    for name in contract.Data._fields:
        np.testing.assert_array_equal(getattr(data, name)[1], getattr(one, name))


def test_arithmetic_of_bounds_changes_nothing_without_bounds(three):
    position = np.random.default_rng(4).normal(size=9)
    with runtime.on_device("cpu"):
        data = arrays(three[1:])
        found = [
            float(Hierarchical(bounded=where).log_density(jnp.asarray(position), data))
            for where in (Bounded(), Bounded((0, 1), 8))
        ]
    assert found[0] == pytest.approx(found[1], rel=1e-13)


# Coordinates ------------------------------------------------------------------------------------


def test_the_mean_of_a_population_is_that_of_a_linear_model():
    """Members integrated out: y ~ N(mu 1, tau**2 + v), mu ~ N(1, 2)."""
    rng = np.random.default_rng(5)
    y, variance, tau = rng.normal(size=5), rng.uniform(0.1, 3.0, 5), 0.7
    covariance = np.diag(tau**2 + variance)
    precision = np.ones(5) @ np.linalg.solve(covariance, np.ones(5)) + 0.25
    centre = (np.ones(5) @ np.linalg.solve(covariance, y) + 0.25) / precision
    with runtime.on_device("cpu"):
        own = Estimates(jnp.asarray(y), jnp.asarray(1.0 / variance))
        prior = Normal(jnp.asarray(1.0), jnp.asarray(2.0))
        found = population_mean(jnp.asarray(tau), own, prior)
    assert float(found.centre) == pytest.approx(centre, rel=1e-12)
    assert float(found.scale) == pytest.approx(precision**-0.5, rel=1e-12)


@pytest.mark.parametrize(
    ("tau", "centre", "scale"),
    # Complete pooling; product of N(1, 1) and N(3, 1/2); no pooling.
    [(1e-9, 1.0, 1e-9), (1.0, 1.0 + 2.0 * 0.8, 0.2**0.5), (1e9, 3.0, 0.5)],
)
def test_a_member_lies_between_population_and_own_rows(tau, centre, scale):
    with runtime.on_device("cpu"):
        own = Estimates(jnp.asarray([3.0]), jnp.asarray([4.0]))
        found = member_given_population(jnp.asarray(1.0), jnp.asarray(tau), own)
    assert found.centre[0] == pytest.approx(centre, rel=1e-9)
    assert found.scale[0] == pytest.approx(scale, rel=1e-9)


@pytest.mark.parametrize("signal", [-2.0, 0.5, 2.0, 15.0])
@pytest.mark.parametrize("tau", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("mu", [1.0, 2.5, 4.0])
def test_rates_are_centred_near_their_mode(signal, tau, mu):
    """Within half a standard deviation of where a minimizer finds it."""
    error = 0.1
    with runtime.on_device("cpu"):
        zero = jnp.zeros(1)
        fit = LeastSquares(jnp.asarray([signal * error]), zero + error**-2, zero, zero, zero)
        axis = rate_in_errors(jnp.asarray(mu), jnp.asarray(tau), fit)
        centre, scale = float(axis.centre[0]), float(axis.scale[0])

    def energy(u):
        rate = error * np.logaddexp(0.0, u)
        return 0.5 * (rate / error - signal) ** 2 + 0.5 * ((np.log(12.0 / rate) - mu) / tau) ** 2

    grid = centre + scale * np.linspace(-8.0, 8.0, 3201)
    assert abs(grid[np.argmin(energy(grid))] - centre) < 0.5 * scale


def test_the_coordinate_of_tau_leads_back_and_has_the_slope_that_it_says(three):
    with runtime.on_device("cpu"):
        values = jnp.asarray([1e-4, 0.03, 0.3, 1.0, 5.0, 40.0])
        space = Space(HierarchicalPriors(), arrays(three))
        z = jax.vmap(space.tau_axis)(values)
        found, log_slope = jax.vmap(space.tau)(z)
        slope = jax.vmap(jax.grad(lambda z: space.tau(z)[0]))(z)
    np.testing.assert_allclose(found, values, rtol=1e-9)
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=1e-9)


# Draws ------------------------------------------------------------------------------------------


def test_prior_draws_follow_the_priors(three):
    number = 20_000
    with runtime.on_device("cpu"):
        data = arrays(three)
        keys = jax.random.split(jax.random.key(0), number)
        draws = jax.vmap(lambda key: Hierarchical().prior_draw(key, data))(keys)
        draws = {name: np.asarray(draw) for name, draw in draws.items()}
    time = (np.log(draws["doubling_time"]) - draws["mu"][:, None]) / draws["tau"][:, None]
    noise = (np.log(draws["sigma"]) - np.log(draws["s"])[:, None]) / 0.5
    level = (draws["alpha"] - np.asarray(data.y_mean)) / 10.0
    new = (np.log(draws["doubling_time_new"]) - draws["mu"]) / draws["tau"]
    compared = [
        ((draws["mu"] - np.log(18.0)) / 1.2, stats.norm),
        (draws["tau"], stats.halfnorm),
        (draws["s"], stats.halfnorm),
        (new, stats.norm),
        *((column[:, d], stats.norm) for column in (time, noise, level) for d in range(3)),
    ]
    for sample, law in compared:
        assert stats.kstest(sample, law.cdf).pvalue > FALSE_ALARMS / len(compared)
    # No two of them come from one random number.
    together = np.corrcoef([sample for sample, _ in compared])[np.triu_indices(len(compared), 1)]
    assert np.abs(together).max() * np.sqrt(number) < stats.norm.isf(
        0.5 * FALSE_ALARMS / len(together)
    )
    np.testing.assert_allclose(draws["rate"], 12.0 / draws["doubling_time"])


def test_a_domain_not_yet_seen_is_drawn_from_the_population(three):
    values = {"mu": jnp.asarray(2.0), "tau": jnp.asarray(0.5)}
    keys = jax.random.split(jax.random.key(1), 20_000)
    data = data_from_many(three)
    new = jax.vmap(lambda key: Hierarchical().complete(key, values, data)["doubling_time_new"])
    z = (np.log(np.asarray(new(keys))) - 2.0) / 0.5
    assert stats.kstest(z, stats.norm.cdf).pvalue > FALSE_ALARMS


def test_noise_of_new_systems_is_each_series_own():
    drawn = Hierarchical().noise(jax.random.key(2), {"sigma": jnp.array([1.0, 3.0])}, (20_000,))
    assert drawn.shape == (20_000, 2)
    for d, sigma in enumerate((1.0, 3.0)):
        assert stats.kstest(np.asarray(drawn)[:, d] / sigma, stats.norm.cdf).pvalue > FALSE_ALARMS


def test_replicates_have_noise_and_errors(three):
    with runtime.on_device("cpu"):
        data = arrays(three)
        model = make_model(three, Priors(), robust=False)
        values = model.constrain(jnp.zeros(12), data)
        keys = jax.random.split(jax.random.key(3), 20_000)
        drawn = np.asarray(jax.vmap(lambda key: model.predict(key, values, data))(keys))
        observed = model.program().observed(values, data)
        exact = np.asarray(observed.log_prob(jnp.asarray(drawn[0])))
    assert drawn.shape == (20_000, 3, 8)
    sd = drawn.std(axis=0)
    # Exact rows: the density at a draw is that of a normal with the draws' own moments.
    expected = stats.norm.logpdf(drawn[0], drawn.mean(axis=0), sd)
    np.testing.assert_allclose(exact[1:, :2], expected[1:, :2], atol=0.2)
    assert sd[1, 0] == pytest.approx(float(values["sigma"][1]), rel=0.03)


def test_a_member_alone_has_its_rows_and_its_prior(three):
    priors = Priors()
    with runtime.on_device("cpu"):
        data = arrays(three)
        model = make_model(three, priors, robust=False)
        values = model.constrain(jnp.asarray(np.random.default_rng(6).normal(size=12)), data)
        likelihood = np.asarray(model.log_likelihood(values, data))
        one = jax.tree.map(jnp.asarray, contract.data_from_series(three[1]))
        names = ("rate", "sigma", "alpha", "doubling_time")
        of_two = {name: values[name][1] for name in names}
        of_two |= {name: values[name] for name in ("mu", "tau", "s")}
        member = Member(priors)
        found = np.asarray(member.log_likelihood(of_two, one))
        prior = float(member.log_prior(of_two, one))
        drawn = member.prior_draw(jax.random.key(0), one)
    np.testing.assert_allclose(found, likelihood[1], rtol=1e-12)
    expected = expected_prior(priors, {k: np.asarray(v) for k, v in of_two.items()}, one.y_mean)
    assert prior == pytest.approx(float(expected), rel=1e-9)
    assert set(drawn) == set(of_two)


# Refusals ---------------------------------------------------------------------------------------


def line(name, slope=-1.0, rows=3, start=3.0, **columns):
    date = ["2012-01-01", "2013-01-01", "2015-01-01", "2018-01-01"][:rows]
    years = (np.array(date, dtype="datetime64[D]").astype(float) - 15340) / 365.25
    return make_series(date, 2.0 ** (start + slope * years), name=name, **columns)


def test_series_that_all_lie_on_lines_are_refused():
    with pytest.raises(eb.DataError, match="every series lie on a line"):
        make_model([line("a"), line("b", -2.0, rows=2)], Priors(), robust=False)


def test_three_lines_of_one_rate_are_refused():
    same = [line(name, rows=2, start=start) for name, start in (("a", 1.0), ("b", 2.0), ("c", 5.0))]
    with pytest.raises(eb.DataError, match="the same rate"):
        make_model(same, Priors(), robust=False)
    make_model(same[:2], Priors(), robust=False)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            make_series(["2012-01-01", "2013-01-01", "2015-01-01"], [8.0, 3.0, 2.0]), id="x"
        ),
        pytest.param(line("worse", 0.5, rows=2), id="against progress"),
    ],
)
def test_one_series_with_scatter_keeps_the_noise_of_all_from_vanishing(other):
    make_model([line("a"), other], Priors(), robust=False)


def test_stated_errors_keep_the_noise_harmless():
    measured = line("a", value_sd=np.full(3, 0.1))
    make_model([measured, line("b", -2.0, rows=2)], Priors(), robust=False)


def test_what_the_model_has_not(three):
    with pytest.raises(eb.UsageError, match="no robust noise"):
        make_model(three, Priors(), robust=True)
    with pytest.raises(eb.UsageError, match="default prior alone"):
        make_model(three, Priors(kind="signed"), robust=False)
    with pytest.raises(eb.UsageError, match="at least two series"):
        make_model(three[:1], Priors(), robust=False)
    with pytest.raises(eb.UsageError, match="twice: two"):
        make_model([three[1], three[1]], Priors(), robust=False)
    with pytest.raises(eb.UsageError, match="tau_scale"):
        Priors(tau_scale=0.0)
