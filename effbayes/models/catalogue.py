"""Every model by the name that the command line has for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from effbayes.errors import UsageError
from effbayes.models.priors import PRIORS

if TYPE_CHECKING:
    from effbayes.dataset.series import Series
    from effbayes.models.contract import Model
    from effbayes.models.priors import TrendPriors
    from effbayes.types import Rows

MODELS = ("loglinear", "frontier", "records", "changepoint", "drift")
"""Models of one series. Each is a module of this package with `Priors` and `make_model`."""

ROWS: Mapping[str, Rows] = {"frontier": "all", "records": "frontier"}
"""Rows that a model uses by itself; others leave it to the series.

The frontier model accounts for those behind the frontier.
"""

POOLED = "hierarchical"
"""The model of several series at once; see `effbayes.pooled`."""


def require_known(name: str) -> None:
    """Refuse the name of no model.

    Raises
    ------
    UsageError
        With the names that there are.
    """
    if name == POOLED:
        raise UsageError(f"model {POOLED} takes several series: effbayes.sample_pooled(series)")
    if name not in MODELS:
        raise UsageError(f"no model {name!r}; there are {', '.join((*MODELS, POOLED))}")


def with_rows(name: str, series: Series, where: Rows | None = None) -> Series:
    """A series with the rows that a model uses.

    Parameters
    ----------
    name
        One of `MODELS`.
    series
        Rows that an expression chose stay as they are.
    where
        ``"all"`` or ``"frontier"``; None is the model's own choice, or if it has none, the series'.
    """
    require_known(name)
    wanted = where or ROWS.get(name)
    if wanted is None or (where is None and series.rows not in {"all", "frontier"}):
        return series
    return series.where(wanted)


def make_model(
    name: str, series: Series, prior: str | TrendPriors, *, robust: bool = False
) -> Model:
    """The model of a name for a series, checked against it.

    Parameters
    ----------
    name
        One of `MODELS`.
    series
        Checked series, with the rows that the model is to use.
    prior
        A kind of prior, or a value of the model's own class of priors.
    robust
        Student's t noise in place of normal, for models that have it.

    Raises
    ------
    UsageError
        No such model, or priors of another one, or noise that it has not.
    DataError
        The posterior does not exist.
    """
    require_known(name)
    module: Any = import_module(f"effbayes.models.{name}")
    priors = module.Priors(kind=prior) if isinstance(prior, str) else prior
    if not isinstance(priors, module.Priors):
        raise UsageError(f"model {name} takes {name}.Priors, not {type(priors).__name__}")
    made: Model = module.make_model(series, priors, robust=robust)
    return made


def restore(settings: Mapping[str, Any], series: Series) -> Model:
    """The model of a run from its settings, for the same rows.

    Raises
    ------
    UsageError
        No such model of one series.
    """
    name = str(settings["model"])
    require_known(name)
    module: Any = import_module(f"effbayes.models.{name}")
    priors = module.Priors(**settings["priors"])
    return make_model(name, series, priors, robust=settings.get("noise") == "student_t")


def usual_priors(name: str, kind: str) -> dict[str, Any]:
    """The numbers of a model's priors where nobody has chosen others."""
    return asdict(PRIORS[name](kind=kind))
