"""A fitted trend: its draws, the verdict on them, and every quantity that people ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from effbayes import forecasting, outputs, power_scaling
from effbayes import posterior as post
from effbayes.curves import Curve, curve_of
from effbayes.dataset.series import Series
from effbayes.diagnostics import Chains, Diagnostics, diagnose
from effbayes.domains import reference_rate
from effbayes.errors import RunFileError, UsageError
from effbayes.forecasting import DateForecast, LevelForecast
from effbayes.posterior import FACTOR_KINDS, Interval
from effbayes.summary import summarize
from effbayes.trend import DAYS_PER_YEAR, MONTHS_PER_YEAR, rate_per_year
from effbayes.types import Estimate, IntervalKind

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from effbayes.store import Kept

SENSITIVE = 0.05
"""Sensitivity to power-scaling above which a prior or the data move a quantity."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Analysis:
    """A series, the posterior of its trend, and the verdict on the sampler.

    Attributes
    ----------
    series
        The table, and which rows were used.
    draws
        Posterior draws by name, dims (chain, draw).
    noise
        Two deviations of a new system from the trend per draw, in doublings; dims (chain, draw, 2).
    stats
        Sampler statistics by ArviZ's names, dims (chain, draw).
    settings
        Model, priors and sampler: everything that decides the draws, JSON-ready.
    made_by
        Versions, device and digests.
    build_tree, read_group
        Label the run as a tree; read one group of it alone, where it comes from a file.
    """

    series: Series
    draws: Mapping[str, Chains]
    noise: Chains
    stats: Mapping[str, Chains]
    settings: Mapping[str, Any]
    made_by: Mapping[str, Any]
    build_tree: Callable[[Analysis], xr.DataTree] = field(repr=False)
    read_group: Callable[[str], Mapping[str, np.ndarray]] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Of the series."""
        return self.series.id

    @property
    def judged(self) -> dict[str, Chains]:
        """Draws of every quantity that is reported, by which the sampler is judged."""
        years = post.years_between(*self.series.ends)
        quantities = {name: self.draws[name] for name in ("rate", *self.settings["parameters"])}
        quantities["predictive factor"] = (
            self.draws["rate"] * years + self.noise[..., 1] - self.noise[..., 0]
        )
        return quantities

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Figures and verdict for every quantity that is reported."""
        return diagnose(self.judged, self.stats)

    @property
    def verdict(self) -> Diagnostics:
        """``str(fit.verdict)`` is "ok", or the reasons why not."""
        return self.diagnostics

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Every group of ArviZ's schema; any ArviZ function takes it."""
        return self.build_tree(self)

    def arrays(self, group: str) -> Mapping[str, np.ndarray]:
        """Arrays of a group of `posterior` by name; none where the run lacks the group.

        A run from a file need not be made a tree for them, which takes longer than a report does.
        """
        if self.read_group is not None:
            return self.read_group(group)
        if group not in self.posterior.children:
            return {}
        found = self.posterior[group].to_dataset().variables
        return {str(name): variable.to_numpy() for name, variable in found.items()}

    @cached_property
    def curve(self) -> Curve:
        """The trend of the model, one for each draw."""
        series, seed = self.series, self.settings["sampler"]["seed"]
        first, last = (post.years_between(series.origin, date) for date in series.ends)
        return curve_of(
            self.settings["model"],
            self.draws,
            span=(first, last),
            sign=series.sign,
            seed=(seed, int(self.made_by["data_sha256"][:16], 16)),
        )

    def rate(self, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Rate of progress in doublings per year."""
        return post.estimate(self.draws["rate"], Interval(ci, kind).check())

    def doubling_time(
        self, unit: str = "months", ci: float = 0.95, kind: IntervalKind = "eti"
    ) -> Estimate:
        """Doubling time of efficiency.

        Parameters
        ----------
        unit
            ``"months"``, ``"years"`` or ``"days"``.
        ci, kind
            Probability of the credible interval; equal-tailed or highest-density.
        """
        scales = {
            "months": 1.0,
            "years": 1.0 / MONTHS_PER_YEAR,
            "days": DAYS_PER_YEAR / MONTHS_PER_YEAR,
        }
        if unit not in scales:
            raise UsageError(f"unit {unit!r} is not one of {', '.join(scales)}")
        months = post.doubling_time(self.draws["rate"], Interval(ci, kind).check())
        return months.map(lambda value: value * scales[unit])

    def efficiency_factor(
        self,
        start: str | np.datetime64,
        end: str | np.datetime64,
        kind: str = "trend",
        ci: float = 0.95,
        interval: IntervalKind = "eti",
    ) -> Estimate:
        """How many times less the same level costs at `end` than at `start`.

        Parameters
        ----------
        start, end
            Dates as `forecast` takes them.
        kind
            ``"trend"`` (the line), ``"predictive"`` (a new system at each date) or ``"observed"``
            (two rows of the table with their measurement error).
        ci, interval
            Probability and kind of the credible interval.
        """
        chosen = Interval(ci, interval).check()
        if kind not in FACTOR_KINDS:
            raise UsageError(f"kind {kind!r} is not one of {', '.join(FACTOR_KINDS)}")
        if kind == "observed":
            return self._observed_factor(start, end, chosen)
        first, last = self.series.date_of(start), self.series.date_of(end)
        years = post.years_between(first, last)
        gain = self.curve.gain(post.years_between(self.series.origin, first), years)
        # Of a period taken as a whole, the rate is the gain.
        if kind == "trend":
            return post.trend_factor(gain, 1.0, chosen)
        return post.predictive_factor(gain, self.noise, 1.0, chosen)

    def prob_faster_than(self, reference: str | float) -> float:
        """Posterior probability of a shorter doubling time than a reference.

        Parameters
        ----------
        reference
            Name of a reference rate such as ``"moore"``, or a doubling time in months.
        """
        if isinstance(reference, str):
            reference = reference_rate(reference).doubling_time_months
        if not reference > 0:
            raise UsageError(f"a doubling time of {reference} months, must be > 0")
        return post.prob_faster(self.draws["rate"], rate_per_year(reference))

    def level(self, date: str, ci: float = 0.95, kind: IntervalKind = "eti") -> Estimate:
        """Trend's value at a date, in the series' unit; see `forecast`."""
        return self.forecast(at=date, ci=ci, kind=kind).trend

    @overload
    def forecast(self, *, at: str, ci: float = ..., kind: IntervalKind = ...) -> LevelForecast: ...

    @overload
    def forecast(
        self, *, until: float, by: Sequence[str] = ..., ci: float = ..., kind: IntervalKind = ...
    ) -> DateForecast: ...

    def forecast(
        self,
        *,
        at: str | None = None,
        until: float | None = None,
        by: Sequence[str] = (),
        ci: float = 0.95,
        kind: IntervalKind = "eti",
    ) -> LevelForecast | DateForecast:
        """The value at a date, or the date at which the trend reaches a value.

        Parameters
        ----------
        at
            Label of a row; else a date, a month (``2030-06``) or a year (``2030``, its centre).
        until
            A value in the series' unit, in place of `at`.
        by
            With `until`: dates to give the probability for.
        ci, kind
            Probability and kind of the credible interval.
        """
        chosen = Interval(ci, kind).check()
        if (at is None) == (until is None):
            raise UsageError("a forecast is at a date or until a value: give one of at, until")
        if until is not None:
            return forecasting.until_value(self.series, self.curve, until, by, chosen)
        if by:
            raise UsageError("dates to reach a value by belong to a forecast until that value")
        return forecasting.at_date(self.series, self.curve, self.noise, str(at), chosen)

    def convert(
        self,
        amount: float,
        start: str,
        end: str,
        kind: str = "trend",
        ci: float = 0.95,
        interval: IntervalKind = "eti",
    ) -> Estimate:
        """How much compute at `end` does what an amount of it did at `start`.

        Parameters
        ----------
        amount
            In any unit, which is that of the result.
        start, end
            Dates as `forecast` takes them.
        kind
            ``"trend"`` or ``"predictive"``.
        ci, interval
            Probability and kind of the credible interval.
        """
        if not 0.0 < amount < np.inf:
            raise UsageError(f"an amount of {amount}; it must be a number > 0")
        if kind not in {"trend", "predictive"}:
            raise UsageError(f"kind {kind!r} is not one of trend, predictive")
        factor = self.efficiency_factor(end, start, kind, ci, interval)
        return factor.map(lambda value: amount * value)

    def summary(self, ci: float = 0.95, kind: IntervalKind = "eti") -> dict[str, Any]:
        """Everything reported, as the JSON of `effbayes sample` has it."""
        return summarize(self, Interval(ci, kind).check())

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know to read the numbers: above all, what the prior contributes."""
        return post.prior_notes(self.series.n_obs, self.draws, self.settings)

    def power_scaling(self) -> dict[str, dict[str, Any]]:
        """How much a stronger prior or likelihood would move each quantity.

        Returns
        -------
        dict
            By quantity: ``prior`` and ``likelihood``, the sensitivity to a power of it
            (Kallioinen, Paananen, Bürkner and Vehtari 2024, Statistics and Computing 34; above
            `SENSITIVE` it counts), and ``diagnosis``, ``"ok"`` or what that hints at.

        Raises
        ------
        UsageError
            The run is so long that densities were left out of it.
        """
        parts = self.arrays("log_prior"), self.arrays("log_likelihood")
        if not all(parts):
            raise UsageError(
                "densities were left out of this run, which has very many draws times rows"
            )
        by = (
            power_scaling.weights(parts[0]["log_prior"]),
            power_scaling.weights(parts[1]["y"].sum(axis=-1)),
        )
        found = {}
        for name in ("rate", *self.settings["parameters"]):
            of_prior, of_data = (power_scaling.sensitivity(self.draws[name], each) for each in by)
            said = "ok"
            if of_prior > SENSITIVE:
                said = "prior and data disagree" if of_data > SENSITIVE else "the prior is strong"
            found[name] = {"prior": of_prior, "likelihood": of_data, "diagnosis": said}
        return found

    def plot(self, panels: str = "both") -> Figure:
        """The trend with its band over the table; see `effbayes.figures.trend`.

        Parameters
        ----------
        panels
            ``"both"``, ``"value"`` (log axis) or ``"efficiency"`` (linear axis).
        """
        from effbayes import figures  # noqa: PLC0415 - keeps an analysis without pictures fast

        return figures.trend(
            self.series,
            self.curve.level,
            panels=panels,
            about=f"{self.settings['model']} model, {self.settings['prior']} prior",
            verdict=self.verdict.verdict,
        )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the run to a file, whole or not at all.

        Raises
        ------
        RunFileError
            The file exists and `force` is False, or cannot be written.
        """
        from effbayes import store  # noqa: PLC0415 - xarray and HDF5 are slow to import

        outputs.require_free(path, force=force)  # before the posterior is labelled
        store.save(self.posterior, path, force=force)

    def _observed_factor(
        self, start: str | np.datetime64, end: str | np.datetime64, interval: Interval
    ) -> Estimate:
        first, last = self.series.row_of(start), self.series.row_of(end)
        if first is None or last is None:
            missing = start if first is None else end
            return Estimate(None, None, None, f"the table has no system of {missing}")
        seed = np.random.SeedSequence([self.settings["sampler"]["seed"], first, last])
        rng = np.random.default_rng(seed)
        return post.observed_factor(self.series, first, last, interval, rng)


def load(path: str | Path) -> Analysis:
    """Read a run that `Analysis.save` wrote.

    Raises
    ------
    RunFileError
        The file is missing, is not a run of effbayes, or was changed since it was written.
    """
    from effbayes import store  # noqa: PLC0415 - HDF5 is slow to import

    run = store.load(path)
    with read_as_a_run(path):
        return Analysis(**kept_parts(run))


@contextmanager
def read_as_a_run(path: str | Path) -> Iterator[None]:
    """A block that takes a file apart, and fails where it is no run.

    Raises
    ------
    RunFileError
        In place of what is raised where something is missing, or another thing than it must be.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise RunFileError(f"{path} is not a run that this version reads: {error}") from error


def kept_parts(run: Kept) -> dict[str, Any]:
    """Fields of an analysis from a file.

    Raises
    ------
    KeyError, ValueError, TypeError
        It is no run of one series that this version reads.
    """
    from effbayes import tree  # noqa: PLC0415

    parts = tree.parts(run.about, run.arrays)
    return {**parts, "build_tree": lambda _: run.tree(), "read_group": run.arrays}
