"""The changepoint model: densities against scipy, limits, what it refuses, what it finds."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import effbayes as eb
from effbayes import runtime
from effbayes.diagnostics import diagnose
from effbayes.inference import nuts
from effbayes.models import broken_line, changepoint, contract
from effbayes.models.broken_line import Cells
from effbayes.models.censoring import log_interval_normal
from effbayes.models.changepoint import Changepoint, Priors, make_model
from effbayes.models.loglinear import LogLinear
from effbayes.models.loglinear import Priors as LogLinearPriors

from .conftest import make_series

DATES = ["2012-01-01", "2013-06-01", "2014-02-01", "2014-11-01", "2016-01-01", "2017-05-05"]
VALUES = np.array([16.0, 14.0, 11.0, 9.0, 3.0, 0.7])
NONE = np.full(6, np.nan)
TABLES = {
    "exact": {},
    "errors": {
        "value_sd": np.array([0.0, 0.2, 0.0, 0.1, 0.0, 0.3]),
        "date_sd_days": np.array([0.0, 0.0, 40.0, 0.0, 90.0, 0.0]),
    },
    "bounds": {
        "value_low": np.array([np.nan, 13.0, 10.5, np.nan, 2.0, np.nan]),
        "value_high": np.array([np.nan, 14.5, np.nan, 9.5, 3.5, np.nan]),
        "value_sd": np.array([0.0, 0.2, 0.0, 0.1, 0.0, 0.3]),
        "date_sd_days": np.array([0.0, 0.0, 40.0, 0.0, 90.0, 0.0]),
    },
}
TRUTH = {"alpha": 2.7, "rate_before": 0.4, "rate_after": 1.7, "sigma": 0.25}
TRUE = {"falling": TRUTH, "rising": TRUTH | {"rate_before": -0.4, "rate_after": -1.7}}


def table(name, **columns):
    return make_series(DATES, VALUES, **TABLES[name] | columns)


def arrays(series):
    return jax.tree.map(jnp.asarray, contract.data_from_series(series))


def scalars(values):
    return {name: jnp.asarray(float(value)) for name, value in values.items()}


def expected_log_likelihood(series, values, change):
    """Pointwise, in NumPy: the trend walked along from t = 0 to each date."""
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    sign = -1.0 if series.direction == "falling" else 1.0
    before, after = values["rate_before"], values["rate_after"]

    def gained(x):
        """Doublings from the change to x."""
        return before * (x - change) if x < change else after * (x - change)

    mean = np.array([values["alpha"] + sign * (gained(x) - gained(0.0)) for x in t])
    rate = np.where(t > change, after, before)
    sd = np.sqrt(
        values["sigma"] ** 2 + series.value_sd**2 + (rate * series.date_sd_days / 365.25) ** 2
    )
    z = lambda y: (np.log2(y) - mean) / sd  # noqa: E731
    low = np.where(np.isnan(series.value_low), 1e-300, series.value_low)
    high = np.where(np.isnan(series.value_high), 1e300, series.value_high)
    bounded = np.isfinite(series.value_low) | np.isfinite(series.value_high)
    # Mirrored to the lower side, where neither tail is near one.
    ends = np.stack([z(low), z(high)])
    ends = np.where(ends.sum(axis=0) > 0.0, -ends[::-1], ends)
    with np.errstate(divide="ignore"):
        inside = np.log(np.diff(stats.norm.cdf(ends), axis=0)[0])
    return np.where(bounded, inside, stats.norm.logpdf(z(series.value)) - np.log(sd))


def expected_log_marginal(series, values):
    """By scipy, gap by gap between the dates and t = 0, where the integrand has its kinks."""
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    low, high = np.quantile([t.min(), t.max()], [0.1, 0.9])
    ends = np.unique(np.clip([*t, 0.0], low, high))
    peak = max(expected_log_likelihood(series, values, c).sum() for c in np.linspace(low, high, 99))
    mass = sum(
        integrate.quad(
            lambda c: np.exp(expected_log_likelihood(series, values, c).sum() - peak), a, b
        )[0]
        for a, b in pairwise(ends)
    )
    return peak + np.log(mass / (high - low))


@pytest.mark.parametrize("direction", ["falling", "rising"])
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("change", [-1.1, 0.37])
def test_pointwise_log_likelihood(name, direction, change):
    series = table(name, direction=direction)
    model = Changepoint(cells=Cells(16, plain=False, bounded=name == "bounds"))
    with runtime.on_device("cpu"):
        found = model.log_likelihood(scalars(TRUTH | {"changepoint": change}), arrays(series))
    np.testing.assert_allclose(found[:6], expected_log_likelihood(series, TRUTH, change), rtol=1e-9)
    assert np.all(np.asarray(found[6:]) == 0.0)


@pytest.mark.parametrize("direction", ["falling", "rising"])
@pytest.mark.parametrize("name", TABLES)
def test_the_date_of_the_change_is_integrated_out(name, direction):
    """Against adaptive quadrature; twice the cells leave a fraction of the error."""
    series = table(name, direction=direction)
    values = TRUE[direction]
    expected = expected_log_marginal(series, values)
    errors = {}
    with runtime.on_device("cpu"):
        data = arrays(series)
        for number in (64, 4096):
            cells = Cells(number, plain=name == "exact", bounded=name == "bounds")
            found = float(broken_line.log_marginal(scalars(values), data, cells))
            errors[number] = abs(found - expected)
    assert errors[64] < 0.02
    # An uncertain date's error steps with the rate where the change passes it.
    assert errors[4096] < (2e-5 if name == "exact" else 1e-3)


def test_rows_that_are_plain_may_be_gone_through_one_by_one():
    with runtime.on_device("cpu"):
        data = arrays(table("exact"))
        found = [
            broken_line.log_likelihoods(scalars(TRUTH), data, Cells(64, plain, bounded))
            for plain, bounded in ((True, False), (False, False), (False, True))
        ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-11)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-11)


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_gone_through_at_the_cells_of_their_own_side_alone(name):
    series = table(name)
    cells = make_model(series, Priors(), robust=False).cells._replace(plain=False)
    early = int(np.sum(np.asarray(broken_line.changes(arrays(series), cells.number)) < 0.0))
    most = max(early, cells.number - early)
    assert cells.most is None or most <= cells.most < cells.number
    with runtime.on_device("cpu"):
        data = arrays(series)
        found = [
            broken_line.log_likelihoods(scalars(TRUTH), data, cells._replace(most=some))
            for some in (None, most, most + 1)
        ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["default", "signed"])
@pytest.mark.parametrize("name", TABLES)
def test_log_density_is_prior_times_likelihood(name, kind):
    series = table(name)
    model = Changepoint(
        Priors(kind=kind, ratio_sdlog=0.7, change_sd=1.3),
        Cells(64, plain=name == "exact", bounded=name == "bounds"),
    )
    with runtime.on_device("cpu"):
        data = arrays(series)
        position = jnp.array([0.3, -0.4, 0.7, 0.2])
        made = model.constrain(position, data)
        joint = float(model.log_density(position, data))
        marginal = float(broken_line.log_marginal(made, data, model.cells))

        def to_sites(u):
            """Coordinates in which the priors are independent."""
            made = model.constrain(u, data)
            before, after = made["rate_before"], made["rate_after"]
            if kind == "default":
                rates = [12.0 / jnp.sqrt(before * after), jnp.log(after / before)]
            else:
                rates = [0.5 * (before + after), after - before]
            return jnp.stack([made["alpha"], *rates, made["sigma"]])

        alpha, middle, change, sigma = np.asarray(to_sites(position))
        log_jacobian = float(jnp.linalg.slogdet(jax.jacfwd(to_sites)(position))[1])
        log_prior = float(model.log_prior(made, data))

    expected = stats.norm(float(data.y_mean), 10.0).logpdf(alpha) + stats.halfnorm.logpdf(sigma)
    if kind == "default":
        expected += stats.lognorm(1.2, scale=18.0).logpdf(middle) + stats.norm(0, 0.7).logpdf(
            change
        )
    else:
        expected += stats.norm(0, 2.0).logpdf(middle) + stats.norm(0, 1.3).logpdf(change)
    assert log_prior == pytest.approx(expected, rel=1e-9)
    assert joint == pytest.approx(expected + marginal + log_jacobian, rel=1e-9)


@pytest.mark.parametrize("kind", ["default", "signed"])
@pytest.mark.parametrize("name", TABLES)
def test_equal_rates_are_the_log_linear_model(name, kind):
    """Row by row, whatever the date of the change, and in the prior but for a constant."""
    rate = {"default": 0.9, "signed": -0.6}[kind]
    equal = {"alpha": 2.2, "rate_before": rate, "rate_after": rate, "sigma": 0.4}
    line = {"alpha": 2.2, "rate": rate, "sigma": 0.4, "doubling_time": 12.0 / rate}
    cells = Cells(64, plain=name == "exact", bounded=name == "bounds")
    model, simple = Changepoint(Priors(kind=kind), cells), LogLinear(LogLinearPriors(kind=kind))
    if kind == "signed":
        line.pop("doubling_time")
    with runtime.on_device("cpu"):
        data = arrays(table(name))
        rows = np.asarray(simple.log_likelihood(scalars(line), data))
        for change in (-1.0, 0.2, 1.4):
            found = model.log_likelihood(scalars(equal | {"changepoint": change}), data)
            np.testing.assert_allclose(found, rows, rtol=1e-12)
        marginal = float(broken_line.log_marginal(scalars(equal), data, cells))
        priors = [
            float(one.log_prior(scalars(values), data))
            for one, values in ((model, equal), (simple, line))
        ]
    assert marginal == pytest.approx(rows.sum(), rel=1e-9)
    no_change = stats.norm(0.0, 1.0 if kind == "default" else 2.0).logpdf(0.0)
    assert priors[0] - priors[1] == pytest.approx(no_change, rel=1e-9)


@pytest.mark.parametrize("kind", ["default", "signed"])
@pytest.mark.parametrize("name", TABLES)
def test_gradients_are_those_of_the_density_and_padding_does_no_harm(name, kind):
    model = Changepoint(
        Priors(kind=kind), Cells(32, plain=name == "exact", bounded=name == "bounds")
    )
    with runtime.on_device("cpu"):
        data = arrays(table(name))
        assert data.mask.sum() < data.mask.size
        both = jax.jit(jax.value_and_grad(model.log_density))
        rng = np.random.default_rng(0)
        for scale in (0.5, 3.0, 30.0):
            position = jnp.asarray(scale * rng.standard_normal(4))
            value, slopes = both(position, data)
            assert np.isfinite(value)
            assert np.all(np.isfinite(slopes))
        position = jnp.array([0.2, -0.3, 0.5, 0.1])
        slopes = both(position, data)[1]
        for i, slope in enumerate(slopes):
            ends = [float(both(position.at[i].add(step), data)[0]) for step in (-1e-5, 1e-5)]
            assert (ends[1] - ends[0]) / 2e-5 == pytest.approx(float(slope), rel=1e-5, abs=1e-6)


def test_rising_is_falling_of_the_inverse():
    model = Changepoint(cells=Cells(64, plain=True, bounded=False))
    with runtime.on_device("cpu"):
        falling = arrays(table("exact"))
        rising = arrays(make_series(DATES, 1.0 / VALUES, direction="rising"))
        position = jnp.array([0.3, -0.7, 0.1, 0.4])
        mirrored = position.at[0].multiply(-1.0)
        one, other = model.constrain(position, falling), model.constrain(mirrored, rising)
        densities = model.log_density(position, falling), model.log_density(mirrored, rising)
    assert float(densities[0]) == pytest.approx(float(densities[1]), rel=1e-11)
    for name in ("rate_before", "rate_after", "sigma"):
        assert float(one[name]) == pytest.approx(float(other[name]), rel=1e-11)
    assert float(one["alpha"]) == pytest.approx(-float(other["alpha"]), rel=1e-11)


def test_probability_of_an_interval():
    """Against the careful form that the other models use, from thin to wide and far out."""
    with runtime.on_device("cpu"):
        z, width = (
            jnp.asarray(x.ravel())
            for x in np.meshgrid(np.linspace(-40.0, 40.0, 401), np.logspace(-8, 1.9, 100))
        )
        found = broken_line.log_interval(z, width)
        expected = log_interval_normal(z - 0.5 * width, z + 0.5 * width)
        # Thin intervals lose digits in their ends, not in their middle and width.
        thin = np.asarray(width * (1.0 + np.abs(z))) < 1e-2
        curvature = np.asarray(width) ** 2 * (np.asarray(z) ** 2 - 1.0) / 24.0
        middle = np.log(width) + stats.norm.logpdf(z) + curvature
        expected = np.where(thin, middle, expected)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)
        z, width = jnp.array([-3.0, 0.4, 7.0, 0.1]), jnp.array([0.5, 2.0, 0.3, 1e-5])
        slopes = jax.grad(lambda z, w: jnp.sum(broken_line.log_interval(z, w)), (0, 1))(z, width)
    middle, half = np.asarray(z), 0.5 * np.asarray(width)
    low, high = middle - half, middle + half
    density = stats.norm.pdf(low), stats.norm.pdf(high)
    mass = np.where(
        low > 0,
        stats.norm.sf(low) - stats.norm.sf(high),
        np.diff(stats.norm.cdf([low, high]), axis=0)[0],
    )
    np.testing.assert_allclose(slopes[0], (density[1] - density[0]) / mass, rtol=1e-5)
    np.testing.assert_allclose(slopes[1], 0.5 * (density[0] + density[1]) / mass, rtol=1e-5)


@pytest.mark.parametrize("side", ["low", "high"])
def test_a_row_with_one_bound_has_the_tail_however_far_off_it_is(side):
    """From far on the side that is allowed, where it says nothing, to far on the other."""
    away = np.array([-1e4, -200.0, -120.0, -50.0, -1.5, 0.0, 2.0, 30.0])
    n = len(away)
    sigma = 0.01
    # A trend at zero throughout; a bound at `away` standard deviations, unbounded at the other end.
    bound = 2.0 ** (sigma * away if side == "low" else -sigma * away)
    other = np.full(n, np.nan)
    series = make_series(
        np.datetime64("2015-01-01") + 100 * np.arange(n),
        other,
        value_low=bound if side == "low" else other,
        value_high=bound if side == "high" else other,
    )
    values = TRUTH | {"alpha": 0.0, "rate_before": 0.0, "rate_after": 0.0, "sigma": sigma}
    with runtime.on_device("cpu"):
        data = arrays(series)
        each = broken_line._log_densities(
            scalars(values), data, jnp.zeros((1, data.t.shape[0])), bounded=True
        )
    np.testing.assert_allclose(each[0, :n], stats.norm.logsf(away), rtol=1e-9, atol=1e-12)


def test_cells_are_enough_where_one_has_its_middle_at_the_mean_date():
    """Dates for which single and double precision see that middle on different sides of zero."""
    days = np.array([0, 632, 776, 960])
    series = make_series(np.datetime64("2015-01-01") + days, [8.0, 3.0, 2.0, 0.7])
    most = changepoint._most_on_one_side(series, 24)
    with runtime.on_device("cpu"):
        early = int(np.sum(np.asarray(broken_line.changes(arrays(series), 24)) < 0.0))
        cells = Cells(24, plain=False, bounded=False, most=most)
        found, expected = (
            broken_line.log_likelihoods(scalars(TRUTH), arrays(series), some)
            for some in (cells, cells._replace(most=None))
        )
    assert most > max(early, 24 - early)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["exact", "bounds"])
def test_the_date_of_the_change_is_drawn_from_its_conditional(name):
    """Fixed key; false alarms 1e-6 were it not."""
    series = table(name)
    model = Changepoint(cells=Cells(64, plain=name == "exact", bounded=name == "bounds"))
    values = TRUTH | {"sigma": 0.6}
    with runtime.on_device("cpu"):
        data = arrays(series)
        keys = jax.random.split(jax.random.key(4), 20_000)
        made = jax.vmap(lambda key: model.complete(key, scalars(values), data))(keys)
    days = (series.date - np.datetime64("1970-01-01")).astype(float)
    t = (days - days.mean()) / 365.25
    grid = np.linspace(*np.quantile([t.min(), t.max()], [0.1, 0.9]), 4001)
    density = np.exp([expected_log_likelihood(series, values, c).sum() for c in grid])
    below = integrate.cumulative_simpson(density, x=grid, initial=0.0)
    drawn = np.asarray(made["changepoint"])
    assert stats.kstest(np.interp(drawn, grid, below / below[-1]), "uniform").pvalue > 1e-6
    # What the trend gains over the span, walked along it.
    gained = 0.4 * (drawn - t.min()) + 1.7 * (t.max() - drawn)
    np.testing.assert_allclose(made["rate"], gained / np.ptp(t), rtol=1e-12)
    np.testing.assert_allclose(made["doubling_time"], 12.0 / np.asarray(made["rate"]))


def test_the_signed_prior_promises_no_doubling_time():
    model = Changepoint(Priors(kind="signed"), Cells(64, plain=True, bounded=False))
    with runtime.on_device("cpu"):
        made = model.complete(jax.random.key(0), scalars(TRUTH), arrays(table("exact")))
        drawn = model.prior_draw(jax.random.key(0), arrays(table("exact")))
    assert set(made) == {"changepoint", "rate"}
    assert set(drawn) == {"alpha", "sigma", "rate_before", "rate_after", "changepoint", "rate"}


@pytest.mark.parametrize("kind", ["default", "signed"])
def test_prior_draws_follow_the_priors(kind):
    """Fixed key; false alarms 1e-6 a comparison were it not."""
    with runtime.on_device("cpu"):
        data = arrays(table("exact"))
        drawn = contract.draws_of(Changepoint(Priors(kind=kind)), jax.random.key(0), data, 20_000)
    drawn = {name: np.asarray(x) for name, x in drawn.items()}
    before, after = drawn["rate_before"], drawn["rate_after"]
    t = np.asarray(data.t)[:6]
    laws = {
        "alpha": (drawn["alpha"], stats.norm(float(data.y_mean), 10.0)),
        "sigma": (drawn["sigma"], stats.halfnorm()),
        "c": (drawn["changepoint"], stats.uniform(t[0] + 0.1 * np.ptp(t), 0.8 * np.ptp(t))),
    }
    if kind == "default":
        laws["middle"] = 12.0 / np.sqrt(before * after), stats.lognorm(1.2, scale=18.0)
        laws["change"] = np.log(after / before), stats.norm()
    else:
        laws["middle"] = 0.5 * (before + after), stats.norm(0.0, 2.0)
        laws["change"] = after - before, stats.norm(0.0, 2.0)
    for sample, law in laws.values():
        assert stats.kstest(sample, law.cdf).pvalue > 1e-6


def test_predictions_and_noise():
    values = scalars(TRUTH | {"changepoint": 0.3})
    model = Changepoint(cells=Cells(16, plain=False, bounded=True))
    series = table("bounds")
    with runtime.on_device("cpu"):
        data = arrays(series)
        keys = jax.random.split(jax.random.key(2), 20_000)
        made = np.asarray(jax.vmap(lambda key: model.predict(key, values, data))(keys))[:, :6]
        noise = np.asarray(model.noise(jax.random.key(1), values, (20_000,)))
    assert stats.kstest(noise / 0.25, stats.norm.cdf).pvalue > 1e-6
    exact = table("errors")
    for i in range(6):
        # The density that the pointwise test has checked, normal in y.
        shifted = make_series(DATES, 2.0 ** made[0], **TABLES["errors"])
        mean, sd = made[:, i].mean(), made[:, i].std()
        log_density = expected_log_likelihood(shifted, TRUTH, 0.3)[i]
        assert log_density == pytest.approx(stats.norm(mean, sd).logpdf(made[0, i]), abs=0.08)
    assert exact.n_obs == 6


@pytest.mark.parametrize(
    "wrong", [{"kind": "reference"}, {"ratio_sdlog": 0.0}, {"change_sd": -1.0}]
)
def test_bad_priors(wrong):
    with pytest.raises(eb.UsageError):
        Priors(**wrong)


def test_robust_noise_is_refused():
    with pytest.raises(eb.UsageError, match="robust"):
        make_model(table("exact"), Priors(), robust=True)


YEARS = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])


def by_year(t, y, **columns):
    days = np.datetime64("2012-01-01") + np.round(365.25 * np.asarray(t)).astype(int)
    t = (days - days[0]).astype(float) / 365.25
    return make_series(days, 2.0 ** np.asarray(y(t) if callable(y) else y), **columns)


def knee(t, at=2.4):
    return 5.0 - 0.5 * np.minimum(t, at) - 2.0 * np.maximum(t - at, 0.0)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (by_year([0, 1, 1, 2], [3.0, 2.0, 2.2, 0.0]), "different dates"),
        (by_year(YEARS, lambda t: 3.0 - t), "one line"),
        (by_year(YEARS, knee), "broken line"),
        (by_year(YEARS[:5], knee), "broken line"),
        # Three of four on a line: the date of the change is then free, and one freedom is lost.
        (by_year(YEARS[:4], [3.0, 2.5, 2.0, 0.4]), "line"),
        (by_year(YEARS, lambda t: knee(t) + 1e-6 * np.sin(9 * t)), "resolved"),
    ],
)
def test_what_has_no_answer_is_refused(series, reason):
    with pytest.raises(eb.DataError, match=reason):
        make_model(series, Priors(), robust=False)


@pytest.mark.parametrize(
    "series",
    [
        by_year(YEARS[:4], [3.0, 2.6, 1.0, 0.4]),
        by_year(YEARS[:4], [3.0, 2.9, 1.0, -1.4]),
        # The lines of both sides meet outside the gap between them.
        by_year(YEARS, [5.0, 4.5, 4.0, -4.0, -5.0, -6.0]),
        by_year(YEARS, knee, value_sd=np.full(6, 0.1)),
    ],
)
def test_what_has_an_answer_is_not(series):
    make_model(series, Priors(), robust=False)


def test_cells_are_as_many_as_the_data_are_sharp():
    rng = np.random.default_rng(1)
    t, noise = np.linspace(0.0, 8.0, 24), rng.standard_normal(24)
    cells = [
        make_model(
            by_year(t, lambda t, s=s: knee(t, 4.0) + s * noise), Priors(), robust=False
        ).cells
        for s in (0.5, 0.1, 0.02)
    ]
    assert [each.number for each in cells] == sorted({each.number for each in cells})
    assert cells[0] == Cells(256, plain=True, bounded=False)


def fit(series, kind="default", draws=1000, seed=1):
    model = make_model(series, Priors(kind=kind), robust=False)
    with runtime.on_device("cpu") as device:
        found = nuts.run_nuts(
            model,
            contract.data_from_series(series),
            runtime.key_bits(seed),
            nuts.SamplerSettings(draws=draws),
            plan=runtime.plan(device),
        )
    names = ("rate", *model.parameters)
    return found, diagnose({name: found.values[name] for name in names}, found.stats)


def planted(seed=0):
    """24 systems over 8 years, 0.4 doublings a year and 2.0 after five years."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0.0, 8.0, 24))
    gained = 0.4 * np.minimum(t, 5.0) + 2.0 * np.maximum(t - 5.0, 0.0)
    return by_year(t, 10.0 - gained + 0.3 * rng.standard_normal(24)), t


