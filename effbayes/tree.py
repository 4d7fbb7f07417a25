"""A run as an `xarray.DataTree` in ArviZ's schema, and back to plain arrays.

Beside ArviZ's groups there are ``table`` (the whole table, also the rows not used) and
``system_noise`` (deviations of new systems, from which predictive factors follow). What netCDF
attributes cannot hold (None, booleans, mappings) travels as one JSON string.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from effbayes import provenance, run_contents
from effbayes.dataset.series import ARRAY_COLUMNS, Series
from effbayes.models.priors import require_priors

if TYPE_CHECKING:
    import xarray as xr

    from effbayes.inference.predictive import Pointwise

RUN_SCHEMA = "effbayes.run/1"
POOLED_SCHEMA = "effbayes.pooled-run/1"
ATTRIBUTE = "effbayes"
UNITS = {
    "rate": "doublings per year",
    "doubling_time": "months",
    "alpha": "log2 of the series' unit",
    "sigma": "doublings",
    "nu": "1",
    "eta": "doublings",
    "rate_before": "doublings per year",
    "rate_after": "doublings per year",
    "changepoint": "years from the mean date",
    "drift": "doublings per year per square root of a year",
    "rate_mid": "doublings per year",
    "rate_end": "doublings per year",
    "path_level": "log2 of the series' unit",
    "path_rate": "doublings per year",
    "mu": "log of months",
    "tau": "1",
    "s": "doublings",
    "doubling_time_typical": "months",
    "doubling_time_new": "months",
}
"""Of draws; those of a population last."""

AXES = ("chain", "draw", "obs", "row", "system", "knot")
_TEXT_COLUMNS = ("label", "source", "note")
_SERIES_FIELDS = ("name", "domain", "unit", "direction", "rows", "title", "published", "remarks")

Arrays = Mapping[str, np.ndarray]


def build(
    *,
    series: Series,
    draws: Arrays,
    noise: np.ndarray,
    stats: Arrays,
    about: Mapping[str, Any],
    pointwise: Pointwise | None,
    prior: tuple[Arrays, np.ndarray] | None,
) -> xr.DataTree:
    """Label the arrays of a run.

    Parameters
    ----------
    series
        The table; `used` rows are the obs.
    draws, stats
        Dims (chain, draw), and (chain, draw, knot) for paths.
    noise
        Dims (chain, draw, system).
    about
        Settings and provenance, JSON-ready.
    pointwise, prior
        From `effbayes.inference.predictive`; None where left out.
    """
    import xarray as xr  # noqa: PLC0415 - slow to import

    rows = np.flatnonzero(series.used)
    obs = {"obs": rows}
    groups = {
        "posterior": _dataset(draws, ("chain", "draw")),
        "sample_stats": _dataset(stats, ("chain", "draw")),
        "system_noise": _dataset({"noise": noise}, ("chain", "draw", "system")),
        "observed_data": _dataset({"y": _log2_value(series)[rows]}, ("obs",), obs),
        "constant_data": _constant_data(series, rows),
        "table": _table(series),
    }
    if pointwise is not None:
        per_obs = ("chain", "draw", "obs")
        groups["log_likelihood"] = _dataset({"y": pointwise.log_likelihood}, per_obs, obs)
        groups["log_prior"] = _dataset({"log_prior": pointwise.log_prior}, ("chain", "draw"))
        groups["posterior_predictive"] = _dataset({"y": pointwise.predictive}, per_obs, obs)
    if prior is not None:
        parameters = {name: x[None] for name, x in prior[0].items()}
        groups["prior"] = _dataset(parameters, ("chain", "draw"))
        groups["prior_predictive"] = _dataset({"y": prior[1][None]}, ("chain", "draw", "obs"), obs)
    made_by = about["made_by"]
    for name in ("posterior", "sample_stats", "prior"):
        if name in groups:
            groups[name].attrs.update(
                inference_library="numpyro", inference_library_version=made_by["numpyro"]
            )
    tree = xr.DataTree.from_dict(groups)
    fields = {name: getattr(series, name) for name in _SERIES_FIELDS}
    content = {"schema": RUN_SCHEMA, **about, "series": {**fields, "id": series.id}}
    tree.attrs[ATTRIBUTE] = json.dumps(content, allow_nan=False)
    tree.attrs["created_at"] = provenance.now()
    tree.attrs["creation_library"] = "effbayes"
    tree.attrs["creation_library_version"] = made_by["effbayes"]
    return tree


def parts(about: Mapping[str, Any], arrays: Callable[[str], Arrays]) -> dict[str, Any]:
    """Series, arrays and settings of a run that `build` labelled.

    Parameters
    ----------
    about
        What its attribute `ATTRIBUTE` holds.
    arrays
        Gives those of a group by name.

    Raises
    ------
    DataError, KeyError, ValueError, TypeError
        The tree was not built here.
    """
    if about["schema"] == POOLED_SCHEMA:
        raise ValueError(f"several series in one run ({POOLED_SCHEMA}): use effbayes.load_pooled")
    if about["schema"] != RUN_SCHEMA:
        raise ValueError(_of_another_version(str(about["schema"])))
    table = arrays("table")
    fields: dict[str, Any] = {name: about["series"][name] for name in _SERIES_FIELDS}
    fields["remarks"] = tuple(fields["remarks"])
    fields |= {name: table[name] for name in ARRAY_COLUMNS}
    fields |= {name: tuple(map(str, table[name])) for name in _TEXT_COLUMNS}
    series, settings, made_by = Series(**fields), about["settings"], about["made_by"]
    draws, stats = (without_axes(arrays(name)) for name in ("posterior", "sample_stats"))
    noise = arrays("system_noise")["noise"]
    run_contents.check_settings(settings, made_by)
    require_priors(settings["model"], settings["prior"], settings["priors"])
    run_contents.check_series(series)
    run_contents.check_arrays(settings, draws, noise, stats)
    return {
        "series": series,
        "draws": draws,
        "noise": noise,
        "stats": stats,
        "settings": settings,
        "made_by": made_by,
    }


def without_axes(arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of a group without those that number its axes."""
    return {name: array for name, array in arrays.items() if name not in AXES}


