"""What the answer depends on: refits under other priors, other noise, other rows, other models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from effbayes import provenance, runtime
from effbayes.dataset import Series
from effbayes.errors import DataError, UsageError
from effbayes.inference.lanes import Lanes, LaneSettings
from effbayes.models import catalogue
from effbayes.models.contract import data_from_series, stacked
from effbayes.models.priors import KINDS
from effbayes.replicates.fits import ends, probs_of
from effbayes.replicates.many import lean, sample_many
from effbayes.replicates.posteriors import Posteriors, Where, importance_for

if TYPE_CHECKING:
    from effbayes.types import Rows

SCHEMA = "effbayes.sensitivity/1"

TIMES = (0.5, 2.0)
"""What each number of a prior is multiplied by."""

ROWS_IN_WORDS = {"all": "all rows", "frontier": "the records alone"}

Progress = Callable[[str], None]
"""Called with what is done next."""


@dataclass(frozen=True)
class Refit:
    """One choice made otherwise.

    Attributes
    ----------
    kind
        ``"prior"``, ``"noise"``, ``"rows"`` or ``"model"``.
    choice
        In words.
    months
        Low, median and high of the doubling time; None where there may be no progress.
    ok
        Whether it can be relied on.
    """

    kind: str
    choice: str
    months: tuple[float | None, float | None, float | None]
    ok: bool

    @property
    def median(self) -> float | None:
        """Of the doubling time, in months."""
        return self.months[1]


@dataclass(frozen=True)
class Sensitivity:
    """A fit, and what other choices make of it.

    Attributes
    ----------
    series
        The table.
    model, prior
        Of the fit that the others are set beside.
    base
        That fit, refitted like all others.
    refits
        The largest change of the median first; without one at the end.
    left_out
        Choices that this table does not allow, and why.
    prob
        Of the intervals.
    seed
        Of the run.
    """

    series: Series
    model: str
    prior: str
    base: Refit
    refits: tuple[Refit, ...]
    left_out: Mapping[str, str]
    prob: float
    seed: int

    def change(self, refit: Refit) -> float | None:
        """Change of the median doubling time, as a factor."""
        if refit.median is None or self.base.median is None:
            return None
        return refit.median / self.base.median

    @property
    def ok(self) -> bool:
        """Whether every refit can be relied on."""
        return self.base.ok and all(each.ok for each in self.refits)

    @property
    def sentence(self) -> str:
        """Which choice moves the answer most."""
        known = [each for each in self.refits if each.median is not None]
        lost = [each.choice for each in self.refits if each.median is None]
        if self.base.median is None:
            return self._sentence_without_median(known)
        said = f"The doubling time of {self.base.median:.3g} months"
        if not known:
            return f"{said} is that of this choice alone: under every other there may be none."
        moved = {each: each.median / self.base.median for each in known if each.median is not None}
        most, change = max(moved.items(), key=lambda pair: abs(np.log(pair[1])))
        said += (
            f" becomes {most.median:.3g} ({100 * (change - 1):+.0f} %) with {most.choice}; no other"
            " choice moves it more"
        )
        return said + (f"; under {', '.join(lost)} there may be none." if lost else ".")

    @staticmethod
    def _sentence_without_median(known: list[Refit]) -> str:
        if not known:
            return "No doubling time: progress is not certain under any choice."
        months = sorted((each.median or 0.0, each.choice) for each in known)
        ends = [f"{median:.3g} months with {choice}" for median, choice in (months[0], months[-1])]
        found = f"under one other choice it is {ends[0]}"
        if len(months) > 1:
            found = f"under {len(months)} other choices it is from {ends[0]} to {ends[1]}"
        return f"As fitted there may be no progress, so no doubling time; {found}."

    def summary(self) -> dict[str, Any]:
        """Everything reported, strict JSON."""

        def row(refit: Refit) -> dict[str, Any]:
            low, median, high = refit.months
            return {
                "kind": refit.kind,
                "choice": refit.choice,
                "doubling_time_months": {"median": median, "low": low, "high": high},
                "change": self.change(refit),
                "verdict": "ok" if refit.ok else "not converged",
            }

        return {
            "schema": SCHEMA,
            "domain": self.series.domain or None,
            "series": self.series.name,
            "n_obs": self.series.n_obs,
            "model": self.model,
            "prior": self.prior,
            "ci": {"prob": self.prob, "kind": "eti"},
            "base": row(self.base),
            "refits": [row(each) for each in self.refits],
            "left_out": dict(self.left_out),
            "sentence": self.sentence,
            "seed": self.seed,
            "provenance": {**provenance.versions()},
        }


def sensitivity(  # noqa: PLR0913 - the options of a fit, each by its own name
    series: Series,
    model: str = "loglinear",
    *,
    prior: str = "default",
    where: Rows | None = None,
    ci: float = 0.95,
    seed: int = 0,
    platform: str | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Refit a series with each choice made otherwise.

    Parameters
    ----------
    series
        Checked series.
    model, prior, where
        As `effbayes.sample`.
    ci
        Probability of the intervals.
    seed
        Of all refits.
    platform
        ``"cpu"``, ``"gpu"`` or ``"tpu"``; None is JAX's own choice.
    progress
        Called before every step.

    Raises
    ------
    UsageError, DataError
        As `effbayes.sample`; of other choices such errors are reported in their place.
    """
    probs = probs_of(ci, seed)
    told = progress or (lambda _: None)
    told("priors")
    base, refits = _priors(series, model, prior, where, probs, seed, platform)
    left_out: dict[str, str] = {}
    for kind, choice, name, options in _alternatives(series, model, prior, where):
        told(choice)
        try:
            table = series if options.pop("bounds", True) else series.without_bounds()
            found = sample_many([table], name, seed=seed, ci=ci, platform=platform, **options)
        except (UsageError, DataError) as error:
            left_out[choice] = str(error)
            continue
        if found.refused:
            left_out[choice] = found.refused[0]
            continue
        refits.append(Refit(kind, choice, ends(found.rate()[0]), bool(found.ok[0])))
    used = catalogue.with_rows(model, series, where)

    def size(refit: Refit) -> float:
        if refit.median is None or base.median is None:
            return np.inf
        return -abs(float(np.log(refit.median / base.median)))

    ordered = tuple(sorted(refits, key=size))
    return Sensitivity(used, model, prior, base, ordered, left_out, ci, seed)


