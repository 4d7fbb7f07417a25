"""Every published claim beside what its own data say, and beside its posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from effbayes import posterior as post
from effbayes import provenance
from effbayes.analysis import Analysis
from effbayes.claims import CRITERIA, Judge, Posterior, Reference, Row, compared
from effbayes.domains import load_series, printed_figures, published_claims, reference_rates
from effbayes.findings import Finding, findings
from effbayes.fitting import sample
from effbayes.posterior import Interval

if TYPE_CHECKING:
    from effbayes.inference.nuts import Progress

SCHEMA = "effbayes.reproduction/1"


@dataclass(frozen=True)
class Reproduction:
    """All claims, the reference rates, the findings, and the fits that they rest on.

    Attributes
    ----------
    rows
        The claims, in the order of the catalogue.
    references
        Rates to compare with.
    findings
        What is wrong in the published tables.
    fits
        Analyses by series (``"go/alphago-zero-level"``) and whether the data are as published.
    interval
        Probability and kind of every credible interval.
    """

    rows: tuple[Row, ...]
    references: tuple[Reference, ...]
    findings: tuple[Finding, ...]
    interval: Interval
    fits: Mapping[tuple[str, bool], Analysis] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every sampler converged."""
        return all(fit.verdict.ok for fit in self.fits.values())

    def summary(self) -> dict[str, Any]:
        """Everything as strict JSON: finite numbers, strings, None, lists and mappings."""
        first = next(iter(self.fits.values()))
        shown = {
            "schema": SCHEMA,
            "ci": self.interval._asdict(),
            "criteria": CRITERIA,
            "verdict": "ok" if self.ok else "not converged",
            "claims": [_row_json(row) for row in self.rows],
            "references": [asdict(each) for each in self.references],
            "findings": [asdict(each) for each in self.findings],
            "fits": [
                {
                    "series": name,
                    "published": published,
                    "verdict": fit.verdict.verdict,
                    "reasons": list(fit.verdict.reasons),
                    "notes": list(fit.notes),
                    "data_sha256": fit.made_by["data_sha256"],
                }
                for (name, published), fit in self.fits.items()
            ],
            "model": first.settings["model"],
            "prior": first.settings["prior"],
            "sampler": dict(first.settings["sampler"]),
            "provenance": {
                name: value for name, value in first.made_by.items() if name != "data_sha256"
            },
        }
        return {name: _lists(value) for name, value in shown.items()}


def reproduce(
    *,
    seed: int = 0,
    ci: float = 0.95,
    platform: str | None = None,
    progress: Callable[[str], Progress | None] | None = None,
    **sampler: Any,
) -> Reproduction:
    """Set every published claim beside its data and its posterior.

    Parameters
    ----------
    seed
        The same seed gives the same draws, bit for bit, on the same machine.
    ci
        Probability of the equal-tailed credible intervals.
    platform, progress, **sampler
        As in `effbayes.sample`; `progress` is called with the name of each series and returns what
        that takes. The model is log-linear with its default prior.

    Returns
    -------
    Reproduction
        Look at `Reproduction.ok` first.

    Raises
    ------
    UsageError, DeviceError
        Before anything is sampled.
    """
    interval = Interval(ci).check()
    claims, figures = published_claims(), printed_figures()
    named = [(one.domain, one.series) for one in claims]
    named += [(one.domain, one.series) for one in figures]
    wanted = [key for key in dict.fromkeys(named) if key[1]]
    fit_one = partial(sample, seed=seed, platform=platform, **sampler)
    fits = _fit_each(wanted, fit_one, progress or (lambda _: None))
    judge = Judge({key: fit.draws["rate"] for key, fit in fits.items()}, interval)
    return Reproduction(
        rows=(*map(judge.rate, claims), *map(judge.figure, figures)),
        references=tuple(map(compared, reference_rates())),
        findings=tuple(findings()),
        interval=interval,
        fits=fits,
    )


def _fit_each(
    keys: list[tuple[str, str]],
    fit: Callable[..., Analysis],
    progress: Callable[[str], Progress | None],
) -> dict[tuple[str, bool], Analysis]:
    """Each series as published and as corrected; data that are the same are sampled once."""
    by_data: dict[str, Analysis] = {}
    fits = {}
    for domain, name in keys:
        for published in (True, False):
            series = load_series(domain, name, published=published)
            digest = provenance.data_digest(series)
            if digest not in by_data:
                by_data[digest] = fit(series, progress=progress(series.id))
            fits[series.id, published] = by_data[digest]
    return fits


def _row_json(row: Row) -> dict[str, Any]:
    shown = asdict(row)
    for assessment, made in zip(shown["assessments"], row.assessments, strict=True):
        for state in ("published", "corrected"):
            found: Posterior = getattr(made, state)
            assessment[state] = {**post.as_dict(found.estimate), "prob": found.prob}
    return shown


def _lists(value: Any) -> Any:
    """The same with lists in place of tuples, as JSON reads it back."""
    if isinstance(value, dict):
        return {name: _lists(inner) for name, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value
