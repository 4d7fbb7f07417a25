"""`effbayes.models.emg` against mpmath at 90 digits: values and gradients.

References are computed when the tests run, from the definitions: with ``z = x / sd``,
``k = sd / eta`` and Mills' ratio ``M(w) = erfc(w / sqrt 2) / (2 normal(w))``, the density p is
``normal(z) M(k - z) / eta`` and the distribution function ``Phi(z) - eta p``. Its derivative is p
by x, ``sd p'`` by sd (the heat equation), and by eta minus the density of a normal and two
exponentials.

Tolerances: `LOG_P` relative to the logarithm, plus `LOG_P_FLOOR`, the rounding of a number near
one; gradients likewise, their floor in units of one over the parameter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from effbayes.models import emg
from effbayes.models.censoring import log_interval_normal
from effbayes.runtime import on_device

DIGITS = 90
LOG_P, LOG_P_FLOOR = 1e-9, 1e-15
GRADIENT, GRADIENT_FLOOR = 1e-6, 1e-13

POSITIVE_Z = (1e-9, 0.1, 0.7, 1.0, 2.0, 3.5, 5.0, 11.9, 12.1, 20.0, 37.0, 39.0, 200.0, 1e3)
Z = tuple(sorted({0.0, *POSITIVE_Z, *(-z for z in POSITIVE_Z)}))
FEW_Z = Z[::2]
RATIOS = (*(10.0**power for power in range(-8, 9)), 0.07, 0.3, 3.0)
SDS = (1.0, 0.03)
WIDTHS = (1e-6, 1e-3, 0.03, 0.4, 1.0, 3.0, 40.0, 3e3, 1e6)

Case = tuple[float, ...]


@cache
def law(x: float, sd: float, eta: float) -> dict[str, mp.mpf]:
    """Density p, its slope, F, S, and the density q of a normal and two exponentials."""
    x, sd, eta = mp.mpf(x), mp.mpf(sd), mp.mpf(eta)
    z, k = x / sd, sd / eta
    w, normal = k - z, mp.npdf(z)
    mills = mp.erfc(w / mp.sqrt(2)) / 2 / mp.npdf(w)
    p = normal * mills / eta
    return {
        "p": p,
        "slope": (normal / sd - p) / eta,
        "F": mp.erfc(-z / mp.sqrt(2)) / 2 - eta * p,
        "S": mp.erfc(z / mp.sqrt(2)) / 2 + eta * p,
        "q": k**2 / sd * normal * (1 - w * mills),
    }


def density(x: float, sd: float, eta: float) -> tuple[float, Case]:
    """Log density, and its derivatives by x, sd and eta."""
    at = law(x, sd, eta)
    by_x, by_eta = at["slope"], (at["q"] - at["p"]) / eta
    # p is homogeneous: x p_x + sd p_sd + eta p_eta = -p.
    by_sd = -(at["p"] + x * by_x + eta * by_eta) / sd
    return float(mp.log(at["p"])), tuple(float(each / at["p"]) for each in (by_x, by_sd, by_eta))


NOWHERE = {"p": mp.mpf(0), "slope": mp.mpf(0), "q": mp.mpf(0)}


def interval(low: float, high: float, sd: float, eta: float) -> tuple[float, Case]:
    """Log probability between bounds, and its derivatives by both bounds, sd and eta."""
    a = {**NOWHERE, "F": 0, "S": 1} if math.isinf(low) else law(low, sd, eta)
    b = {**NOWHERE, "F": 1, "S": 0} if math.isinf(high) else law(high, sd, eta)
    p = b["F"] - a["F"] if b["F"] < a["S"] else a["S"] - b["S"]
    slopes = (-a["p"], b["p"], sd * (b["slope"] - a["slope"]), a["q"] - b["q"])
    return float(mp.log(p)), tuple(float(each / p) for each in slopes)


def intervals() -> list[Case]:
    """Every width from every bound, in units of sd; straddling and one-sided ones."""
    cases = set()
    for eta in RATIOS:
        ends = {(z, z + width) for z, width in itertools.product(Z, WIDTHS) if z + width > z}
        ends |= {(a, b) for a, b in itertools.product(FEW_Z, FEW_Z) if a < b}
        ends |= {(-math.inf, z) for z in Z} | {(z, math.inf) for z in Z}
        cases |= {(low, high, 1.0, eta) for low, high in ends}
    return sorted(cases)


def value_and_gradients(function, columns: Sequence[Sequence[float]]) -> list[np.ndarray]:
    """The function over columns, and its derivative by each, in float64, compiled."""
    with on_device("cpu"):
        arrays = [jnp.asarray(column, dtype=jnp.float64) for column in columns]
        value, gradients = _compiled(function, len(arrays))(*arrays)
        return [np.asarray(value), *(np.asarray(gradient) for gradient in gradients)]


@cache
def _compiled(function, number: int):
    slopes = jax.grad(lambda *a: function(*a).sum(), argnums=tuple(range(number)))
    return jax.jit(lambda *a: (function(*a), slopes(*a)))


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: np.ndarray, cases) -> None:
    """Every entry within its tolerance; the first offenders are shown."""
    bad = np.flatnonzero(~(np.abs(found - expected) <= tolerance))
    shown = [f"{cases[k]}: {found[k]!r}, expected {expected[k]!r}" for k in bad[:12]]
    assert not shown, f"{len(bad)} of {len(cases)} wrong\n" + "\n".join(shown)


def compare(function, cases: Sequence[Case], reference) -> None:
    """Values and every gradient of a function at cases, against a reference."""
    with mp.workdps(DIGITS):
        expected = [reference(*case) for case in cases]
    columns = list(zip(*cases, strict=True))
    found = value_and_gradients(function, columns)
    values = np.array([value for value, _ in expected])
    assert_close(found[0], values, LOG_P * np.abs(values) + LOG_P_FLOOR, cases)
    sd = np.array(columns[-2])
    for j, gradient in enumerate(found[1:]):
        slopes = np.array([each[j] for _, each in expected])
        unit = np.array(columns[-1]) if j == len(columns) - 1 else sd
        # A slope by eta is no larger than one over eta, unless sd is what limits it.
        floor = GRADIENT_FLOOR / np.minimum(unit, sd)
        assert_close(gradient, slopes, GRADIENT * np.abs(slopes) + floor, cases)


def test_density_and_its_gradients_match_mpmath():
    cases = [(z * sd, sd, ratio * sd) for z in Z for ratio in RATIOS for sd in SDS]
    compare(emg.log_density, cases, density)


def test_interval_and_its_gradients_match_mpmath():
    compare(emg.log_interval, intervals(), interval)


@given(
    z=st.floats(-50.0, 50.0),
    width=st.floats(-7.0, 4.0),
    ratio=st.floats(-8.0, 8.0),
    unit=st.floats(-3.0, 3.0),
)
def test_intervals_anywhere_match_mpmath(z, width, ratio, unit):
    """Bounds, widths and scales that no grid was chosen for."""
    sd = 10.0**unit
    low, high, eta = z * sd, (z + 10.0**width) * sd, sd * 10.0**ratio
    with mp.workdps(DIGITS):
        expected, slopes = interval(low, high, sd, eta)
    found, *gradients = value_and_gradients(emg.log_interval, [[x] for x in (low, high, sd, eta)])
    assert found[0] == pytest.approx(expected, rel=LOG_P, abs=LOG_P_FLOOR)
    floor = GRADIENT_FLOOR / min(sd, eta)
    for gradient, slope in zip(gradients, slopes, strict=True):
        assert gradient[0] == pytest.approx(slope, rel=GRADIENT, abs=floor)


def test_density_is_scipys_where_scipy_is_accurate():
    x = np.linspace(-3.0, 8.0, 23)
    for sd, eta in [(1.0, 1.0), (0.4, 1.5), (2.0, 0.7)]:
        expected = stats.exponnorm(eta / sd, scale=sd).logpdf(x)
        ones = np.ones_like(x)
        found = value_and_gradients(emg.log_density, [x, sd * ones, eta * ones])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_without_an_excess_it_is_the_normal():
    # The excess moves z by 1 / k = 1e-10, and slopes of the log density are at most 5 here.
    z = np.linspace(-5.0, 5.0, 11)
    one, tiny = np.ones_like(z), np.full_like(z, 1e-10)
    found = value_and_gradients(emg.log_density, [z, one, tiny])[0]
    np.testing.assert_allclose(found, stats.norm.logpdf(z), rtol=0.0, atol=1e-9)
    found = value_and_gradients(emg.log_interval, [z, z + 0.5, one, tiny])[0]
    normal = value_and_gradients(log_interval_normal, [z, z + 0.5])[0]
    np.testing.assert_allclose(found, normal, rtol=0.0, atol=1e-9)


def test_the_whole_line_has_probability_one_and_no_slope():
    found = value_and_gradients(emg.log_interval, [[-math.inf], [math.inf], [0.7], [1.3]])
    assert [float(each[0]) for each in found] == [0.0] * 5


@pytest.mark.parametrize("z", [-1e8, -1e4, 1e4, 1e8])
@pytest.mark.parametrize("ratio", [1e-12, 1e-3, 1.0, 1e3, 1e12])
def test_nothing_overflows_beyond_the_range_of_accuracy(z, ratio):
    for width in (1e-3, 10.0, math.inf):
        found = value_and_gradients(emg.log_interval, [[z], [z + width], [1.0], [ratio]])
        assert all(np.isfinite(each).all() for each in found)
    found = value_and_gradients(emg.log_density, [[z], [1.0], [ratio]])
    assert all(np.isfinite(each).all() for each in found)
