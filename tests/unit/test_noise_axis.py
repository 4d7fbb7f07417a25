"""Coordinates of a noise: against a minimizer, Lambert's function of scipy, and its own inverse."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from effbayes import runtime
from effbayes.models.axes import Normal
from effbayes.models.contract import data_from_series
from effbayes.models.noise_axis import NoiseAxis, axis_of, log_noise, scatter

from .conftest import make_series


@pytest.mark.parametrize("freedoms", [0.0, 1.0, 6.0, 80.0])
@pytest.mark.parametrize("spread", [0.02, 0.3, 4.0])
def test_noise_is_centred_at_its_mode(freedoms, spread):
    """Against a minimizer, and the curvature against Lambert's function of scipy."""
    squares, log_s = freedoms * spread**2 + 1e-12, np.log(0.4)
    with runtime.on_device("cpu"):
        found = log_noise(jnp.asarray(log_s), 0.5, jnp.asarray([squares]), jnp.asarray([freedoms]))

    def energy(log_sigma):
        data = freedoms * log_sigma + 0.5 * squares * np.exp(-2.0 * log_sigma)
        return data + 2.0 * (log_sigma - log_s) ** 2

    mode = optimize.minimize_scalar(energy, bounds=(-12.0, 4.0), options={"xatol": 1e-10}).x
    w = special.lambertw(0.5 * squares * np.exp(-2.0 * (log_s - 0.25 * freedoms))).real
    assert found.centre[0] == pytest.approx(mode, abs=1e-4)
    assert found.scale[0] == pytest.approx((4.0 * (1.0 + w)) ** -0.5, rel=1e-3)


AXES = {
    "about one": NoiseAxis(0.25, 0.0, 1.0),
    "sharp": NoiseAxis(4.0, -1.2, 0.3),
    "hardly known": NoiseAxis(4.0, -0.8, 1.3),
}


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_a_coordinate_leads_back_and_has_the_slope_that_it_says(axis):
    with runtime.on_device("cpu"):
        values = jnp.asarray([1e-4, 0.03, 0.3, 1.0, 5.0, 40.0])
        z = jax.vmap(axis.coordinate)(values)
        found, log_slope = jax.vmap(axis.at)(z)
        slope = jax.vmap(jax.grad(lambda z: axis.at(z)[0]))(z)
    assert np.all(np.diff(z) > 0.0)
    np.testing.assert_allclose(found, values, rtol=1e-9)
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=1e-9)


@pytest.mark.parametrize("scale", [0.05, 0.4, 1.0])
@pytest.mark.parametrize("log_centre", [-5.0, -0.5, 1.5])
def test_an_axis_has_the_centre_and_slope_of_a_normal_log_noise(log_centre, scale):
    with runtime.on_device("cpu"):
        axis = axis_of(Normal(jnp.asarray(log_centre), jnp.asarray(scale)), 4.0)
        noise, log_slope = axis.at(jnp.zeros(()))
    assert float(noise) == pytest.approx(np.exp(log_centre), rel=1e-9)
    # A power that falls from there has 0.72 of the slope of an exponential.
    assert np.exp(float(log_slope)) / float(noise) == pytest.approx(
        scale / (2.0 * np.log(2.0)), rel=1e-9
    )


def test_known_errors_and_one_bound_leave_less_scatter():
    dates = ["2012-01-01", "2013-06-01", "2014-02-01", "2016-01-01", "2017-05-05"]
    values = [16.0, 2.0, 9.0, 0.8, 3.0]

    def of(**columns):
        data = data_from_series(make_series(dates, values, **columns))
        with runtime.on_device("cpu"):
            squares, freedoms = scatter(jax.tree.map(jnp.asarray, data))
        return float(squares), float(freedoms), float(data.sigma_guess) ** 2

    squares, freedoms, spread = of()
    assert freedoms == pytest.approx(3.0)
    assert squares == pytest.approx(3.0 * spread)
    squares, freedoms, spread = of(value_sd=np.full(5, 0.5))
    assert freedoms == pytest.approx(3.0 * (spread / (spread + 0.25)) ** 2)
    assert squares == pytest.approx(freedoms * (spread - 0.25))
    high = np.array([np.nan, np.nan, np.nan, np.nan, 4.0])
    assert of(value_high=high)[1] == pytest.approx(2.0)
