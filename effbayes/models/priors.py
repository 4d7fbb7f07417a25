"""Priors that every model of a trend shares: level, rate of progress, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from effbayes.errors import UsageError

KINDS = ("default", "signed", "reference")


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
            if name != "kind" and not (np.isfinite(value) and value > 0)
        ]
        if wrong:
            raise UsageError(f"priors must be finite and > 0: {', '.join(wrong)}")
