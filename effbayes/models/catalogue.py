"""Every model by the name that the command line has for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from effbayes.errors import UsageError

if TYPE_CHECKING:
    from effbayes.dataset.series import Series
    from effbayes.models.contract import Model
    from effbayes.models.priors import TrendPriors

MODELS = ("loglinear",)
"""Models of one series. Each is a module of this package with `Priors` and `make_model`."""


def require_known(name: str) -> None:
    """Refuse the name of no model.

    Raises
    ------
    UsageError
        With the names that there are.
    """
    if name not in MODELS:
        raise UsageError(f"no model {name!r}; there are {', '.join(MODELS)}")


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
