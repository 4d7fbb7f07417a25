"""Posteriors of much data: a job for each model and shape, every result in its place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from effbayes import provenance, runtime
from effbayes.inference.lanes import Lanes, LaneSettings, members_of, quantities
from effbayes.models.contract import Data, stacked
from effbayes.posterior import Interval
from effbayes.replicates import engine
from effbayes.replicates.cluster import Dask
from effbayes.replicates.folder import Folder
from effbayes.replicates.posteriors import METHODS, Posteriors, Where, importance_for
from effbayes.trend import MONTHS_PER_YEAR

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import NDArray

    from effbayes.models.contract import Model

    Floats = NDArray[np.float64]

MEDIAN = 0.5


class Asked(NamedTuple):
    """What to fit to what."""

    model: Model
    data: Data


@dataclass(frozen=True, eq=False, kw_only=True)
class Fits:
    """What is known of each of many posteriors, in the order in which they were asked for.

    Attributes
    ----------
    quantities
        Names of what is reported of each.
    probs
        Probabilities of the quantiles: of the interval's low end, its median and its high end.
    mean, sd
        Dims (place, quantity); NaN where there is no posterior, or it lacks that quantity, and for
        doubling times, which have no mean: their rates may be nearly zero.
    quantile
        Dims (place, quantity, prob).
    method
        How each was fitted: ``"weighted draws"``, ``"more weighted draws"``, ``"NUTS"``, or
        ``"refused"``.
    ok
        Which can be relied on, dims (place,).
    k_hat, ess
        Pareto k-hat (NaN for NUTS) and effective number of draws, dims (place,).
    refused
        Why there is no posterior, by place.
    """

    quantities: tuple[str, ...]
    probs: tuple[float, ...]
    mean: Floats
    sd: Floats
    quantile: Floats
    method: tuple[str, ...]
    ok: NDArray[np.bool_]
    k_hat: Floats
    ess: Floats
    refused: Mapping[int, str]

    def reasons(self) -> dict[int, str]:
        """Why a posterior cannot be relied on, by place; empty where all can."""
        found = dict(self.refused)
        for place in np.flatnonzero(~self.ok):
            found.setdefault(
                int(place),
                f"{self.method[place]} did not converge: effective draws {self.ess[place]:.0f}",
            )
        return found


def probs_of(ci: float, seed: int) -> tuple[float, float, float]:
    """Probabilities of an equal-tailed interval and its median; also checks the seed.

    Raises
    ------
    UsageError
        Either cannot be used; before anything is fitted.
    """
    chosen = Interval(ci, "eti").check()
    runtime.stream(seed, "0")
    return 0.5 - 0.5 * chosen.prob, MEDIAN, 0.5 + 0.5 * chosen.prob


def fit_all(  # noqa: PLR0913 - the options of `sample_many`, each by its own name
    asked: Mapping[int, Asked],
    refused: Mapping[int, str],
    probs: tuple[float, ...],
    least: tuple[str, ...],
    *,
    seed: int,
    platform: str | None,
    folder: str | Path | None,
    client: Client | None,
    progress: engine.Progress | None,
) -> dict[str, Any]:
    """Fit everything that is asked for.

    Parameters
    ----------
    asked, refused
        By place; together every place from 0 on.
    probs
        Probabilities of the quantiles.
    least
        Names of quantities that are reported, as NaN, even where everything is refused.
    seed, platform, folder, client, progress
        As `effbayes.sample_many`.

    Returns
    -------
    dict
        The attributes of `Fits`.
    """
    n = len(asked) + len(refused)
    groups: dict[tuple[Model, tuple[int, ...]], list[int]] = {}
    for place, (model, data) in asked.items():
        groups.setdefault((model, np.shape(data.y)), []).append(place)
    named = [
        quantities(model, members_of(model, asked[places[0]].data))
        for (model, _), places in groups.items()
    ]
    names = max([least, *named], key=len)
    gathered: dict[str, Any] = {
        "mean": np.full((n, len(names)), np.nan),
        "sd": np.full((n, len(names)), np.nan),
        "quantile": np.full((n, len(names), len(probs)), np.nan),
        "k_hat": np.full(n, np.nan),
        "ess": np.zeros(n),
        "ok": np.zeros(n, dtype=bool),
        "method": np.full(n, -1),
    }
    done = len(refused)
    for number, ((model, _), places) in enumerate(groups.items()):
        job = Posteriors(
            model,
            LaneSettings(importance_for(model, members_of(model, asked[places[0]].data)), probs),
            Lanes(stacked([asked[place].data for place in places])),
            len(places),
            runtime.key_bits(runtime.stream(seed, _digest(model))),
            Where(platform),
            np.array(places),
        )
        told = None
        if progress is not None:
            told = lambda some, _, before=done: progress(before + some, n)  # noqa: E731
        found = job.run(
            folder=None if folder is None else Folder(Path(folder) / f"group-{number:04d}"),
            cluster=None if client is None else Dask(client),
            progress=told,
        )
        for name, column in gathered.items():
            each = found[name]
            column[np.ix_(places, *map(range, each.shape[1:]))] = each
        done += len(places)
    method = tuple("refused" if m < 0 else METHODS[m] for m in gathered.pop("method"))
    shared = {"quantities": names, "probs": probs, "method": method, "refused": refused}
    return gathered | shared


def months(rate: Floats) -> Floats:
    """Doubling times of quantiles of rates: the last dim is turned over, low first again.

    Infinite where there may be no progress.
    """
    turned = rate[..., ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(turned > 0.0, MONTHS_PER_YEAR / turned, np.inf)
    return np.where(np.isnan(turned), np.nan, found)


def ends(rate: Floats) -> tuple[float | None, float | None, float | None]:
    """Low, median and high of one doubling time; None where there may be no progress."""
    low, median, high = (float(x) if np.isfinite(x) else None for x in months(rate))
    return low, median, high


def _digest(model: Model) -> str:
    """Two models never share random numbers."""
    return hashlib.sha256(repr((model, provenance.PACKAGES)).encode()).hexdigest()
