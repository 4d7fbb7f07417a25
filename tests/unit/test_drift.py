"""The drifting rate: its kernel, densities and draws against integrals and plain linear algebra.

Random comparisons have fixed keys, and a false-alarm budget of 1e-6 a test were they not fixed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import effbayes as eb
from effbayes import runtime
from effbayes.inference import nuts
from effbayes.models import as_normal, contract, drift, loglinear, wiener
from effbayes.models.drift import Drift, Priors, make_model
from effbayes.models.drift_marginal import marginal

from .conftest import make_series

FALSE_ALARMS = 1e-6
VALUES = {"alpha": 2.0, "rate_mid": 0.8, "sigma": 0.4, "drift": 0.7}
DATES = ["2012-01-01", "2013-06-01", "2014-02-01", "2014-02-01", "2016-01-01", "2017-05-05"]


@pytest.fixture(autouse=True)
def double():
    with runtime.on_device("cpu"):
        yield


def mixed(direction="falling"):
    """Errors of values and dates, a row with bounds, two rows of one date."""
    return make_series(
        DATES,
        [16.0, 9.0, 5.0, 6.0, 3.0, 1.0],
        value_sd=np.array([0.0, 0.2, 0.0, 0.0, 0.1, 0.0]),
        date_sd_days=np.array([0.0, 0.0, 40.0, 0.0, 0.0, 90.0]),
        value_low=np.array([np.nan, np.nan, np.nan, np.nan, 2.0, np.nan]),
        value_high=np.array([np.nan, np.nan, np.nan, np.nan, 3.5, np.nan]),
        direction=direction,
    )


def exact(n=40):
    """A long series whose rows are alike."""
    rng = np.random.default_rng(1)
    days = np.sort(rng.choice(2000, n, replace=False))
    y = -np.cumsum(rng.normal(0.1, 0.3, n)) + rng.normal(0.0, 0.2, n)
    return make_series(np.datetime64("2015-01-01") + days, 2.0**y)


def arrays(series):
    return jax.tree.map(jnp.asarray, contract.data_from_series(series))


def scalars(values):
    return {name: jnp.asarray(value) for name, value in values.items()}


@partial(jax.jit, static_argnames="alike")
def log_likelihood(values, data, *, alike=False):
    rows = marginal(values, data, alike=alike)
    return rows.log_density(as_normal.middle(data), data)


def kernel(s, t):
    """Covariance of the integrals of W to s and to t, by Gauss's rule, exact for the quadratic."""
    if s * t <= 0.0:
        return 0.0
    a, b = abs(s), abs(t)
    return integrate.fixed_quad(lambda u: (a - u) * (b - u), 0.0, min(a, b), n=2)[0]


def kernel_with_rate(s, t):
    """Covariance of W(s) with the integral of W to t."""
    if s * t <= 0.0:
        return 0.0
    a, b = abs(s), abs(t)
    one_side = integrate.fixed_quad(lambda u: b - u, 0.0, min(a, b), n=1)[0]
    return float(np.sign(t) * one_side)


def matrix(function, s, t):
    return np.array([[function(one, other) for other in t] for one in s])


def of_states(t, sign=1.0):
    """Covariance of F and then W at `t`; F turned over where the sign is negative."""
    cross = sign * matrix(kernel_with_rate, t, t)
    shared = np.where(t[:, None] * t > 0.0, np.minimum(abs(t[:, None]), abs(t)), 0.0)
    return np.block([[matrix(kernel, t, t), cross.T], [cross, shared]])


def rows_of(series):
    """Times, values and variances (at `VALUES`) of the rows, from the table's columns."""
    days = series.date.astype(float)
    t = (days - days.mean()) / 365.25
    bounded = np.isfinite(series.value_low)
    low, high = (np.log2(np.where(bounded, x, 1.0)) for x in (series.value_low, series.value_high))
    y = np.where(bounded, 0.5 * (low + high), np.log2(series.value))
    variance = VALUES["sigma"] ** 2 + series.value_sd**2 + (high - low) ** 2 / 12.0
    variance += (VALUES["rate_mid"] * series.date_sd_days / 365.25) ** 2
    return t, y, variance


