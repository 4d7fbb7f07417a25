"""The catalogue: domains, their series, published claims, reference rates and corrections.

Everything comes from the project's own tables (`data_folder`) and their descriptor,
``datapackage.json``. Series are read once per process; they are frozen, so they are shared.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from effbayes.dataset import Series, read_table
from effbayes.errors import EffbayesError, UsageError
from effbayes.types import Direction, Rows

DOMAINS = (
    "imagenet",
    "translation",
    "go",
    "dota2",
    "nanogpt",
    "cifar10",
    "imagenet-fixed-hardware",
)
"""Names of the domains, those of the published claims first."""

DESCRIPTOR = "datapackage.json"


@dataclass(frozen=True)
class Claim:
    """A rate of progress as it was published.

    Attributes
    ----------
    domain, series
        What the claim is about; both empty where the catalogue has no series for it.
    doubling_time_months, factor, period_years
        As printed. They need not agree: `note` and `corrections` say where they do not.
    """

    domain: str
    series: str
    text: str
    doubling_time_months: float
    factor: float
    period_years: float
    source: str
    note: str


@dataclass(frozen=True)
class ReferenceRate:
    """A rate to compare with, such as Moore's law; doubling time in months."""

    name: str
    title: str
    doubling_time_months: float
    source: str
    note: str = ""


@dataclass(frozen=True)
class PrintedFigure:
    """A factor over a period that is printed beside the claims.

    Attributes
    ----------
    kind
        What the factor is of: ``"factor"`` (of a series), ``"comparison"`` (of the reference rate
        that a series is compared with), ``"product"`` (of both together) or ``"reference"``.
    domain, series, reference
        What it is about; empty where there is none.
    until
        Label of the last row of the series that is meant; empty for the last of all.
    """

    kind: str
    text: str
    domain: str
    series: str
    reference: str
    until: str
    factor: float
    period_years: float
    source: str
    note: str


@dataclass(frozen=True)
class Correction:
    """One figure that differs from the published one, or was checked and kept.

    Attributes
    ----------
    id
        Number of the finding and number within it: ``"03-01"``.
    label
        The row; empty where the series as a whole is meant.
    field
        A column of the series, ``claim.`` and a column of the published rates, or another word.
    published, corrected
        As written in the tables; `published` is empty where nothing was published.
    """

    id: str
    domain: str
    series: str
    label: str
    field: str
    published: str
    corrected: str
    reason: str
    source: str


@dataclass(frozen=True)
class SeriesInfo:
    """What the catalogue says of one series: a row of ``effbayes domains``.

    Attributes
    ----------
    n_obs, n_table, span
        Rows that a model is fitted to, rows of the table, first and last ISO date used.
    rows, main
        How the rows used are chosen; whether it is the first series of its domain.
    """

    domain: str
    series: str
    title: str
    description: str
    n_obs: int
    n_table: int
    span: tuple[str, str]
    unit: str
    direction: Direction
    rows: Rows
    main: bool
    claim: Claim | None


@cache
def data_folder() -> Path:
    """Folder of the tables: inside the installed package, else beside it in a checkout.

    Raises
    ------
    EffbayesError
        Neither is there.
    """
    package = Path(__file__).resolve().parent
    folders = (package / "data", package.parent / "data")
    for folder in folders:
        if (folder / DESCRIPTOR).is_file():
            return folder
    tried = " and ".join(str(folder) for folder in folders)
    raise EffbayesError(
        f"the tables of the catalogue are missing ({DESCRIPTOR} is in neither of {tried}): "
        "install effbayes again"
    )


def domain_names() -> tuple[str, ...]:
    """Names of all domains, those of the published claims first."""
    return DOMAINS


def load_domain(
    name: str, *, published: bool = False, where: str | None = None
) -> dict[str, Series]:
    """Every series of a domain by name, its main series first.

    Parameters
    ----------
    name
        One of `domain_names`.
    published
        Take values and dates as they were published, errors included, and without the bounds
        and standard deviations that the project adds.
    where
        Rows to fit, as in `effbayes.dataset.read_table`; None is the catalogue's own choice.

    Raises
    ------
    UsageError
        There is no such domain.

    Examples
    --------
    >>> list(load_domain("translation"))
    ['seq2seq', 'gnmt']
    """
    _require(name, DOMAINS, "domain")
    return {series: _series(name, series, published, where) for series in _resources()[name]}


