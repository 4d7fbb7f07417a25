r"""The exponentially modified Gaussian: a normal error plus an exponential excess, in logs.

With u exponential of mean :math:`\eta` and e normal of standard deviation s, in units
:math:`z = x / s`, :math:`k = s / \eta`, the sum x = u + e has

.. math::

    \eta\, p(x) = \varphi(z)\, M(k - z), \qquad
    F(x) = \Phi(z) - \eta\, p(x), \qquad S(x) = \Phi(-z) + \eta\, p(x),

where :math:`M(w) = \Phi(-w) / \varphi(w) = \sqrt{\pi/2}\, \mathrm{erfcx}(w / \sqrt 2)` is Mills'
ratio (Grushka 1972, Analytical Chemistry 44). Written out, M overflows on one side and is zero
divided by zero on the other; and F is a difference of nearly equal numbers wherever the excess is
much wider than the error, or x is far to the left. Here

* M is a complementary error function up to ``w = 12`` and its asymptotic series beyond, whose error
  is below the first term left out (Abramowitz and Stegun 7.1.23);
* S is a sum, and needs nothing. F, where the difference would cancel, is the integral

  .. math:: F = \varphi(z) \int_0^k N(q - z)\, dq, \qquad N(w) = -M'(w) = 1 - w M(w) > 0,

  over a range on which N is smooth, by Gauss-Legendre quadrature;
* an interval is a difference of F or of S, whichever keeps more digits. Where neither does, the
  density hardly changes within: F and S are log-concave, so that
  :math:`|d \log p| \le d \log F - d \log S`, and the density is integrated by quadrature.

Mills' ratio has its own derivative, :math:`M' = w M - 1`, also in closed form: gradients are finite
everywhere, and no form is differentiated where it is not the one that is used.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc

from effbayes.arrays import Elements

_FAR = 12.0
"""Where the series of Mills' ratio takes over: its last term is below 1e-12 there."""
_SERIES = [(-1.0) ** n * math.prod(range(1, 2 * n + 2, 2)) for n in range(13)]

_NARROW = 0.02
"""Change of log F and log S together below which an interval is integrated by quadrature."""
_SMALL = 0.005
"""The same for F, as a share of the range on which N is smooth."""
_x, _w = np.polynomial.legendre.leggauss(2)
_NODES, _WEIGHTS = (0.5 * (_x + 1.0)).tolist(), (0.5 * _w).tolist()
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_LOG_SQRT_2PI = math.log(_SQRT_2PI)


def log_density(excess: Elements, sd: Elements, eta: Elements) -> Elements:
    """Log density of the sum of a normal error and an exponential excess.

    Parameters
    ----------
    excess
        Where, in the unit of `sd`. Any one shape.
    sd
        Standard deviation of the error, > 0, of the same shape.
    eta
        Mean of the exponential, > 0, of the same shape.

    Returns
    -------
    Elements
        Accurate with its gradients for ``eta / sd`` from 1e-8 to 1e8.
    """
    return _log_term(excess / sd, sd / eta)[0] - jnp.log(eta)


def log_interval(low: Elements, high: Elements, sd: Elements, eta: Elements) -> Elements:
    """Log probability that the sum lies between two bounds.

    Parameters
    ----------
    low, high
        Bounds, ``low < high``; -inf and inf are allowed. Any one shape.
    sd, eta
        As in `log_density`.

    Returns
    -------
    Elements
        Log probability of each interval, <= 0, accurate with its gradients.
    """
    below, above = jnp.isinf(low), jnp.isinf(high)
    # The other end stands in for an infinite one; what is computed there is not used.
    shut_low = jnp.where(below, jnp.where(above, 0.0, high), low)
    shut_high = jnp.where(above, shut_low, high)
    k = sd / eta
    f, s = _log_lower_and_upper(jnp.stack([shut_low / sd, shut_high / sd]), jnp.stack([k, k]))
    f_low, f_high = jnp.where(below, -jnp.inf, f[0]), jnp.where(above, 0.0, f[1])
    s_low, s_high = jnp.where(below, 0.0, s[0]), jnp.where(above, -jnp.inf, s[1])

    gain_f, gain_s = jax.lax.stop_gradient((f_high - f_low, s_low - s_high))
    narrow = gain_f + gain_s < _NARROW
    from_left = gain_f >= gain_s
    large = jnp.where(from_left, f_high, s_low)
    small = jnp.where(from_left, f_low, s_high)
    # Where it is not narrow the logs differ by half of `_NARROW` at least.
    ratio = jnp.exp(jnp.minimum(small - large, -0.4 * _NARROW))
    by_quadrature = _log_integral(shut_low, jnp.where(narrow, shut_high - shut_low, sd), sd, eta)
    return jnp.where(narrow, by_quadrature, large + jnp.log1p(-ratio))