def _priors(
    series: Series,
    model: str,
    prior: str,
    where: Rows | None,
    probs: tuple[float, ...],
    seed: int,
    platform: str | None,
) -> tuple[Refit, list[Refit]]:
    """The fit itself, and with each number of its priors halved and doubled: lanes of one model."""
    used = catalogue.with_rows(model, series, where)
    fitted: Any = lean(catalogue.make_model(model, used, prior), used)
    numbers = {
        name: value
        for name, value in asdict(fitted.priors).items()
        if isinstance(value, float) and _counts(name, fitted)
    }
    rows = [dict(numbers)]
    rows += [numbers | {name: times * numbers[name]} for name in numbers for times in TIMES]
    job = Posteriors(
        fitted,
        LaneSettings(
            importance_for(fitted),
            probs,
            varied=tuple(numbers),
        ),
        Lanes(
            stacked([data_from_series(used)] * len(rows)),
            priors=np.array([list(row.values()) for row in rows]),
        ),
        len(rows),
        runtime.key_bits(runtime.stream(seed, provenance.data_digest(used))),
        Where(platform),
        # The same random numbers for all: what differs is the prior.
        np.zeros(len(rows), dtype=np.int64),
    )
    found = job.run()
    rate = found["quantile"][:, 0, :]
    names = [
        f"{name} = {times * numbers[name]:g} instead of {numbers[name]:g}"
        for name in numbers
        for times in TIMES
    ]
    refits = [
        Refit("prior", name, ends(row), bool(ok))
        for name, row, ok in zip(["as fitted", *names], rate, found["ok"], strict=True)
    ]
    return refits[0], refits[1:]


def _counts(name: str, model: Any) -> bool:
    """Whether a number of the priors plays a part under their kind."""
    only = {
        "doubling_time_median": "default",
        "doubling_time_sdlog": "default",
        "ratio_sdlog": "default",
        "rate_sd": "signed",
        "change_sd": "signed",
    }
    if model.prior_name == "reference":
        return False
    if name.startswith("nu_"):
        return bool(getattr(model, "robust", False))
    return bool(only.get(name, model.prior_name) == model.prior_name)


def _alternatives(
    series: Series, model: str, prior: str, where: Rows | None
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Kind, words, model and options of every other choice."""
    own: dict[str, Any] = {"prior": prior, "where": where}
    for other in KINDS:
        if other != prior:
            yield "prior", f"the {other} prior", model, own | {"prior": other}
    if model == "loglinear":
        yield "noise", "Student's t noise", model, own | {"robust": True}
    used = catalogue.with_rows(model, series, where)
    masks: dict[Rows, Any] = {"all": np.ones(series.n_table, bool), "frontier": series.frontier}
    for rows, mask in masks.items():
        if not np.array_equal(mask, used.used):
            yield "rows", ROWS_IN_WORDS[rows], model, {"prior": prior, "where": rows}
    bounded = np.isfinite(used.value_low) | np.isfinite(used.value_high)
    if np.any(bounded & used.used):
        yield "rows", "point values without bounds", model, own | {"bounds": False}
    for name in catalogue.MODELS:
        if name != model:
            # One choice at a time: the rows stay, unless the model is one of certain rows.
            kept = None if name in catalogue.ROWS else where
            words = f"the {name} model{_other_rows(name, series, kept, used)}"
            yield "model", words, name, {"prior": prior, "where": kept}


def _other_rows(name: str, series: Series, where: Rows | None, used: Series) -> str:
    """In brackets, the rows of a model that are not those used; else nothing."""
    try:
        its = catalogue.with_rows(name, series, where)
    except DataError:  # said where it is refitted
        return ""
    if np.array_equal(its.used, used.used):
        return ""
    return f" ({ROWS_IN_WORDS.get(its.rows, its.rows)})"