def load_series(
    domain: str, series: str, *, published: bool = False, where: str | None = None
) -> Series:
    """One series of a domain; `published` and `where` as in `load_domain`.

    Raises
    ------
    UsageError
        There is no such domain, or no such series in it.

    Examples
    --------
    >>> load_series("imagenet", "alexnet-training").unit
    'teraflop/s-day'
    """
    _require(domain, DOMAINS, "domain")
    _require(series, _resources()[domain], f"series of {domain}")
    return _series(domain, series, published, where)


def describe(published: bool = False) -> list[SeriesInfo]:
    """One entry per series, in the order of the catalogue."""
    claims = {(claim.domain, claim.series): claim for claim in published_claims()}
    return [
        _info(resource, _series(domain, name, published), claims.get((domain, name)))
        for domain in DOMAINS
        for name, resource in _resources()[domain].items()
    ]


def published_claims() -> list[Claim]:
    """Every rate that Hernandez & Brown print, as printed."""
    return [
        Claim(
            domain=row["domain"],
            series=row["series"],
            text=row["claim"],
            doubling_time_months=float(row["doubling_time_months"]),
            factor=float(row["factor"]),
            period_years=float(row["period_years"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("published_rates.csv")
    ]


def reference_rates() -> list[ReferenceRate]:
    """Rates to compare with; the first is Moore's law."""
    return list(_reference_rates().values())


def reference_rate(name: str) -> ReferenceRate:
    """A rate to compare with, by its name.

    Raises
    ------
    UsageError
        There is no such rate.
    """
    _require(name, _reference_rates(), "reference rate")
    return _reference_rates()[name]


@cache
def _reference_rates() -> dict[str, ReferenceRate]:
    return {
        row["name"]: ReferenceRate(
            name=row["name"],
            title=row["title"],
            doubling_time_months=float(row["doubling_time_months"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("reference_rates.csv")
    }


def printed_figures() -> list[PrintedFigure]:
    """Factors printed beside the claims: with other periods, and of reference rates."""
    return [
        PrintedFigure(
            kind=row["kind"],
            text=row["claim"],
            domain=row["domain"],
            series=row["series"],
            reference=row["reference"],
            until=row["until"],
            factor=float(row["factor"]),
            period_years=float(row["period_years"]),
            source=row["source"],
            note=row["note"],
        )
        for row in _rows("printed_figures.csv")
    ]


def corrections() -> list[Correction]:
    """Every difference from what was published, and every fault that changes no number."""
    return [Correction(**row) for row in _rows("corrections.csv")]


@cache
def _resources() -> dict[str, dict[str, dict[str, Any]]]:
    """Descriptors of the series by domain and name, the main series of each domain first."""
    descriptor = json.loads((data_folder() / DESCRIPTOR).read_text(encoding="utf-8"))
    found: dict[str, dict[str, dict[str, Any]]] = {domain: {} for domain in DOMAINS}
    resources = [each for each in descriptor["resources"] if "effbayes" in each]
    for resource in sorted(resources, key=lambda each: not each["effbayes"]["main"]):
        about = resource["effbayes"]
        found[about["domain"]][about["series"]] = resource
    return found


@cache
def _series(domain: str, name: str, published: bool, where: str | None = None) -> Series:
    resource = _resources()[domain][name]
    about = resource["effbayes"]
    (series,) = read_table(
        data_folder() / resource["path"],
        direction=about["direction"],
        unit=about["unit"],
        name=name,
        domain=domain,
        where=about["rows"] if where is None else where,
        published=published,
    ).values()
    return replace(series, title=resource["title"])


def _info(resource: dict[str, Any], series: Series, claim: Claim | None) -> SeriesInfo:
    about = resource["effbayes"]
    return SeriesInfo(
        domain=series.domain,
        series=series.name,
        title=resource["title"],
        description=resource["description"],
        n_obs=series.n_obs,
        n_table=series.n_table,
        span=series.span,
        unit=series.unit,
        direction=series.direction,
        rows=about["rows"],
        main=about["main"],
        claim=claim,
    )


def _rows(table: str) -> list[dict[str, str]]:
    with (data_folder() / table).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _require(name: str, known: Iterable[str], kind: str) -> None:
    names = list(known)
    if name in names:
        return
    closest = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    hint = f"; did you mean {closest[0]}?" if closest else "."
    raise UsageError(f"there is no {kind} called {name!r}{hint} Known: {', '.join(names)}")
