"""Part (a): every model fitted to data sets drawn from itself, and the ranks of what is true.

A run is a model on a design, the dates, errors and bounds of a table. The chance that ranks of
models that are all right leave their bands anywhere is `FALSE_ALARM`, shared by the runs and, in
each, by what is ranked (Bonferroni).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from shared import POST

import effbayes as eb
from effbayes import runtime
from effbayes.inference.lanes import LOG_JOINT
from effbayes.models import hierarchical
from effbayes.replicates.calibration import Calibration, calibrate, job_of, judged
from effbayes.replicates.folder import Folder
from effbayes.replicates.posteriors import METHODS, Where

FALSE_ALARM = 1e-3
VALUE_SD, DATE_SD_DAYS = 0.3, 60.0
"""Errors of every second row and of every third, in the designs that have errors."""


@dataclass(frozen=True, eq=False)
class Run:
    """A model on a design; several series for the hierarchical model."""

    model: str
    design: str
    series: tuple[eb.Series, ...]

    @property
    def name(self) -> str:
        """For people, and for a folder."""
        return f"{self.model}, {self.design}"

    @property
    def gated(self) -> bool:
        """Whether ranks must be uniform: drift puts a normal in place of two bounds."""
        return not (self.model == "drift" and any(one.has_bounds for one in self.series))


def runs() -> list[Run]:
    """Every model on exact rows and on rows with errors and bounds."""
    alexnet = eb.load_series("imagenet", "alexnet-training")
    post = [one for name in POST for one in eb.load_domain(name).values()]
    made = []
    for model in ("loglinear", "frontier", "records", "changepoint", "drift"):
        made.append(Run(model, "exact", (alexnet.without_bounds(),)))
        if model == "drift":
            made.append(Run(model, "errors", (with_errors(alexnet.without_bounds()),)))
        made.append(Run(model, "errors and bounds", (with_errors(alexnet),)))
    values = tuple(one.without_bounds() for one in post)
    made.append(Run("hierarchical", "exact", tuple(map(without_errors, values))))
    made.append(Run("hierarchical", "errors", tuple(map(with_errors, values))))
    return made


def with_errors(series: eb.Series) -> eb.Series:
    """A design with errors of some values and dates, beside the bounds that it has."""
    place = np.arange(series.n_table)
    return replace(
        series,
        value_sd=np.where(place % 2 == 0, VALUE_SD, 0.0),
        date_sd_days=np.where(place % 3 == 0, DATE_SD_DAYS, 0.0),
    )


def without_errors(series: eb.Series) -> eb.Series:
    """A design whose values and dates are exact."""
    nothing = np.zeros(series.n_table)
    return replace(series, value_sd=nothing, date_sd_days=nothing)


def calibration(
    sets: int, seed: int, folder: Path | None, only: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """Figures of one run after the other."""
    every = runs()
    share = FALSE_ALARM / sum(run.gated for run in every)
    for run in every:
        if only and run.model not in only:
            continue
        began = time.perf_counter()
        kept = None if folder is None else folder / run.name.replace(", ", "-").replace(" ", "-")
        if run.model == "hierarchical":
            found = calibrate_pooled(run.series, sets, share, seed, kept)
        else:
            [series] = run.series
            found = calibrate(
                series, run.model, sets=sets, false_alarm=share, seed=seed, folder=kept
            )
        yield figures(run, found) | {"seconds": round(time.perf_counter() - began, 1)}


def calibrate_pooled(
    group: tuple[eb.Series, ...], sets: int, false_alarm: float, seed: int, folder: Path | None
) -> Calibration:
    """As `effbayes.replicates.calibration.calibrate` does it, for the model of several series."""
    model = hierarchical.make_model(group, hierarchical.Priors(), robust=False)
    data = hierarchical.data_from_many(group)
    job = job_of(model, data, sets, runtime.key_bits(seed), Where())
    found = job.run(folder=None if folder is None else Folder(folder))
    return judged(job, found, group[0], false_alarm=false_alarm, seed=seed)


def figures(run: Run, found: Calibration) -> dict[str, Any]:
    """What the page and the exit code need of a run."""
    named = [name for name in found.quantities if name != LOG_JOINT]
    inside = found.inside[0.95]
    rate = [i for i, name in enumerate(named) if name.startswith("rate")]
    excursions = {name: found.excursions(name) for name in found.quantities}
    of_set = inside[:, rate].mean(axis=1)
    return {
        "model": run.model,
        "design": run.design,
        "series": [one.id for one in run.series],
        "gated": run.gated,
        "sets": found.sets,
        "ranked": len(found.quantities),
        "false_alarm": found.false_alarm,
        "ok": found.ok,
        "excursions": {name: where for name, where in excursions.items() if where},
        "coverage_95": {name: float(inside[:, i].mean()) for i, name in enumerate(named)},
        "coverage_95_of_rates": float(of_set.mean()),
        "coverage_95_of_rates_se": float(of_set.std(ddof=1) / np.sqrt(found.sets)),
        "fitted_by": {
            each: int(np.sum(found.method == place)) for place, each in enumerate(METHODS)
        },
        "not_certified": int(np.sum(~found.certified)),
    }
