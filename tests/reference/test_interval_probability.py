"""`effbayes.models.censoring` against mpmath at 45 digits: values and gradients.

References are computed when the tests run, from the definitions: the normal tail
``erfc(z / sqrt 2) / 2`` and Student's t tail ``I_x(df/2, 1/2) / 2`` with ``x = df / (df + z**2)``
(Abramowitz and Stegun 7.1.2 and 26.7.1), differences taken on the side where both tails are small.
Inputs are the doubles that the package sees, so no tolerance pays for rounding them.

Tolerances: `LOG_P` relative to the log-probability, plus `LOG_P_FLOOR`, the rounding of a number
near one; gradients likewise. A sampler would not notice errors a million times larger, but a form
that cancels makes errors larger than that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from effbayes.models.censoring import log_interval_normal, log_interval_student_t
from effbayes.runtime import on_device

DIGITS = 45
LOG_P, LOG_P_FLOOR = 1e-9, 1e-15
GRADIENT, GRADIENT_FLOOR = 1e-7, 1e-13

NORMAL_WIDTHS = (1e-8, 1e-5, 1e-3, 0.03, 0.4, 1.0, 3.0, 40.0, 3e3, math.inf)
STUDENT_WIDTHS = (1e-8, 1e-3, 0.03, 0.4, 3.0, 3e3, math.inf)
NORMAL_NEAR = (0.0, 1e-9, 0.1, 0.7, 1.0, 2.0, 5.0, 12.0, 37.0, 39.0, 200.0, 1e3)
STUDENT_NEAR = (0.0, 0.1, 0.7, 1.0, 2.5, 20.0, 3e3, 1e6)
DEGREES = (0.05, 0.5, 1.0, 2.3, 7.0, 30.0, 400.0)

Interval = tuple[float, float]


def intervals(near: Sequence[float], widths: Sequence[float]) -> list[Interval]:
    """Every width from every near bound, mirrored too; straddling ones; one- and no-sided ones."""
    right = [(z, z + width) for z, width in itertools.product(near, widths) if z + width > z]
    left = [(-high, -low) for low, high in right]
    both = [(-a, b) for a, b in itertools.product(near[1:], near[1:])]
    open_ended = [(-math.inf, z) for z in near] + [(-z, math.inf) for z in near]
    return sorted({*right, *left, *both, *open_ended})


def upper_tail_normal(z: mp.mpf) -> mp.mpf:
    """P(Z > z)."""
    return mp.erfc(z / mp.sqrt(2)) / 2


def upper_tail_student_t(z: mp.mpf, df: mp.mpf) -> mp.mpf:
    """P(T > z) for z >= 0; near zero one half less the rest, where that loses no digits."""
    x = df / (df + z**2)
    if z > 1:
        return mp.betainc(df / 2, mp.mpf(1) / 2, 0, x, regularized=True) / 2
    return (
        mp.mpf(1) / 2
        - mp.betainc(mp.mpf(1) / 2, df / 2, 0, z**2 / (df + z**2), regularized=True) / 2
    )


def probability(low: float, high: float, tail: Callable[[mp.mpf], mp.mpf]) -> mp.mpf:
    """Probability of the interval, from upper tails at points >= 0 alone."""
    if low + high < 0.0:
        low, high = -high, -low
    beyond = mp.mpf(0) if math.isinf(high) else tail(mp.mpf(high))
    if low >= 0.0:
        return tail(mp.mpf(low)) - beyond
    before = mp.mpf(0) if math.isinf(low) else tail(-mp.mpf(low))
    return 1 - before - beyond


def density_student_t(z: mp.mpf, df: mp.mpf) -> mp.mpf:
    """Density of Student's t."""
    constant = 1 / (mp.sqrt(df) * mp.beta(mp.mpf(1) / 2, df / 2))
    return constant * (1 + z**2 / df) ** (-(df + 1) / 2)


def ends_gradient(
    low: float, high: float, p: mp.mpf, density: Callable[[mp.mpf], mp.mpf]
) -> tuple[float, float]:
    """Derivatives of log P by the bounds: ``-f(low) / P`` and ``f(high) / P``."""
    by_low = 0.0 if math.isinf(low) else float(-density(mp.mpf(low)) / p)
    by_high = 0.0 if math.isinf(high) else float(density(mp.mpf(high)) / p)
    return by_low, by_high


def assert_close(
    found: np.ndarray, expected: np.ndarray, relative: float, floor: float, cases: Sequence[object]
) -> None:
    """Every entry within ``relative * abs(expected) + floor``; all offenders are shown."""
    error = np.abs(found - expected)
    bad = np.flatnonzero(~(error <= relative * np.abs(expected) + floor))
    shown = [
        f"{cases[k]}: {found[k]!r}, expected {expected[k]!r}, off by {error[k]:.1e}"
        for k in bad[:12]
    ]
    assert not shown, f"{len(bad)} of {len(cases)} wrong\n" + "\n".join(shown)