def normal_of(series):
    """Mean and covariance of the rows at `VALUES`."""
    sign = -1.0 if series.direction == "falling" else 1.0
    t, y, variance = rows_of(series)
    mean = VALUES["alpha"] + sign * VALUES["rate_mid"] * t
    return t, y, mean, VALUES["drift"] ** 2 * matrix(kernel, t, t) + np.diag(variance)


def assert_moments(draws, mean, covariance):
    """Means and covariances of draws, dims (draw, dim), within the budget."""
    n, dims = draws.shape
    sd = np.sqrt(np.diag(covariance))
    z_most = stats.norm.isf(FALSE_ALARMS / (dims + dims * (dims + 1) / 2) / 2.0)
    away = draws - mean
    assert np.all(np.abs(away.mean(axis=0)) < z_most * sd / np.sqrt(n) + 1e-12)
    # Of normal draws about a known mean.
    spread = np.sqrt((np.outer(sd**2, sd**2) + covariance**2) / n)
    assert np.all(np.abs(away.T @ away / n - covariance) < z_most * spread + 1e-12)


# The integrated Wiener process ------------------------------------------------------------------

TIMES = np.array([1.3, -0.2, 0.0, 2.5, -1.7, 0.4, 1.3, -0.9])


def test_covariances_are_the_integrals():
    s, t = TIMES[:, None], TIMES[None, :]
    found = wiener.covariance(jnp.asarray(s), jnp.asarray(t))
    np.testing.assert_allclose(found, matrix(kernel, TIMES, TIMES), rtol=1e-13, atol=1e-15)
    found = wiener.covariance_with_rate(jnp.asarray(s), jnp.asarray(t))
    np.testing.assert_allclose(found, matrix(kernel_with_rate, TIMES, TIMES), rtol=1e-13)


def test_covariance_is_that_of_summed_white_noise():
    """W as 4,000 independent increments, F as their sums: a second way to the kernel, no formula.

    A Riemann sum of F errs by less than a step times W, so covariances by 2e-3 here.
    """
    steps, end = 4_000, 2.5
    h = end / steps
    grid = h * np.arange(1, steps + 1)
    # F(t) as a sum of weights times unit increments of W.
    weight = np.maximum(TIMES[TIMES > 0.0][:, None] - grid[None, :], 0.0) * np.sqrt(h)
    times = jnp.asarray(TIMES[TIMES > 0.0])
    found = wiener.covariance(times[:, None], times[None, :])
    np.testing.assert_allclose(found, weight @ weight.T, atol=5e-3)


def test_draws_have_the_covariance():
    keys = jax.random.split(jax.random.key(3), 40_000)
    drawn = jax.jit(jax.vmap(wiener.draw, (0, None)))(keys, jnp.asarray(TIMES))
    both = np.concatenate([drawn.level, drawn.rate], axis=1)
    assert_moments(both, np.zeros(2 * len(TIMES)), of_states(TIMES))
    np.testing.assert_allclose(drawn.level[:, 0], drawn.level[:, 6], rtol=1e-12, atol=1e-12)


def test_interpolation_is_the_conditional_mean():
    nodes, times = np.array([2.0, 0.0, -1.5, 0.7]), np.array([-1.5, -1.1, 0.0, 0.3, 1.9, 2.0])
    moving = nodes[nodes != 0.0]
    joint = of_states(moving)
    cross = np.hstack([matrix(kernel, times, moving), matrix(kernel_with_rate, moving, times).T])
    states = np.random.default_rng(0).normal(size=(2, 4))
    states[:, nodes == 0.0] = 0.0
    known = np.concatenate([row[nodes != 0.0] for row in states])
    states = wiener.States(*map(jnp.asarray, states))
    found = jax.jit(wiener.interpolate)(jnp.asarray(nodes), states, jnp.asarray(times))
    np.testing.assert_allclose(found, cross @ np.linalg.solve(joint, known), atol=1e-12)


