r"""Rates of progress from elsewhere: a name, a doubling time, a factor per year, an interval.

An expression is the name of a reference rate (``moore``), a doubling time (``3.4mo``, ``2.07y``) or
a factor per time (``4.1x/y``, ``9x/20y``), with the published interval in brackets if there is one
(``2.07y[1.54,3.13]``) and its probability in percent if that is not 95 (``8mo[2,22]@90``).

An interval becomes a distribution in one way: the logarithm of the rate (equally, of the doubling
time) is normal in two halves that meet at the stated central value, which is the median. With p the
interval's probability, :math:`z_p` the quantile of a standard normal at :math:`(1 + p)/2`, and
:math:`r_a < r_m < r_b` the published numbers as rates,

.. math::

    \log r = \log r_m + s_z z, \quad z \sim \mathrm{Normal}(0, 1), \qquad
    s_z = \begin{cases}
        (\log r_m - \log r_a) / z_p & z < 0 \\
        (\log r_b - \log r_m) / z_p & z \ge 0
    \end{cases}

so that all three published numbers are quantiles of it. Where the central value is the geometric
mean of the ends as rates the halves are alike, and this is the log-normal distribution. A number
without an interval is taken as exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from effbayes.domains import reference_rate, reference_rates
from effbayes.errors import UsageError
from effbayes.trend import DAYS_PER_YEAR, MONTHS_PER_YEAR, rate_per_year

Sample = NDArray[np.floating[Any]]
"""Draws of a rate in doublings per year, dims (draw,)."""

LEVEL = 0.95
"""Probability of a published interval that states none."""

EXAMPLES = "moore, 3.4mo, 2.07y[1.54,3.13], 8mo[2,22]@90, 4.1x/y[3.7,4.6], 9x/20y"

YEARS = {
    **dict.fromkeys(("d", "day", "days"), 1.0 / DAYS_PER_YEAR),
    **dict.fromkeys(("mo", "mos", "month", "months"), 1.0 / MONTHS_PER_YEAR),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 1.0),
}
"""Units of time and their length."""

RUN_SUFFIX = ".nc"
SMALLEST = 1e-30

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_EXPRESSION = re.compile(
    rf"(?P<value>{_NUMBER})(?:(?P<factor>x/)(?P<period>{_NUMBER})?)?(?P<unit>[a-z]+)"
    rf"(?:\[(?P<low>{_NUMBER})(?:,|to)(?P<high>{_NUMBER})\](?:@(?P<level>{_NUMBER})%?)?)?"
)


class Rate(Protocol):
    """What is known of a rate, in doublings per year."""

    @property
    def text(self) -> str:
        """As it was given."""

    @property
    def kind(self) -> str:
        """``"exact"``, ``"interval"`` or ``"run"``."""

    @property
    def size(self) -> int:
        """Number of draws it consists of; 0 for what is known in closed form."""

    def draw(self, number: int, rng: np.random.Generator) -> Sample:
        """Independent draws, dims (draw,)."""


@dataclass(frozen=True)
class Published:
    """A published number as the distribution of a rate; see the module.

    Attributes
    ----------
    median
        In doublings per year.
    spread_below, spread_above
        Standard deviation of the rate's logarithm in the half below the median and in that above.
    """

    text: str
    median: float
    spread_below: float = 0.0
    spread_above: float = 0.0

    @property
    def kind(self) -> str:
        """Whether there is an interval; see `Rate`."""
        return "interval" if self.spread_below or self.spread_above else "exact"

    @property
    def size(self) -> int:
        """None: it is known in closed form."""
        return 0

    def draw(self, number: int, rng: np.random.Generator) -> Sample:
        """Independent draws; see `Rate`."""
        return self._turned(rng.standard_normal(number))

    def quantile(self, prob: float) -> float:
        """The rate that is not exceeded with a probability between 0 and 1."""
        return float(self._turned(np.array([NormalDist().inv_cdf(prob)]))[0])

    def _turned(self, z: Sample) -> Sample:
        spread = np.where(z < 0.0, self.spread_below, self.spread_above)
        with np.errstate(over="ignore"):
            return np.asarray(self.median * np.exp(spread * z))


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior draws of a rate, each used equally often.

    Raises
    ------
    UsageError
        There are none, or not all are finite.
    """

    text: str
    draws: Sample

    def __post_init__(self) -> None:
        if not self.draws.size or not np.all(np.isfinite(self.draws)):
            raise UsageError(f"{self.text}: draws of a rate must be finite, and at least one")

    @property
    def kind(self) -> str:
        """A run; see `Rate`."""
        return "run"

    @property
    def size(self) -> int:
        """Number of draws."""
        return int(self.draws.size)

    def draw(self, number: int, rng: np.random.Generator) -> Sample:
        """The draws in random order, over and over; see `Rate`."""
        flat = self.draws.ravel()
        rounds = -(-number // len(flat))
        return np.concatenate([rng.permutation(flat) for _ in range(rounds)])[:number]


def parse(text: str, read_run: Callable[[str], Sample] | None = None) -> Rate:
    """What an expression says of a rate.

    Parameters
    ----------
    text
        The name of a reference rate, an expression, or the path of a run file.
    read_run
        Posterior draws of the rate of a run file; None where none can be meant.

    Raises
    ------
    UsageError
        It is none of these; or an interval is no interval, or of a rate that may be zero.

    Examples
    --------
    >>> parse("2y").median
    0.5
    >>> parse("4x/y[2,16]").quantile(0.975)
    4.0
    """
    names = [rate.name for rate in reference_rates()]
    plain = "".join(text.split()).lower()
    if plain in names:
        return Published(text, float(rate_per_year(reference_rate(plain).doubling_time_months)))
    if match := _EXPRESSION.fullmatch(plain):
        return _published(text, match)
    if read_run is not None and _is_path(text):
        return Posterior(text, read_run(text))
    closest = get_close_matches(plain, names, n=1)
    hint = f"did you mean {closest[0]}? " if closest else ""
    if re.fullmatch(_NUMBER, plain):
        hint = f"of what unit of time? {plain}mo, {plain}y or {plain}x/y? "
    run = ", or a run file" if read_run is not None else ""
    raise UsageError(
        f"{text!r} is no rate; {hint}Write one like {EXAMPLES}{run}. Names: {', '.join(names)}"
    )


def _published(text: str, match: re.Match[str]) -> Published:
    unit = match["unit"]
    if unit not in YEARS:
        raise UsageError(
            f"{text!r}: {unit!r} is no unit of time; there are d, mo and y, as in {EXAMPLES}"
        )
    years = YEARS[unit] * float(match["period"] or 1.0)

    def rate(number: str) -> float:
        value = float(number)
        if not all(SMALLEST <= each <= 1.0 / SMALLEST for each in (value, years)):
            raise UsageError(
                f"{text!r}: numbers of a rate must be from {SMALLEST:g} to {1 / SMALLEST:g}, "
                f"as in {EXAMPLES}"
            )
        return float(np.log2(value)) / years if match["factor"] else 1.0 / (value * years)

    median = rate(match["value"])
    if match["low"] is None:
        return Published(text, median)
    low, high = sorted((rate(match["low"]), rate(match["high"])))
    if float(match["low"]) > float(match["high"]) or not low < median < high:
        raise UsageError(
            f"{text!r}: an interval has its smaller end first and the central value between the "
            f"ends, as in {EXAMPLES}; leave out what is no interval"
        )
    if low <= 0.0:
        raise UsageError(
            f"{text!r}: the interval includes a factor of 1, no progress, and no log-normal rate "
            "has such an interval; sample the data, or give the number alone"
        )
    z = NormalDist().inv_cdf(0.5 + 0.5 * _level(text, match["level"]))
    return Published(
        text, median, float(np.log(median / low)) / z, float(np.log(high / median)) / z
    )


def _level(text: str, percent: str | None) -> float:
    if percent is None:
        return LEVEL
    prob = float(percent) / 100.0
    # The upper tail must not round to nothing, of which there is no quantile.
    if not (prob > 0.01 and 0.5 + 0.5 * prob < 1.0):
        raise UsageError(
            f"{text!r}: the probability of the interval is in percent, between 1 and 100: @90"
        )
    return prob


def _is_path(text: str) -> bool:
    """Whether a text is, or is meant as, a run file."""
    if text.endswith(RUN_SUFFIX) or f"{RUN_SUFFIX}#" in text:
        return True
    try:
        return Path(text).is_file()
    except OSError:  # a text too long to be a name
        return False
