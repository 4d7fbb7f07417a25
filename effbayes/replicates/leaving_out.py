"""Exact leave-one-out: the posterior without each row in turn, and the density of the row under it.

A row is left out by the mask alone, so that all refits are lanes of one program. The few rows of
these series are where importance sampling from the full posterior is least reliable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from effbayes import provenance, runtime
from effbayes.dataset import Series
from effbayes.inference.lanes import Lanes, LaneSettings
from effbayes.models.contract import Model, data_from_series, stacked
from effbayes.replicates import engine
from effbayes.replicates.many import lean
from effbayes.replicates.posteriors import Posteriors, Where, importance_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class LeftOut(NamedTuple):
    """Of each row used; dims (obs,).

    Attributes
    ----------
    elpd
        Log predictive density given all other rows.
    mcse
        Its Monte Carlo standard error.
    ok
        Whether the refit can be relied on.
    """

    elpd: Floats
    mcse: Floats
    ok: NDArray[np.bool_]


def leave_one_out(
    model: Model,
    series: Series,
    *,
    seed: int = 0,
    platform: str | None = None,
    progress: engine.Progress | None = None,
) -> LeftOut:
    """Refit a model without each of the rows that it uses.

    Parameters
    ----------
    model
        For this series.
    series
        With the rows used. What priors take from them (the centre of alpha's, the span that a
        change lies in) stays as it was: a row left out changes the likelihood alone.
    seed
        Of the refits' draws.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    progress
        Called with refits done and refits in all.
    """
    n = series.n_obs
    fitted = lean(model, series)
    job = Posteriors(
        fitted,
        LaneSettings(importance_for(fitted), leaves_out=True),
        Lanes(stacked([data_from_series(series)] * n), row=np.arange(n)),
        n,
        runtime.key_bits(runtime.stream(seed, provenance.data_digest(series))),
        Where(platform),
    )
    found = job.run(progress=progress)
    return LeftOut(found["elpd"], found["elpd_mcse"], found["ok"])