# Densities --------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["falling", "rising"])
@pytest.mark.parametrize("kind", ["default", "signed"])
def test_log_density_is_prior_times_likelihood(kind, direction):
    series = mixed(direction)
    model, data = Drift(Priors(kind=kind)), arrays(series)
    _, y, mean, covariance = normal_of(series)
    likelihood = stats.multivariate_normal(mean, covariance).logpdf(y)
    prior = stats.norm(np.log2(series.value).mean(), 10.0).logpdf(VALUES["alpha"])
    prior += stats.halfnorm.logpdf(VALUES["sigma"])
    prior += stats.halfnorm(scale=0.5).logpdf(VALUES["drift"])
    if kind == "default":
        prior += stats.lognorm(1.2, scale=18.0).logpdf(12.0 / VALUES["rate_mid"])
    else:
        prior += stats.norm(0.0, 2.0).logpdf(VALUES["rate_mid"])
    values = scalars(VALUES)
    assert float(jax.jit(model.log_prior)(values, data)) == pytest.approx(prior, rel=1e-10)
    assert float(log_likelihood(values, data)) == pytest.approx(likelihood, rel=1e-10)


@pytest.mark.parametrize("kind", ["default", "signed"])
def test_positions_carry_the_jacobian(kind):
    model, data = Drift(Priors(kind=kind)), arrays(mixed())
    position = jnp.array([0.3, -0.4, 0.2, 0.1])

    def to_sites(u):
        made = model.constrain(u, data)
        rate = 12.0 / made["rate_mid"] if kind == "default" else made["rate_mid"]
        return jnp.stack([made["alpha"], rate, made["sigma"], made["drift"]])

    @jax.jit
    def both(position):
        values = model.constrain(position, data)
        joint = model.log_prior(values, data) + log_likelihood(values, data)
        log_jacobian = jnp.linalg.slogdet(jax.jacfwd(to_sites)(position))[1]
        return model.log_density(position, data), joint + log_jacobian

    found, expected = both(position)
    assert float(found) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize("alike", [False, True])
def test_without_drift_it_is_the_loglinear_trend(alike):
    series = exact()
    data = arrays(series)
    values = scalars({**VALUES, "drift": 1e-9})
    straight = {"alpha": values["alpha"], "rate": values["rate_mid"], "sigma": values["sigma"]}
    line, model = loglinear.LogLinear(censored=False), Drift(alike=alike)
    expected = jax.jit(line.log_likelihood)(straight, data)
    found = float(log_likelihood(values, data, alike=alike))
    assert found == pytest.approx(float(jnp.sum(expected)), abs=1e-8)
    pointwise = jax.jit(model.log_likelihood)(values, data)
    np.testing.assert_allclose(pointwise, expected, rtol=1e-8, atol=1e-8)
    straight["doubling_time"] = 12.0 / straight["rate"]
    found = float(jax.jit(model.log_prior)(values, data))
    found -= stats.halfnorm(scale=0.5).logpdf(1e-9)
    assert found == pytest.approx(float(jax.jit(line.log_prior)(straight, data)), abs=1e-8)


def test_without_drift_bounds_have_the_probability_that_the_log_linear_trend_gives_them():
    """Figures of models can be compared only where all are of the same measure."""
    series = mixed()
    data = arrays(series)
    bounded = np.isfinite(series.value_low)
    assert bounded.any()
    values = scalars({**VALUES, "drift": 1e-9})
    straight = {"alpha": values["alpha"], "rate": values["rate_mid"], "sigma": values["sigma"]}
    line = jax.jit(loglinear.LogLinear().log_likelihood)(straight, data)
    found = jax.jit(Drift().log_likelihood)(values, data)
    np.testing.assert_allclose(found, line, rtol=1e-7, atol=1e-7)


