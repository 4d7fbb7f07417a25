"""What a kept run must hold: one that was made elsewhere is refused here, with one clear error.

A seal shows that a file was changed after it was written, not that what was written is a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np

from effbayes.dataset.series import Series
from effbayes.types import PriorName

SETTINGS: Mapping[str, type] = {
    "model": str, "noise": str, "prior": str, "parameters": list, "priors": dict, "sampler": dict,
}  # fmt: skip
SAMPLER: Mapping[str, type] = {"warmup": int, "draws": int, "chains": int, "seed": int}
STATS: Mapping[str, type] = {"diverging": bool, "energy": float, "reached_max_treedepth": bool}
OF_MODEL: Mapping[str, tuple[str, ...]] = {
    "changepoint": ("rate_before", "rate_after", "changepoint"),
    "drift": ("path_level", "path_rate", "rate_end", "drift"),
}
"""Draws that a model has beside the rate and its parameters."""

OF_POPULATION = ("mu", "tau", "s", "doubling_time_typical", "doubling_time_new")
GIVEN = ("mu", "tau", "s")
"""Draws of the population that each member carries: its prior, draw by draw."""

PRIORS_OF_POPULATION = ("doubling_time_sdlog", "tau_scale")

LEAST_DRAWS = 4
"""In a chain: with fewer the diagnostics do not exist."""

LARGEST_DRAW = 1e150
"""Of doublings, rates and months: of what is larger, double precision has no variance."""

Arrays = Mapping[str, np.ndarray]


def check_settings(settings: Mapping[str, Any], made_by: Mapping[str, Any]) -> None:
    """Refuse settings or provenance that no run has.

    Raises
    ------
    ValueError
        One is missing, or is something else than it must be; the message names it.
    """
    _require_types({"settings": settings, "made_by": made_by}, {"settings": dict, "made_by": dict})
    _require_types(settings, SETTINGS, "settings.")
    _require_types(settings["sampler"], SAMPLER, "settings.sampler.")
    for name in SAMPLER:
        if not 0 <= settings["sampler"][name] < 2**63:
            raise ValueError(f"settings.sampler.{name} is {settings['sampler'][name]!r}")
    _require_types(made_by, {"data_sha256": str, "effbayes": str}, "made_by.")
    if settings["prior"] not in get_args(PriorName):
        raise ValueError(f"settings.prior is {settings['prior']!r}")
    if not all(isinstance(name, str) for name in settings["parameters"]):
        raise ValueError("settings.parameters is no list of names")
    for name, value in settings["priors"].items():
        if not _is_a(value, float) and not _is_a(value, int) and not _is_a(value, str):
            raise ValueError(f"settings.priors.{name} is {value!r}")
    if not re.fullmatch("[0-9a-f]{64}", made_by["data_sha256"]):
        raise ValueError("made_by.data_sha256 is no digest")


def check_series(series: Series) -> None:
    """Refuse a table that the reader of tables would not have made; its numbers are checked.

    Raises
    ------
    ValueError
        A field is of another kind, or a date out of its range.
    DataError
        The table cannot have a trend.
    """
    texts = ("name", "domain", "unit", "direction", "rows", "title")
    fields = {name: getattr(series, name) for name in (*texts, "published")}
    _require_types(fields, dict.fromkeys(texts, str) | {"published": bool}, "series.")
    # The reader asks for a nearer year, which a series made by hand need not have.
    first, last = np.datetime64("0001-01-01"), np.datetime64("9999-12-31")
    faults = {
        "series.remarks is no list of sentences": not all(
            isinstance(remark, str) for remark in series.remarks
        ),
        "a date is outside the years 1 to 9999": not np.all(
            (series.date >= first) & (series.date <= last)
        ),
    }
    for fault, found in faults.items():
        if found:
            raise ValueError(f"its table: {fault}")
    series.require_trend()


def check_arrays(
    settings: Mapping[str, Any], draws: Arrays, noise: np.ndarray, stats: Arrays
) -> None:
    """Refuse arrays that cannot be the draws of one sampler.

    Parameters
    ----------
    settings
        That `check_settings` let pass.
    draws, stats
        Dims (chain, draw), and (chain, draw, knot) for paths.
    noise
        Dims (chain, draw, system).

    Raises
    ------
    ValueError
        One is missing, is not of numbers, or is of another shape; or a draw is not finite.
    """
    own = OF_MODEL.get(settings["model"], ())
    _require(draws, ("rate", "alpha", *settings["parameters"], *own), "posterior")
    _require(stats, STATS, "sample_stats")
    shape = _shape_of(draws["rate"], "rate")
    _check_draws(draws, shape)
    if settings["prior"] == "default" and not np.all(draws["rate"] > 0.0) and not own:
        raise ValueError("posterior.rate is not > 0, as its prior has it")
    _check_stats(stats, shape)
    if noise.shape != (*shape, 2) or noise.dtype != np.float64 or not np.all(np.isfinite(noise)):
        raise ValueError("system_noise is not two numbers to a draw")


def check_pooled(
    settings: Mapping[str, Any],
    made_by: Mapping[str, Any],
    population: Arrays,
    stats: Arrays,
    members: Sequence[tuple[Mapping[str, Any], Arrays]],
) -> None:
    """Refuse what is no run of several series.

    Parameters
    ----------
    settings, made_by
        Of the run.
    population, stats
        Dims (chain, draw).
    members
        Settings and draws of each series, which `check_settings` and `check_arrays` let pass.

    Raises
    ------
    ValueError
        Something is missing, or is something else than it must be; the message names it.
    """
    check_settings(settings, made_by)
    if len(members) < 2:
        raise ValueError("it pools fewer than two series")
    _require(population, OF_POPULATION, "posterior")
    shape = _shape_of(population["mu"], "mu")
    _check_draws(population, shape)
    if not all(np.all(x > 0.0) for name, x in population.items() if name != "mu"):
        raise ValueError("posterior: of the population, only mu may be <= 0")
    _require(stats, STATS, "sample_stats")
    _check_stats(stats, shape)
    for own, draws in members:
        _require_types(own, {"pooled": dict}, "settings.")
        _require_types(own["pooled"], {"series": list, "reasons": list}, "settings.pooled.")
        said = [*own["pooled"]["series"], *own["pooled"]["reasons"]]
        if not all(isinstance(each, str) for each in said):
            raise ValueError("settings.pooled is no list of names and of reasons")
        _require(own["priors"], PRIORS_OF_POPULATION, "settings.priors")
        _require(draws, (*GIVEN, "doubling_time"), "posterior of a member")
        if draws["rate"].shape != shape:
            raise ValueError(f"posterior.rate has shape {draws['rate'].shape}, mu has {shape}")


def _shape_of(draws: np.ndarray, name: str) -> tuple[int, ...]:
    """Dims (chain, draw), enough of both."""
    shape = draws.shape
    if len(shape) != 2 or shape[0] < 1 or shape[1] < LEAST_DRAWS:
        raise ValueError(f"posterior.{name} has shape {shape}")
    return shape


def _check_draws(draws: Arrays, shape: tuple[int, ...]) -> None:
    for name, array in draws.items():
        path = name.startswith("path_")
        if array.ndim != 2 + path or array.shape[:2] != shape or 0 in array.shape:
            raise ValueError(f"posterior.{name} has shape {array.shape}, the rate has {shape}")
        # The doubling time of a rate of zero is infinite.
        finite = array.dtype == np.float64 and not np.any(np.isnan(array))
        if not finite or (name != "doubling_time" and np.any(np.abs(array) > LARGEST_DRAW)):
            raise ValueError(f"posterior.{name} has draws that are no numbers or too large")


def _check_stats(stats: Arrays, shape: tuple[int, ...]) -> None:
    for name, kind in STATS.items():
        if stats[name].shape != shape or stats[name].dtype != np.dtype(kind):
            raise ValueError(f"sample_stats.{name} is of another shape or kind than it must be")


def _require_types(found: Mapping[str, Any], types: Mapping[str, type], part: str = "") -> None:
    _require(found, types, part or "the run")
    for name, kind in types.items():
        if not _is_a(found[name], kind):
            raise ValueError(f"{part}{name} is {found[name]!r}")


def _is_a(value: object, kind: type) -> bool:
    """Whether JSON holds a value of a kind; a truth value is no number."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _require(found: Mapping[str, Any], names: Iterable[str], part: str) -> None:
    """Ask for what a summary reads here, where its absence has one clear error."""
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{part} lacks {', '.join(missing)}")