def _of_another_version(schema: str) -> str:
    """What a run is that this version does not read, and what to do about it."""
    kind, _, number = schema.partition("/")
    known = dict(each.split("/") for each in (RUN_SCHEMA, POOLED_SCHEMA))
    if kind not in known or not number.isdecimal():
        return f"its schema, {schema!r}, is that of no run"
    todo = "newer version: upgrade effbayes to read it"
    if int(number) <= int(known[kind]):
        todo = "older version: sample again"
    return f"its schema, {schema!r}, is that of a {todo} (this version reads {known[kind]})"


def _dataset(
    arrays: Arrays, dims: tuple[str, ...], coords: Mapping[str, np.ndarray] | None = None
) -> xr.Dataset:
    import xarray as xr  # noqa: PLC0415 - slow to import

    shape = next(iter(arrays.values())).shape[: len(dims)]
    known = coords or {}
    index = {dim: known.get(dim, np.arange(size)) for dim, size in zip(dims, shape, strict=True)}
    variables = {}
    for name, array in arrays.items():
        attrs = {"units": UNITS[name]} if name in UNITS else {}
        # What a draw holds beside a number is a path, at dates equally spaced.
        variables[name] = ((*dims, "knot")[: array.ndim], array, attrs)
    return xr.Dataset(variables, coords=index)


def _constant_data(series: Series, rows: np.ndarray) -> xr.Dataset:
    columns = {name: getattr(series, name)[rows] for name in ARRAY_COLUMNS if name != "used"}
    columns["date"] = columns["date"].astype("datetime64[ns]")
    columns["label"] = np.array([series.label[i] for i in rows], dtype=object)
    return _dataset(columns, ("obs",), {"obs": rows})


def _table(series: Series) -> xr.Dataset:
    columns = {name: getattr(series, name) for name in ARRAY_COLUMNS}
    columns["date"] = columns["date"].astype("datetime64[s]")
    for name in _TEXT_COLUMNS:
        columns[name] = np.array(getattr(series, name), dtype=object)
    return _dataset(columns, ("row",))


def _log2_value(series: Series) -> np.ndarray:
    """log2 of the point value; NaN where only bounds are known."""
    return np.log2(series.value)
