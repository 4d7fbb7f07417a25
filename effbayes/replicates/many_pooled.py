"""Thousands of pooled fits at once: groups of series, each with a population of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from effbayes.dataset import Series
from effbayes.errors import DataError, UsageError
from effbayes.inference.lanes import quantities
from effbayes.models import hierarchical
from effbayes.replicates import engine
from effbayes.replicates.fits import Asked, Fits, fit_all, months, probs_of

if TYPE_CHECKING:
    from distributed import Client

    from effbayes.replicates.fits import Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class ManyPooled(Fits):
    """Posteriors of many groups of series, in the order in which they were given.

    Attributes
    ----------
    groups
        What was fitted.
    quantities, probs, mean, sd, quantile, method, ok, k_hat, ess, refused
        As `effbayes.replicates.fits.Fits` has them. Those of the population come first; those of
        the first series are ``rate[0]``, ``alpha[0]``, ``sigma[0]``. A group of fewer series than
        the largest has NaN for the rest.
    """

    groups: tuple[tuple[Series, ...], ...]

    def __len__(self) -> int:
        return len(self.groups)

    def of(self, quantity: str) -> Floats:
        """Low, median and high of a quantity in each group, dims (group, 3).

        Raises
        ------
        UsageError
            No such quantity is reported.
        """
        if quantity not in self.quantities:
            raise UsageError(f"no quantity {quantity!r}; there are {', '.join(self.quantities)}")
        return self.quantile[:, self.quantities.index(quantity)]

    def typical(self) -> Floats:
        """Median doubling time of each population, in months; dims (group, 3)."""
        return self.of("doubling_time_typical")

    def new_domain(self) -> Floats:
        """Doubling time of a domain not yet seen, in months; dims (group, 3)."""
        return self.of("doubling_time_new")

    def rate(self) -> Floats:
        """Doublings per year of each series; dims (group, series, 3), NaN where there is none."""
        places = [i for i, name in enumerate(self.quantities) if name.startswith("rate[")]
        return self.quantile[:, places]

    def doubling_time(self) -> Floats:
        """Months, of each series; dims as `rate`."""
        return months(self.rate())

    def frame(self) -> pd.DataFrame:
        """One row for each series of each group."""
        found, typical = self.doubling_time(), self.typical()
        rows: list[dict[str, Any]] = []
        for group, members in enumerate(self.groups):
            for place, one in enumerate(members):
                row: dict[str, Any] = {"group": group, "series": one.id, "n_obs": one.n_obs}
                row |= {"ok": bool(self.ok[group]), "method": self.method[group]}
                for end, value in zip(("low", "median", "high"), found[group, place], strict=True):
                    row[f"doubling_time_months_{end}"] = value
                for end, value in zip(("low", "median", "high"), typical[group], strict=True):
                    row[f"doubling_time_typical_months_{end}"] = value
                rows.append(row)
        return pd.DataFrame(rows)


def sample_many_pooled(  # noqa: PLR0913 - the options of a fit, each by its own name
    groups: Sequence[Sequence[Series]],
    *,
    prior: hierarchical.Priors | str = "default",
    seed: int = 0,
    ci: float = 0.95,
    platform: str | None = None,
    folder: str | Path | None = None,
    client: Client | None = None,
    progress: engine.Progress | None = None,
) -> ManyPooled:
    """Fit the hierarchical model to each of many groups of series.

    Parameters
    ----------
    groups
        Each of two series or more, of different ids. Groups with as many series, of about as many
        rows, and bounds in the same places share a program; another takes half a minute to compile.
        Made for about eight series: from some sixteen on, weighted draws serve few groups, and the
        rest is sampled one after another, as `effbayes.sample_pooled` does it.
    prior
        As `effbayes.sample_pooled`.
    seed, ci, platform, folder, client, progress
        As `effbayes.sample_many`; progress counts groups.

    Returns
    -------
    ManyPooled
        Look at ``ok`` first: a group without a posterior, or whose sampler failed, is reported in
        its place and never dropped.

    Raises
    ------
    UsageError
        No groups, one that cannot be pooled, or no such prior.
    RunFileError, ClusterError
        As `effbayes.sample_many`.
    """
    if not groups:
        raise UsageError("no groups of series to fit")
    probs = probs_of(ci, seed)
    priors = hierarchical.priors_of(prior)
    asked: dict[int, Asked] = {}
    refused: dict[int, str] = {}
    for place, group in enumerate(groups):
        try:
            model = hierarchical.make_model(group, priors, robust=False)
        except DataError as error:
            refused[place] = str(error)
        else:
            asked[place] = Asked(model, hierarchical.data_from_many(group))
    found = fit_all(
        asked,
        refused,
        probs,
        quantities(hierarchical.Hierarchical(), max(map(len, groups))),
        seed=seed,
        platform=platform,
        folder=folder,
        client=client,
        progress=progress,
    )
    return ManyPooled(groups=tuple(map(tuple, groups)), **found)
