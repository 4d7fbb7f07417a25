"""A pooled run as an `xarray.DataTree`: ArviZ's groups of all series, and a tree of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from effbayes import provenance, tree

UNITS = {**tree.UNITS, "alpha": "log2 of each series' unit"}


def build(
    *,
    trees: Mapping[str, xr.DataTree],
    population: tree.Arrays,
    of_members: tree.Arrays,
    about: Mapping[str, Any],
) -> xr.DataTree:
    """Label the arrays of a pooled run.

    Parameters
    ----------
    trees
        Of each series, by its name.
    population
        Draws by name, dims (chain, draw).
    of_members
        Draws by name, dims (chain, draw, series).
    about
        ``settings`` and ``made_by`` of the run.
    """
    children, names = list(trees.values()), list(trees)
    groups: dict[str, Any] = {
        "posterior": _posterior(population, of_members, names).assign_attrs(
            children[0]["posterior"].attrs
        ),
        "sample_stats": children[0]["sample_stats"].to_dataset(),
    }
    for group in ("log_likelihood", "posterior_predictive", "observed_data", "constant_data"):
        if all(group in child for child in children):
            parts = [child[group].to_dataset() for child in children]
            groups[group] = _end_to_end(parts, names)
    groups |= {f"members/{number}": child for number, child in enumerate(children)}
    run = xr.DataTree.from_dict(groups)
    content: dict[str, Any] = {"schema": tree.POOLED_SCHEMA, "series": names, **about}
    run.attrs |= {
        tree.ATTRIBUTE: json.dumps(content, allow_nan=False),
        "created_at": provenance.now(),
        "creation_library": "effbayes",
        "creation_library_version": about["made_by"]["effbayes"],
    }
    return run


def _posterior(population: tree.Arrays, of_members: tree.Arrays, names: list[str]) -> xr.Dataset:
    """Draws of the population, dims (chain, draw), and of the members, (chain, draw, series)."""
    arrays: dict[str, Any] = {name: (("chain", "draw"), x) for name, x in population.items()}
    arrays |= {name: (("chain", "draw", "series"), x) for name, x in of_members.items()}
    arrays = {name: (*labelled, {"units": UNITS[name]}) for name, labelled in arrays.items()}
    chains, draws = map(np.arange, population["mu"].shape)
    series = np.array(names, dtype=object)
    return xr.Dataset(arrays, coords={"chain": chains, "draw": draws, "series": series})


def _end_to_end(parts: list[xr.Dataset], names: list[str]) -> xr.Dataset:
    """Rows of all series one after another along obs, each with the series that it is of."""
    joined = xr.concat([part.drop_vars("obs") for part in parts], dim="obs")
    rows = np.concatenate([part["obs"].to_numpy() for part in parts])
    of = np.repeat(np.array(names, dtype=object), [part.sizes["obs"] for part in parts])
    along = {"obs": np.arange(len(of)), "series_of_obs": ("obs", of), "row": ("obs", rows)}
    return joined.assign_coords(along)