def _log_lower_and_upper(z: Elements, k: Elements) -> tuple[Elements, Elements]:
    """Logs of F and S."""
    reach = jnp.where(z < 0.0, jnp.maximum(1.0, -z), 1.0 / jnp.maximum(1.0, z))
    cancels = k < _SMALL * reach
    q = jnp.where(cancels, k, _SMALL * reach)
    # The normal tails on either side of z: the smaller one, and what it leaves of one.
    x = jnp.abs(z)
    # One call for all: the program stays small.
    terms, hazards = _log_term(
        jnp.stack([z, -x, *([z] * len(_NODES))]),
        jnp.stack([k, jnp.zeros_like(k), *(node * q for node in _NODES)]),
    )
    term, tail = terms[0], terms[1]
    rest = jnp.log1p(-jnp.exp(tail))
    below, above = jnp.where(z < 0.0, tail, rest), jnp.where(z < 0.0, rest, tail)
    # To the left of zero the normal density is a factor of all terms, and may be too small.
    log_factor = -0.5 * jnp.minimum(z, 0.0) ** 2
    # Clips hold back what rounding makes of points beyond any data; nothing else comes near them.
    integrand = [
        jnp.exp(jnp.clip(each - log_factor, -50.0, 1.0)) * hazard
        for each, hazard in zip(terms[2:], hazards[2:], strict=True)
    ]
    integral = jnp.log(q * _weighted(integrand)) + log_factor
    difference = below + jnp.log1p(-jnp.exp(jnp.minimum(term - below, -0.1 * _SMALL)))
    large, small = jnp.maximum(above, term), jnp.minimum(above, term)
    return jnp.where(cancels, integral, difference), large + jnp.log1p(jnp.exp(small - large))


def _log_integral(low: Elements, width: Elements, sd: Elements, eta: Elements) -> Elements:
    """Log probability of a narrow interval."""
    nodes = jnp.stack([low + x * width for x in _NODES])
    density = log_density(nodes, jnp.stack([sd] * len(_NODES)), jnp.stack([eta] * len(_NODES)))
    middle = density[0]
    # Within a narrow interval they differ by far less than one.
    total = _weighted([jnp.exp(jnp.clip(each - middle, -1.0, 1.0)) for each in density])
    return jnp.log(width * total) + middle


def _weighted(values: list[Elements]) -> Elements:
    """Integral over the unit interval from values at the nodes."""
    total = _WEIGHTS[0] * values[0]
    for weight, value in zip(_WEIGHTS[1:], values[1:], strict=True):
        total += weight * value
    return total


@jax.custom_jvp
def _log_term(z: Elements, k: Elements) -> tuple[Elements, Elements]:
    """Log of ``normal(z) M(k - z)``, and ``N / M`` at ``k - z``.

    The first is the log of eta p; with k = 0, of the normal distribution function.
    """
    value, hazard, _ = _term_hazard_slope(z, k)
    return value, hazard


@_log_term.defjvp
def _log_term_jvp(
    point: tuple[Elements, Elements], tangent: tuple[Elements, Elements]
) -> tuple[tuple[Elements, Elements], tuple[Elements, Elements]]:
    (z, k), (dz, dk) = point, tangent
    value, hazard, slope = _term_hazard_slope(z, k)
    by_w = hazard * (hazard + k - z) - 1.0
    return (value, hazard), (slope * dz - hazard * dk, by_w * (dk - dz))


def _term_hazard_slope(z: Elements, k: Elements) -> tuple[Elements, Elements, Elements]:
    """As `_log_term`, and the derivative of the log by z."""
    w = k - z
    far = w > _FAR
    near_w, far_w = jnp.minimum(w, _FAR), jnp.maximum(w, _FAR)
    tail = 0.5 * erfc(near_w * math.sqrt(0.5))
    inverse = jnp.exp(-0.5 * near_w**2) / (_SQRT_2PI * tail)
    near = k * (0.5 * k - z) + jnp.log(tail)

    v = 1.0 / (far_w * far_w)
    n = jnp.full_like(v, _SERIES[-1])
    for coefficient in reversed(_SERIES[:-1]):
        n = n * v + coefficient
    n = n * v
    mills = (1.0 - n) / far_w
    beyond = -0.5 * z**2 - _LOG_SQRT_2PI + jnp.log(mills)

    hazard = jnp.where(far, n / mills, inverse - near_w)
    return jnp.where(far, beyond, near), hazard, jnp.where(far, hazard - z, inverse - k)
