"""Trends of the models as arithmetic of their draws: against quadrature, splines and searches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq

from effbayes.curves import Bend, Line, Path, curve_of

SHAPE = (2, 30)
SIGNS = (-1.0, 1.0)
N = 200_000


def normals(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def line(sign):
    return Line(normals(1, *SHAPE), 0.7 + 0.5 * normals(2, *SHAPE), sign)


def bend(sign):
    rates = 0.3 + 0.8 * normals(3, 2, *SHAPE)
    return Bend(normals(4, *SHAPE), *rates, 2.0 * normals(5, *SHAPE), sign)


def path(sign, drift=0.0, knots=9):
    """Rough: rates at knots have nothing to do with the levels there."""
    shape = (*SHAPE, knots)
    return Path(
        np.linspace(-3.0, 4.0, knots),
        sign * np.cumsum(0.7 * normals(6, *shape) + 0.2, axis=-1),
        normals(7, *shape),
        np.full(SHAPE, drift),
        sign,
        (3,),
    )


def first_time(curve, level, times):
    """First of many dates at which the trend is at the level or better, by looking at them all."""
    reached = curve.sign * (curve.level(times) - level) >= 0.0
    found = np.where(reached.any(axis=-1), times[reached.argmax(axis=-1)], np.inf)
    return np.where(reached[..., 0], -np.inf, found)


# --- all shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("made", [line, bend, path])
def test_level_is_the_integral_of_the_rate(made, sign):
    curve = made(sign)
    start, end = -2.3, 3.1
    gained = sign * (curve.level([end]) - curve.level([start]))[..., 0]
    np.testing.assert_allclose(curve.gain(start, end - start), gained, rtol=1e-12, atol=1e-12)
    for chain, draw in ((0, 0), (1, 7), (1, 29)):
        breaks = curve.change[chain, draw] if made is bend else None
        points = [breaks] if breaks is not None and start < breaks < end else list(path(1).knots)
        expected, error = quad(
            lambda t, at=(chain, draw): curve.rate([t])[(*at, 0)],
            start, end, points=[p for p in points if start < p < end], limit=200,
        )  # fmt: skip
        assert gained[chain, draw] == pytest.approx(expected, abs=1e-9 + error)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("made", [line, bend, path])
def test_dims_are_chain_draw_time(made, sign):
    curve, times = made(sign), [0.5, -1.0, 2.0]
    assert curve.level(times).shape == curve.rate(times).shape == (*SHAPE, 3)
    assert curve.level(0.5).shape == (*SHAPE, 1)
    assert curve.gain(0.5, 1.0).shape == curve.reaches(0.0, -3.0, 9.0).shape == SHAPE
    np.testing.assert_array_equal(curve.level(times)[..., 1], curve.level(-1.0)[..., 0])


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("gain", [-0.5, 0.3, 2.0, 5.0])
@pytest.mark.parametrize("made", [line, bend, path])
def test_reaching_a_level_is_what_a_search_finds(made, gain, sign):
    curve, level = made(sign), sign * gain
    times = np.linspace(-3.0, 30.0, 12_001)
    found = curve.reaches(level, -3.0, 30.0)
    sought = first_time(curve, level, times)
    # What is solved beyond the ends of the search is told by the ends.
    told = np.where(found < -3.0, -np.inf, np.where(found > 30.0, np.inf, found))
    assert np.array_equal(np.isinf(told), np.isinf(sought))
    inside = np.isfinite(told)
    assert inside.any()
    assert np.all(told[inside] <= sought[inside] + 1e-9)
    assert np.all(told[inside] > sought[inside] - times[1] + times[0] - 1e-9)


# --- line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
def test_a_line(sign):
    curve = line(sign)
    np.testing.assert_array_equal(curve.gain(-4.0, 7.0), curve.slope * 7.0)
    np.testing.assert_array_equal(curve.level(3.0)[..., 0], curve.alpha + sign * curve.slope * 3.0)
    np.testing.assert_array_equal(curve.rate([0.0, 9.0])[..., 1], curve.slope)


def test_a_line_reaches_a_level_where_its_root_is():
    curve = Line(np.array([[1.0, 1.0]]), np.array([[0.4, 1e-3]]), -1.0)
    found = curve.reaches(-6.0, 0.0, 1.0)[0]
    for i in range(2):
        root = brentq(lambda t, i=i: curve.level(t)[0, i, 0] + 6.0, 0.0, 1e5, xtol=1e-10)
        assert found[i] == pytest.approx(root)
    assert curve.reaches(5.0, 0.0, 1.0)[0, 0] == pytest.approx(-10.0)


@pytest.mark.parametrize("rate", [0.0, -0.5])
def test_a_line_without_progress_reaches_nothing_new(rate):
    curve = Line(np.array([[1.0]]), np.array([[rate]]), -1.0)
    assert curve.reaches(0.9, 0.0, 99.0) == np.inf
    assert curve.reaches(1.1, 0.0, 99.0) == -np.inf


# --- bend --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
def test_a_bend_with_one_rate_is_a_line(sign):
    straight = line(sign)
    bent = Bend(straight.alpha, straight.slope, straight.slope, normals(8, *SHAPE), sign)
    times = np.linspace(-5.0, 5.0, 11)
    np.testing.assert_allclose(bent.level(times), straight.level(times), atol=1e-14)
    for level in (-7.0, 0.0, 7.0):
        np.testing.assert_allclose(
            bent.reaches(level, -5.0, 5.0), straight.reaches(level, -5.0, 5.0), rtol=1e-12
        )


@pytest.mark.parametrize("sign", SIGNS)
def test_a_bend_is_the_formula_of_its_model(sign):
    curve, times = bend(sign), np.linspace(-6.0, 6.0, 25)
    for chain, draw in np.ndindex(SHAPE):
        alpha, before, after, change = (
            getattr(curve, name)[chain, draw] for name in ("alpha", "before", "after", "change")
        )

        def bracket(t, before=before, after=after, change=change):
            return before * min(t, change) + after * max(t - change, 0.0)

        expected = [alpha + sign * (bracket(t) - bracket(0.0)) for t in times]
        np.testing.assert_allclose(curve.level(times)[chain, draw], expected, atol=1e-12)
    np.testing.assert_allclose(curve.level(0.0)[..., 0], curve.alpha, atol=1e-15)


# --- path --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
def test_a_path_is_hermites_spline_through_its_knots(sign):
    curve, times = path(sign, drift=0.8), np.linspace(-3.0, 4.0, 101)
    spline = CubicHermiteSpline(curve.knots, curve.levels, sign * curve.rates, axis=-1)
    np.testing.assert_allclose(curve.level(times), spline(times), atol=1e-12)
    np.testing.assert_allclose(curve.rate(times), sign * spline(times, 1), atol=1e-12)
    np.testing.assert_allclose(curve.level(curve.knots), curve.levels, atol=1e-14)
    np.testing.assert_allclose(curve.rate(curve.knots), curve.rates, atol=1e-13)


def covariance(s, t):
    """Of the integrated Wiener process from zero, by quadrature."""
    return quad(lambda u: (s - u) * (t - u), 0.0, min(s, t))[0]


def test_between_knots_a_path_is_its_mean_given_the_knots():
    # Level and rate after one year, from level 0 and rate 0, condition the level in between.
    left, right, t = (0.4, -0.3), (1.9, 2.2), 0.37
    of_ends = np.array([[1 / 3, 1 / 2], [1 / 2, 1.0]])
    with_ends = np.array([covariance(t, 1.0), t**2 / 2])
    straight = np.array([left[0] + left[1], left[1]])
    expected = left[0] + left[1] * t
    expected += with_ends @ np.linalg.solve(of_ends, np.array(right) - straight)
    ends = np.array([left, right])[None, None]
    curve = Path(np.array([0.0, 1.0]), ends[..., 0], ends[..., 1], np.ones((1, 1)), 1.0, (0,))
    assert curve.level(t)[0, 0, 0] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_beyond_its_knots_a_path_is_the_integrated_wiener_process(side, sign):
    # Moments of N draws, 5 standard errors each: about 6e-7 false alarms a figure, fixed seed.
    q, rate, level = 0.6, 0.9, 2.0
    ends = np.zeros((2, N // 2, 2))
    curve = Path(
        np.array([-1.0, 1.0]), ends + level, ends + rate, np.full((2, N // 2), q), sign, (11,)
    )
    away = np.array([0.5, 2.0, 3.5])
    times = side * (1.0 + away)
    levels, rates = curve.level(times), curve.rate(times)
    strayed = side * sign * (levels - level) - rate * away
    for i, s in enumerate(away):
        sd = q * np.sqrt(covariance(s, s))
        assert abs(strayed[..., i].mean()) < 5 * sd / np.sqrt(N)
        assert abs(rates[..., i].mean() - rate) < 5 * q * np.sqrt(s / N)
        for j, t in enumerate(away):
            joint = q**2 * covariance(s, t)
            among = (
                (strayed[..., i] * strayed[..., j], joint, sd * q * np.sqrt(covariance(t, t))),
                (
                    (rates[..., i] - rate) * (rates[..., j] - rate),
                    q**2 * min(s, t),
                    q**2 * np.sqrt(s * t),
                ),
                (
                    strayed[..., i] * (rates[..., j] - rate),
                    q**2 * quad(lambda u, s=s: s - u, 0.0, min(s, t))[0],
                    sd * q * np.sqrt(t),
                ),
            )
            for product, expected, scale in among:
                error = np.hypot(expected, scale) / np.sqrt(N)
                assert abs(product.mean() - expected) < 5 * error


def test_a_path_asked_again_is_the_same():
    curve = path(1.0, drift=0.7)
    both = curve.level([5.0, 9.0, -8.0])
    np.testing.assert_array_equal(both, curve.level([5.0, 9.0, -8.0]))
    np.testing.assert_array_equal(both[..., 0], curve.level(5.0)[..., 0])
    np.testing.assert_array_equal(both[..., [1, 0, 2, 0]], curve.level([9.0, 5.0, -8.0, 5.0]))
    other = Path(curve.knots, curve.levels, curve.rates, curve.drift, 1.0, (4,))
    assert np.all(both[..., 0] != other.level(5.0)[..., 0])


def test_a_path_without_drift_goes_on_straight():
    curve = path(-1.0)
    expected = curve.levels[..., -1] - 6.0 * curve.rates[..., -1]
    np.testing.assert_allclose(curve.level(10.0)[..., 0], expected, rtol=1e-12)
    np.testing.assert_array_equal(curve.rate(1000.0)[..., 0], curve.rates[..., -1])


def test_a_drifting_path_reaches_a_level_as_often_as_small_steps_do():
    # Two independent simulations of N / 20 paths; 5 standard errors of their difference.
    n, q, rate, target, end = N // 20, 0.5, 0.3, 2.0, 8.0
    ends = np.zeros((1, n, 2))
    curve = Path(
        np.array([-1.0, 0.0]),
        ends + np.array([rate, 0.0]),
        ends + rate,
        np.full((1, n), q),
        -1.0,
        (5,),
    )
    found = curve.reaches(-target, -1.0, end)
    rng = np.random.default_rng(17)
    h, gained, speed, highest = 0.005, np.zeros(n), np.full(n, rate), np.zeros(n)
    checks = {2.0: 0.0, 4.0: 0.0, 8.0: 0.0}
    for step in range(1, round(end / h) + 1):
        faster = speed + q * np.sqrt(h) * rng.standard_normal(n)
        gained += 0.5 * h * (speed + faster)
        speed = faster
        highest = np.maximum(highest, gained)
        if round(step * h, 6) in checks:
            checks[round(step * h, 6)] = np.mean(highest >= target)
    for until, share in checks.items():
        assert 0.01 < share < 0.99
        mine = np.mean(found <= until)
        assert abs(mine - share) < 5 * np.sqrt(2 * share * (1 - share) / n)


# --- which model has which ---------------------------------------------------------------------


def test_each_model_has_its_shape():
    zero = np.zeros(SHAPE)
    draws = dict.fromkeys(("alpha", "rate", "rate_before", "rate_after", "changepoint"), zero)
    about = {"span": (-3.0, 4.0), "sign": -1.0, "seed": (0,)}
    for model in ("loglinear", "frontier", "records", "hierarchical"):
        assert isinstance(curve_of(model, draws, **about), Line)
    bent = draws | {"rate_before": zero + 1.0, "changepoint": zero + 2.0}
    found = curve_of("changepoint", bent, **about)
    np.testing.assert_array_equal(found.rate([1.0, 3.0])[0, 0], [1.0, 0.0])
    at_knots = np.zeros((*SHAPE, 8))
    drawn = draws | {"drift": zero, "path_level": at_knots, "path_rate": at_knots}
    np.testing.assert_allclose(curve_of("drift", drawn, **about).knots, np.arange(-3.0, 5.0))