def test_a_planted_change_is_found():
    series, t = planted()
    found, verdict = fit(series)
    assert str(verdict) == "ok"
    values = found.values
    true = {
        "rate_before": 0.4,
        "rate_after": 2.0,
        "changepoint": 5.0 - t.mean(),
        "sigma": 0.3,
        "rate": (0.4 * (5.0 - t[0]) + 2.0 * (t[-1] - 5.0)) / np.ptp(t),
    }
    for name, value in true.items():
        low, high = np.quantile(values[name], [0.005, 0.995])
        assert low < value < high, name
    assert np.mean(values["rate_after"] > values["rate_before"]) > 0.999
    assert np.std(values["changepoint"]) < 0.5


def shipped():
    alexnet = eb.load_domain("imagenet")["alexnet-training"]
    yield "alexnet-training, all", alexnet.where("all")
    for domain in eb.domain_names():
        for name, series in eb.load_domain(domain).items():
            if len(np.unique(series.date[series.used])) >= changepoint.LEAST_DATES:
                yield f"{domain} {name}", series


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["default", "signed"])
@pytest.mark.parametrize("series", [pytest.param(s, id=name) for name, s in shipped()])
def test_shipped_series_are_sampled_well(series, kind):
    found, verdict = fit(series, kind)
    assert str(verdict) == "ok"
    assert found.stats["diverging"].sum() == 0


@pytest.mark.parametrize("n", [4, 7, 50])
@pytest.mark.parametrize("noise", [1e-6, 0.1, 1.0])
def test_the_best_broken_line_is_that_of_least_squares(n, noise):
    rng = np.random.default_rng(n)
    t = np.sort(rng.uniform(-5.0, 5.0, n))
    y = np.maximum(t - 1.0, 0.0) - 0.5 * t + noise * rng.standard_normal(n)
    dates = np.linspace(0.9 * t[0] + 0.1 * t[-1], 0.1 * t[0] + 0.9 * t[-1], 401)
    date, step, spread = changepoint._best_fit(t, y, dates)

    def squares(date):
        design = np.column_stack([np.ones(n), t, np.maximum(t - date, 0.0)])
        found = np.linalg.lstsq(design, y, rcond=None)[0]
        return np.sum((y - design @ found) ** 2), found[2]

    found, slope = squares(date)
    assert step == pytest.approx(slope, rel=1e-6)
    assert spread == pytest.approx(np.sqrt(found / (n - 3)), rel=1e-6)
    assert found <= min(squares(one)[0] for one in dates) * (1.0 + 1e-6)