def test_both_factorizations_agree():
    series = exact()
    data = arrays(series)
    position, key = jnp.array([0.3, -0.4, 0.2, 0.6]), jax.random.key(0)

    def everything(model):
        values = model.constrain(position, data)
        path = model.complete(key, values, data)
        density, slope = jax.value_and_grad(model.log_density)(position, data)
        return [density, slope, model.log_likelihood(values, data), *path.values()]

    found = [jax.jit(everything, static_argnums=0)(Drift(alike=alike)) for alike in (False, True)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("alike", [False, True])
def test_rows_are_conditional_on_all_others(alike):
    series = exact(12) if alike else mixed()
    _, y, mean, covariance = normal_of(series)
    low, high = np.log2(series.value_low), np.log2(series.value_high)
    expected = []
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        gain = np.linalg.solve(covariance[np.ix_(rest, rest)], covariance[rest, i])
        centre = mean[i] + gain @ (y - mean)[rest]
        variance = covariance[i, i] - gain @ covariance[rest, i]
        if np.isnan(low[i]):
            expected.append(stats.norm.logpdf(y[i], centre, np.sqrt(variance)))
        else:  # as an interval, without the variance that stands for it in the covariance
            spread = np.sqrt(variance - (high[i] - low[i]) ** 2 / 12.0)
            inside = stats.norm.cdf(high[i], centre, spread) - stats.norm.cdf(
                low[i], centre, spread
            )
            expected.append(np.log(inside))
    pointwise = jax.jit(Drift(alike=alike).log_likelihood)
    found = np.asarray(pointwise(scalars(VALUES), arrays(series)))
    np.testing.assert_allclose(found[: len(y)], expected, rtol=1e-9)
    assert np.all(found[len(y) :] == 0.0)


@pytest.mark.parametrize(("rows", "alike"), [("mixed", False), ("exact", False), ("exact", True)])
def test_gradients_are_finite_far_away(rows, alike):
    """Padding is there too: 6 rows of 8, 40 of 64."""
    model, data = Drift(alike=alike), arrays(exact() if rows == "exact" else mixed())
    # Sigma next to nothing and huge, and the same of the drift.
    positions = jnp.array([[0.0, 0.0, s, q] for s in (-99.0, 0.0, 99.0) for q in (-60.0, 0.0, 9.0)])
    found = jax.jit(jax.vmap(jax.value_and_grad(model.log_density), (0, None)))
    for part in found(positions, data):
        assert np.all(np.isfinite(part))


# Draws ------------------------------------------------------------------------------------------


COMPLETE = jax.jit(jax.vmap(Drift().complete, (0, None, None)))
PREDICT = jax.jit(jax.vmap(Drift().predict, (0, None, None)))


def completed(values, data, n=20_000):
    return COMPLETE(jax.random.split(jax.random.key(8), n), values, data)


def path_given(series, some):
    """Mean and covariance of levels and rates at knots given the rows, by linear algebra."""
    sign = -1.0 if series.direction == "falling" else 1.0
    t, y, mean, covariance = normal_of(series)
    q = VALUES["drift"]
    cross = q**2 * np.vstack([matrix(kernel, some, t), sign * matrix(kernel_with_rate, some, t)])
    own = q**2 * of_states(some, sign)
    gain = np.linalg.solve(covariance, cross.T).T
    straight = VALUES["alpha"] + sign * VALUES["rate_mid"] * some
    centre = np.concatenate([straight, np.full(len(some), VALUES["rate_mid"])])
    return centre + gain @ (y - mean), own - gain @ cross.T


@pytest.mark.parametrize("direction", ["falling", "rising"])
def test_paths_have_the_conditional_law(direction):
    series = mixed(direction)
    data = arrays(series)
    drawn = completed(scalars(VALUES), data)
    at = np.asarray(drift.knots(data))
    t, _, _ = rows_of(series)
    np.testing.assert_allclose(at, np.linspace(t.min(), t.max(), drift.KNOTS), rtol=1e-12)
    pick = np.array([0, 9, 20, 32])
    both = np.concatenate([drawn["path_level"][:, pick], drawn["path_rate"][:, pick]], axis=1)
    assert_moments(both, *path_given(series, at[pick]))
    sign = -1.0 if direction == "falling" else 1.0
    change = sign * (drawn["path_level"][:, -1] - drawn["path_level"][:, 0])
    np.testing.assert_allclose(drawn["rate"], change / (at[-1] - at[0]), rtol=1e-9)
    np.testing.assert_allclose(drawn["rate_end"], drawn["path_rate"][:, -1])


def test_paths_without_drift_are_straight():
    data = arrays(mixed())
    line = VALUES["alpha"] - VALUES["rate_mid"] * np.asarray(drift.knots(data))
    for q in (0.0, 1e-300, 1e-9):
        drawn = completed(scalars({**VALUES, "drift": q}), data, 10)
        np.testing.assert_allclose(drawn["path_level"], np.tile(line, (10, 1)), atol=1e-7)
        np.testing.assert_allclose(drawn["path_rate"], VALUES["rate_mid"], atol=1e-7)


def test_replicates_lie_on_the_path_that_was_drawn():
    series = mixed()
    data, values = arrays(series), scalars(VALUES)
    values |= {name: path[0] for name, path in completed(values, data, 1).items()}
    drawn = PREDICT(jax.random.split(jax.random.key(6), 20_000), values, data)
    # The law of the rows given level and rate at the knots, of which only neighbours matter.
    t, _, variance = rows_of(series)
    at, q = np.asarray(drift.knots(data)), VALUES["drift"]
    cross = np.vstack([matrix(kernel, at, t), -matrix(kernel_with_rate, at, t)])
    own = of_states(at, -1.0)
    moving = np.concatenate([values["path_level"], values["path_rate"]])
    moving -= np.concatenate(
        [VALUES["alpha"] - VALUES["rate_mid"] * at, np.full(len(at), VALUES["rate_mid"])]
    )
    scale = 1.0 / np.sqrt(np.diag(own))
    gain = np.linalg.solve(own * np.outer(scale, scale), cross * scale[:, None]).T * scale
    mean = VALUES["alpha"] - VALUES["rate_mid"] * t + gain @ moving
    covariance = q**2 * (matrix(kernel, t, t) - gain @ cross) + np.diag(variance)
    assert_moments(np.asarray(drawn)[:, : len(t)], mean, covariance)


def test_replicates_without_a_path_have_the_marginal_law():
    series = mixed()
    keys = jax.random.split(jax.random.key(6), 20_000)
    drawn = PREDICT(keys, scalars(VALUES), arrays(series))
    _, y, mean, covariance = normal_of(series)
    assert_moments(np.asarray(drawn)[:, : len(y)], mean, covariance)


def test_prior_draws_follow_the_priors():
    series = mixed()
    data = arrays(series)
    drawn = jax.tree.map(np.asarray, contract.draws_of(Drift(), jax.random.key(0), data, 20_000))
    laws = {
        "alpha": stats.norm(np.log2(series.value).mean(), 10.0),
        "rate_mid": stats.lognorm(1.2, scale=12.0 / 18.0),
        "sigma": stats.halfnorm,
        "drift": stats.halfnorm(scale=0.5),
    }
    for name, law in laws.items():
        assert stats.kstest(drawn[name], law.cdf).pvalue > FALSE_ALARMS / len(laws)
    # Paths relative to their own drift have the covariance of the process.
    at = np.asarray(drift.knots(data))
    straight = drawn["alpha"][:, None] - drawn["rate_mid"][:, None] * at
    unit = -(drawn["path_level"] - straight) / drawn["drift"][:, None]
    pick = np.array([0, 10, 20, 32])
    some = at[pick]
    assert_moments(unit[:, pick], np.zeros(4), matrix(kernel, some, some))


def test_noise_of_a_new_system():
    drawn = Drift().noise(jax.random.key(1), scalars(VALUES), (20_000,))
    assert stats.kstest(np.asarray(drawn), stats.norm(scale=0.4).cdf).pvalue > FALSE_ALARMS


def test_a_run_keeps_the_paths(alexnet):
    data = contract.data_from_series(alexnet)
    model = make_model(alexnet, Priors(), robust=False)
    settings = nuts.SamplerSettings(warmup=100, draws=50, chains=2)
    with runtime.on_device("cpu") as device:
        root = runtime.key_bits(1)
        run = nuts.run_nuts(model, data, root, settings, plan=runtime.plan(device))
    assert run.values["path_level"].shape == run.values["path_rate"].shape == (2, 50, drift.KNOTS)
    assert run.values["rate"].shape == run.values["rate_end"].shape == (2, 50)
    assert set(run.values) == {"rate", "path_level", "path_rate", *model.parameters}
    assert all(np.all(np.isfinite(draws)) for draws in run.values.values())


# What is refused --------------------------------------------------------------------------------


def test_one_program_serves_short_series_whatever_their_errors(alexnet):
    made = [make_model(each, Priors(), robust=False) for each in (alexnet, mixed())]
    assert made[0] == made[1] == Drift()
    assert make_model(exact(), Priors(), robust=False).alike
    with_error = replace(exact(), value_sd=np.linspace(0.0, 0.1, 40))
    assert not make_model(with_error, Priors(), robust=False).alike


@pytest.mark.parametrize(
    ("priors", "robust", "message"),
    [(Priors(), True, "normal noise"), (Priors(kind="reference"), False, "reference prior")],
)
def test_options_that_it_does_not_have(priors, robust, message):
    with pytest.raises(eb.UsageError, match=message):
        make_model(mixed(), priors, robust=robust)


def test_bad_scale():
    with pytest.raises(eb.UsageError, match="drift_scale"):
        Priors(drift_scale=0.0)


FOUR = ["2012-01-01", "2013-01-01", "2014-01-01", "2015-01-01"]
NONE = np.full(4, np.nan)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (make_series(FOUR, [8.0, 7.0, 3.0, 1.0], value_high=np.array([9.0, *NONE[1:]])), "row 0"),
        (make_series(np.datetime64("2012-01-01") + np.arange(513), np.arange(1.0, 514.0)), "512"),
        (make_series(["2012-01-01", "2012-01-11", "2012-01-21"], [4.0, 2.0, 1.0]), "one line"),
        (make_series([FOUR[0], *FOUR[:3]], [4.0, 4.0, 1.0, 3.0]), "agree"),
    ],
)
def test_series_that_it_refuses(series, message):
    with pytest.raises(eb.DataError, match=message):
        make_model(series, Priors(), robust=False)


def test_equal_values_are_refused_where_the_rate_may_be_zero():
    series = make_series(FOUR, [2.0, 2.0, 2.0, 2.0], date_sd_days=np.full(4, 30.0))
    make_model(series, Priors(), robust=False)
    with pytest.raises(eb.DataError, match="one line"):
        make_model(series, Priors(kind="signed"), robust=False)


@pytest.mark.parametrize(
    "series",
    [
        make_series(["2012-01-01", "2012-01-01", "2013-01-01"], [4.0, 3.0, 1.0]),
        make_series(["2012-01-01", "2013-01-01"], [4.0, 3.0]),
        make_series(FOUR, [8.0, 4.0, 2.0, 1.0], value_sd=np.full(4, 0.1)),
    ],
)
def test_series_that_it_takes(series):
    make_model(series, Priors(), robust=False)
