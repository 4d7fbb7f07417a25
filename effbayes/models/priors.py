"""Priors of every model: level, rate of progress and noise, which all share, and what each adds.

Nothing heavy is imported here: what a run was made with can be said without JAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from effbayes.errors import UsageError

KINDS = ("default", "signed", "reference")

SMALLEST, LARGEST = 1e-150, 1e150
"""Of every number of a prior: squares of them, and inverses of squares, are numbers too."""

MEDIAN_OF_HALF_NORMAL = 0.6745
"""In its scale."""


@dataclass(frozen=True)
class TrendPriors:
    """Priors of level, rate and noise.

    Attributes
    ----------
    kind
        ``"default"`` assumes progress: the doubling time is log-normal. ``"signed"`` does not: the
        rate is normal around zero. ``"reference"`` is flat in (alpha, r, log sigma).
    alpha_sd
        Standard deviation of alpha around the mean of y, in doublings.
    doubling_time_median, doubling_time_sdlog
        Median in months and standard deviation of the logarithm (kind "default").
    rate_sd
        Standard deviation of the rate in doublings per year (kind "signed").
    sigma_scale
        Scale of the half-normal of sigma, in doublings.
    """

    kind: str = "default"
    alpha_sd: float = 10.0
    doubling_time_median: float = 18.0
    doubling_time_sdlog: float = 1.2
    rate_sd: float = 2.0
    sigma_scale: float = 1.0

    def at(self, values: Mapping[str, Any]) -> TrendPriors:
        """These priors with other numbers, unchecked: those that a program is traced with."""
        made = object.__new__(type(self))
        for name, value in {**vars(self), **values}.items():
            object.__setattr__(made, name, value)
        return made

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"prior {self.kind!r} is not one of {', '.join(KINDS)}")
        wrong = [
            f"{name} = {value}"
            for name, value in asdict(self).items()
            if name != "kind" and not SMALLEST <= value <= LARGEST
        ]
        if wrong:
            raise UsageError(f"priors must be from {SMALLEST} to {LARGEST}: {', '.join(wrong)}")


@dataclass(frozen=True)
class LogLinearPriors(TrendPriors):
    """Priors of the log-linear model: those of `TrendPriors`, and of robust noise.

    Attributes
    ----------
    nu_shape, nu_rate
        Gamma prior of the degrees of freedom, for robust noise.
    """

    nu_shape: float = 2.0
    nu_rate: float = 0.1


@dataclass(frozen=True)
class FrontierPriors(TrendPriors):
    """Priors of the stochastic frontier: those of `TrendPriors`, and of the excess.

    Attributes
    ----------
    eta_scale
        Scale of the half-normal of eta, the mean excess, in doublings.

    Raises
    ------
    UsageError
        Kind "reference": the posterior is improper for every series.
    """

    eta_scale: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "reference":
            raise UsageError(
                "model frontier has no reference prior: flat in log sigma, no posterior exists, "
                "because an excess without any noise explains every table; "
                "use --prior default or signed"
            )


@dataclass(frozen=True)
class RecordsPriors(TrendPriors):
    """Priors of the records model: those of `TrendPriors`, kind ``"default"`` or ``"signed"``."""


@dataclass(frozen=True)
class ChangepointPriors(TrendPriors):
    """Priors of the changepoint model: those of `TrendPriors`, and of the change.

    `TrendPriors` speaks here of the middle of the two rates: their geometric mean where progress
    is assumed (kind "default"), their mean where it is not.

    Attributes
    ----------
    ratio_sdlog
        Standard deviation of log(rate_after / rate_before) around zero (kind "default"): with 1.0
        the ratio lies between 1/7 and 7 with 95 % probability.
    change_sd
        Standard deviation of rate_after - rate_before around zero, in doublings per year (kind
        "signed").

    Raises
    ------
    UsageError
        Kind "reference", or a number that is none of a prior.
    """

    ratio_sdlog: float = 1.0
    change_sd: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "reference":
            raise UsageError(
                "model changepoint has no reference prior: under it four values that a broken line "
                "fits have no posterior; use --prior default or signed"
            )


@dataclass(frozen=True)
class DriftPriors(TrendPriors):
    """Priors of a drifting rate: those of `TrendPriors`, the rate's at the mean date.

    Attributes
    ----------
    drift_scale
        Scale of the half-normal of the drift q: the standard deviation of the rate's change in one
        year, in doublings per year.
    """

    drift_scale: float = 0.5


@dataclass(frozen=True)
class HierarchicalPriors(TrendPriors):
    """Priors of the population, and of each series given it.

    `TrendPriors.doubling_time_median` and ``doubling_time_sdlog`` are those of exp(mu), and
    ``sigma_scale`` is that of s.

    Attributes
    ----------
    tau_scale
        Scale of the half-normal of tau, the spread of log doubling times between series.
    sigma_spread
        Standard deviation of log sigma between series.
    """

    tau_scale: float = 1.0
    sigma_spread: float = 0.5


PRIORS: dict[str, type[TrendPriors]] = {
    "loglinear": LogLinearPriors,
    "frontier": FrontierPriors,
    "records": RecordsPriors,
    "changepoint": ChangepointPriors,
    "drift": DriftPriors,
    "hierarchical": HierarchicalPriors,
}
"""By the names of the models."""


def require_priors(model: str, kind: str, numbers: Mapping[str, Any]) -> None:
    """Refuse priors that were written down, but not by this model.

    Raises
    ------
    ValueError
        No such model, a number is missing, is one too many or is no prior, or another kind.
    """
    if model not in PRIORS:
        raise ValueError(f"settings.model is {model!r}")
    wanted = {each.name for each in fields(PRIORS[model])}
    if wrong := sorted(wanted ^ set(numbers)):
        raise ValueError(f"settings.priors of model {model}: {', '.join(wrong)}")
    if numbers["kind"] != kind:
        raise ValueError(f"settings.prior is {kind!r}, settings.priors.kind {numbers['kind']!r}")
    try:
        PRIORS[model](**numbers)
    except (TypeError, UsageError) as error:
        raise ValueError(f"settings.priors: {error}") from error
