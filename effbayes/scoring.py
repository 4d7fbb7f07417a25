"""How well each model predicts rows that it has not seen, and which can be weighed at all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effbayes import provenance
from effbayes.analysis import Analysis
from effbayes.dataset import Series
from effbayes.errors import DataError, UsageError

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""Called with the name of a model, refits done and refits in all."""


@dataclass(frozen=True, eq=False)
class Score:
    """How well a model predicts rows that it has not seen.

    Attributes
    ----------
    name
        Of the model, with what tells it from others of the same name.
    fit
        Its posterior from all rows.
    elpd
        Log predictive density of each row left out, dims (obs,); None where the model stands apart.
    mcse
        Monte Carlo standard error of each, dims (obs,).
    psis
        The same by importance sampling, dims (obs,).
    pareto_k
        Its diagnostic, dims (obs,); above 0.7 (fewer draws: less) it cannot be trusted.
    failed
        Labels of rows (where there is none, their places) whose refit did not converge.
    apart
        Why the model is not weighed; None where it is.
    """

    name: str
    fit: Analysis
    elpd: Floats | None = None
    mcse: Floats | None = None
    psis: Floats | None = None
    pareto_k: Floats | None = None
    failed: tuple[str, ...] = ()
    apart: str | None = None


def require_one_table(series: Sequence[Series]) -> None:
    """Refuse fits of different tables, whatever rows they use."""
    named = sorted({one.id for one in series})
    if len(named) > 1:
        raise UsageError(f"these fits are of different tables: {', '.join(named)}")
    # A digest, since a value that is not a number is not equal to itself.
    whole = (replace(one, used=np.ones(one.n_table, dtype=bool)) for one in series)
    if len(set(map(provenance.data_digest, whole))) > 1:
        raise UsageError(
            f"these fits are of different tables, all named {named[0]}: dates, values, bounds, "
            "errors or labels differ"
        )


def why_apart(fits: Sequence[Analysis]) -> list[str | None]:
    """Why each fit cannot be weighed against the others; None where it can."""
    reasons = [_why_never(fit) for fit in fits]
    digests = [fit.made_by["data_sha256"] for fit in fits]
    # Of those alone that can be weighed at all: others would make a group that comes to nothing.
    able = [digest for digest, why in zip(digests, reasons, strict=True) if why is None]
    weighed = max(dict.fromkeys(able), key=able.count, default="")
    return [
        why if why is not None or digest == weighed else _other_rows(fit.series)
        for fit, digest, why in zip(fits, digests, reasons, strict=True)
    ]


def _other_rows(series: Series) -> str:
    used = f"{series.n_obs} of {series.n_table} rows"
    return f"it uses other rows ({used}): densities of other data cannot be compared"


def _why_never(fit: Analysis) -> str | None:
    """Why a fit cannot be weighed whatever is beside it."""
    from effbayes.models import catalogue  # noqa: PLC0415 - JAX is slow to import

    series = fit.series
    if fit.settings["model"] == catalogue.POOLED:
        return "it was pooled with other series, whose rows tell of it too"
    if fit.settings["model"] == "records":
        return "no record can be left out: each is the mark that the next had to beat"
    model = catalogue.restore(fit.settings, series)
    for row in np.flatnonzero(series.used):
        others = series.used.copy()
        others[row] = False
        try:
            model.check(series.select(others, "all but one"))
        except DataError as error:
            return f"no row can be left out: without {row_name(series, int(row))}, {error}"
    return None


def row_name(series: Series, row: int) -> str:
    """The label of a row, or else its place in the table."""
    name = series.name_of_row(row)
    return name if isinstance(name, str) else f"row {name}"


def score(name: str, fit: Analysis, platform: str | None, progress: Progress | None) -> Score:
    """Every row of a fit left out in turn."""
    from effbayes.models import catalogue  # noqa: PLC0415 - JAX is slow to import
    from effbayes.replicates.leaving_out import leave_one_out  # noqa: PLC0415

    found = leave_one_out(
        catalogue.restore(fit.settings, fit.series),
        fit.series,
        seed=fit.settings["sampler"]["seed"],
        platform=platform,
        progress=None if progress is None else partial(progress, name),
    )
    used = np.flatnonzero(fit.series.used)
    failed = tuple(row_name(fit.series, int(row)) for row in used[~found.ok])
    psis, pareto_k = _psis(fit)
    return Score(name, fit, found.elpd, found.mcse, psis, pareto_k, failed)


def _psis(fit: Analysis) -> tuple[Floats | None, Floats | None]:
    """Leave-one-out by importance sampling from the full posterior, and Pareto k, from ArviZ."""
    import arviz_stats  # noqa: PLC0415 - slow to import

    loo: Any = vars(arviz_stats)["loo"]  # without types

    if "log_likelihood" not in fit.posterior.children:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of high Pareto k, which is reported here
        try:
            found = loo(fit.posterior, pointwise=True)
        except ValueError:  # too few draws to fit a tail to
            return None, None
    return found.elpd_i.to_numpy().ravel(), found.pareto_k.to_numpy().ravel()