def value_and_gradients(
    function: Callable[..., jax.Array], *columns: Sequence[float]
) -> list[np.ndarray]:
    """The function over columns, and its derivative by each, in float64, compiled."""
    with on_device("cpu"):
        arrays = [jnp.asarray(column, dtype=jnp.float64) for column in columns]
        both = jax.jit(
            lambda *a: (
                function(*a),
                jax.grad(lambda *b: function(*b).sum(), argnums=tuple(range(len(a))))(*a),
            )
        )
        value, gradients = both(*arrays)
        return [np.asarray(value), *(np.asarray(gradient) for gradient in gradients)]


def test_normal_interval_and_its_gradients_match_mpmath():
    cases = intervals(NORMAL_NEAR, NORMAL_WIDTHS)
    with mp.workdps(DIGITS):
        p = [probability(low, high, upper_tail_normal) for low, high in cases]
        expected = np.array([float(mp.log(each)) for each in p])
        gradient = np.array(
            [ends_gradient(*case, each, mp.npdf) for case, each in zip(cases, p, strict=True)]
        )
    low, high = zip(*cases, strict=True)
    value, by_low, by_high = value_and_gradients(log_interval_normal, low, high)
    assert_close(value, expected, LOG_P, LOG_P_FLOOR, cases)
    assert_close(by_low, gradient[:, 0], GRADIENT, GRADIENT_FLOOR, cases)
    assert_close(by_high, gradient[:, 1], GRADIENT, GRADIENT_FLOOR, cases)


@pytest.mark.parametrize("df", DEGREES)
def test_student_t_interval_and_its_gradients_match_mpmath(df):
    cases = intervals(STUDENT_NEAR, STUDENT_WIDTHS)
    with mp.workdps(DIGITS):
        nu = mp.mpf(df)
        tails = {abs(z) for case in cases for z in case if not math.isinf(z)}
        tail = {mp.mpf(z): upper_tail_student_t(mp.mpf(z), nu) for z in tails}
        p = [probability(low, high, tail.__getitem__) for low, high in cases]
        expected = np.array([float(mp.log(each)) for each in p])
        # P is linear in the tails, so its derivative by df is the same function of theirs.
        step = mp.mpf(10) ** (-DIGITS // 4)
        slope = {
            z: (upper_tail_student_t(z, nu + step) - upper_tail_student_t(z, nu - step))
            / (2 * step)
            for z in tail
        }
        by_df_expected = np.array(
            [
                float(_slope_of_probability(*case, slope) / each)
                for case, each in zip(cases, p, strict=True)
            ]
        )
        gradient = np.array(
            [
                ends_gradient(*case, each, lambda z: density_student_t(z, nu))
                for case, each in zip(cases, p, strict=True)
            ]
        )
    low, high = zip(*cases, strict=True)
    value, by_low, by_high, by_df = value_and_gradients(
        log_interval_student_t, low, high, [df] * len(cases)
    )
    assert_close(value, expected, LOG_P, LOG_P_FLOOR, cases)
    assert_close(by_low, gradient[:, 0], GRADIENT, GRADIENT_FLOOR, cases)
    assert_close(by_high, gradient[:, 1], GRADIENT, GRADIENT_FLOOR, cases)
    assert_close(by_df, by_df_expected, GRADIENT, GRADIENT_FLOOR, cases)


def _slope_of_probability(low: float, high: float, slope: dict[mp.mpf, mp.mpf]) -> mp.mpf:
    """d/d df of `probability`: the constant of the straddling case falls away."""
    if low + high < 0.0:
        low, high = -high, -low
    beyond = mp.mpf(0) if math.isinf(high) else slope[mp.mpf(high)]
    if low >= 0.0:
        return slope[mp.mpf(low)] - beyond
    before = mp.mpf(0) if math.isinf(low) else slope[-mp.mpf(low)]
    return -before - beyond


def test_whole_line_has_probability_one_and_no_slope():
    whole = ([-math.inf], [math.inf])
    for found in (
        value_and_gradients(log_interval_normal, *whole),
        value_and_gradients(log_interval_student_t, *whole, [3.0]),
    ):
        assert [float(each[0]) for each in found] == [0.0] * len(found)


def test_one_df_serves_every_row_and_collects_the_slopes_of_all():
    low, high = [-1.0, 0.5, 40.0], [0.25, 2.0, math.inf]
    together = value_and_gradients(log_interval_student_t, low, high, 2.3)
    apart = value_and_gradients(log_interval_student_t, low, high, [2.3] * 3)
    np.testing.assert_allclose(together[0], apart[0], rtol=1e-14)
    np.testing.assert_allclose(together[3], apart[3].sum(), rtol=1e-13)


def test_student_t_with_many_degrees_of_freedom_tends_to_the_normal():
    # Cornish-Fisher: the tail at z differs by density * z (z**2 + 1) / (4 df), here 1e-6 relative.
    low, high = [-0.5, 1.0, -math.inf], [0.25, 2.0, -1.5]
    normal = value_and_gradients(log_interval_normal, low, high)[0]
    student = value_and_gradients(log_interval_student_t, low, high, [1e6] * 3)[0]
    np.testing.assert_allclose(student, normal, rtol=0.0, atol=3e-6)
    assert np.abs(student - normal).max() > 1e-8, "the two are not the same function"
