"""``forecast``, ``convert`` and ``effective``: what follows from a run that was kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from effbayes.cli import kept, options, output, quantities_text
from effbayes.cli.sampling import NOT_CONVERGED
from effbayes.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from effbayes.analysis import Analysis
    from effbayes.effective import Effective
    from effbayes.forecasting import DateForecast, LevelForecast
    from effbayes.posterior import Interval
    from effbayes.rates import Rate

KINDS = ("trend", "predictive")
OF_RATES = ("changepoint", "drift")
"""Models whose rate changes: their run stands for its mean over the rows."""

RateText = "RUN|RATE"


def forecast(
    run: options.Run,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="DATE", help="Value at a date: 2030-06-01, 2030-06 or 2030. Repeat."),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option(metavar="VALUE", help="Date at which the trend reaches a value."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="DATE", help="With --until: P(reached by this date). Repeat."),
    ] = None,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
) -> None:
    """Value at a date, or date of a value. Of the trend, and of new systems."""
    chosen = options.interval(ci, interval)
    if not at and until is None:
        raise UsageError("forecast what? give --at DATE or --until VALUE, or both")
    if by and until is None:
        raise UsageError("--by asks when a value is reached: add --until VALUE")
    fit = kept.read_one(run)
    levels = [
        (given, fit.forecast(at=given, ci=chosen.prob, kind=chosen.kind)) for given in at or ()
    ]
    dated = None
    if until is not None:
        dated = fit.forecast(until=until, by=by or (), ci=chosen.prob, kind=chosen.kind)
    document = {
        "schema": "effbayes.forecast/1",
        **_about(fit, chosen),
        "direction": fit.series.direction,
        "unit": fit.series.unit,
        "rows": list(fit.series.span),
        "at": [_level(given, found) for given, found in levels],
        "until": None if dated is None else _date(dated),
        "verdict": fit.verdict.verdict,
    }
    if json:
        output.write_json(document)
    else:
        quantities_text.forecast(document)
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)


def convert(
    amount: Annotated[float, typer.Argument(metavar="AMOUNT", help="How much compute.")],
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="Of what unit; repeated as it is.")],
    run: Annotated[
        str, typer.Option("--run", metavar="RUN", help="A run file written by sample --out.")
    ],
    start: Annotated[
        str, typer.Option("--from", metavar="DATE", help="2012, 2012-06, 2012-06-01 or a label.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="As --from.")],
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
) -> None:
    """Compute of one date in that of another. How much does the same there."""
    from effbayes.forecasting import day_of, extrapolation
    from effbayes.posterior import as_dict

    chosen = options.interval(ci, interval)
    fit = kept.read_one(run)

    def worth(first: str, last: str) -> dict[str, Any]:
        return {kind: as_dict(fit.convert(amount, first, last, kind, *chosen)) for kind in KINDS}

    days = [day_of(text, fit.series) for text in (start, end)]
    document = {
        "schema": "effbayes.convert/1",
        **_about(fit, chosen),
        "amount": amount,
        "unit": unit,
        "from": start,
        "to": end,
        "span": [str(day) for day in days],
        "worth": worth(start, end),
        "reverse": worth(end, start),
        "notes": [note for day in days for note in extrapolation(fit.series, day)[1]],
        "verdict": fit.verdict.verdict,
    }
    if json:
        output.write_json(document)
    else:
        quantities_text.conversion(document)
    if not fit.verdict.ok:
        raise typer.Exit(NOT_CONVERGED)


def effective(
    algorithmic: Annotated[
        str | None, typer.Option(metavar=RateText, help="Less compute for the same: a run file.")
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(metavar=RateText, help="More compute for the money: moore, 2.07y[1.54,3.13]."),
    ] = None,
    spending: Annotated[
        str | None, typer.Option(metavar=RateText, help="More money: 3.4mo, 4.1x/y[3.7,4.6]@90.")
    ] = None,
    years: Annotated[
        float | None, typer.Option(metavar="N", help="Give the factor over so many years.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Or from a date ...")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="... to a date.")] = None,
    seed: options.Seed = 0,
    ci: options.Ci = 0.95,
    interval: options.Kind = "eti",
    json: options.Json = False,
) -> None:
    """Growth of effective compute. Algorithms, hardware and spending together."""
    from effbayes.effective import COMPONENTS, effective_compute

    chosen = options.interval(ci, interval)
    period, span = _period(years, start, end)
    fits: dict[str, Analysis] = {}
    given = dict(zip(COMPONENTS, (algorithmic, hardware, spending), strict=True))
    rates = {name: _rate(text, fits) for name, text in given.items() if text is not None}
    found = effective_compute(rates, years=period, interval=chosen, seed=seed)
    document = _effective(found, chosen, fits, span)
    document["seed"] = seed
    if json:
        output.write_json(document)
    else:
        quantities_text.effective(document)
    if document["verdict"] != "ok":
        raise typer.Exit(NOT_CONVERGED)


def _about(fit: Analysis, interval: Interval) -> dict[str, Any]:
    return {
        "domain": fit.series.domain or None,
        "series": fit.series.name,
        "model": fit.settings["model"],
        "ci": interval._asdict(),
    }


def _level(given: str, found: LevelForecast) -> dict[str, Any]:
    from effbayes.posterior import as_dict

    return {
        "given": given,
        "date": found.date,
        "trend": as_dict(found.trend),
        "predictive": as_dict(found.predictive),
        "years_beyond": found.years_beyond,
        "extrapolated": found.extrapolated,
        "notes": list(found.notes),
    }


def _date(found: DateForecast) -> dict[str, Any]:
    shown = {name: getattr(found.date, name) for name in ("median", "low", "high")}
    return {
        "value": found.value,
        "date": shown | ({"note": found.date.note} if found.date.note else {}),
        "by": [{"date": date, "prob": prob} for date, prob in found.by],
        "horizon": found.horizon,
        "prob_reached": found.prob_reached,
        "years_beyond": found.years_beyond,
        "extrapolated": found.extrapolated,
        "notes": list(found.notes),
    }


def _period(
    years: float | None, start: str | None, end: str | None
) -> tuple[float | None, list[str] | None]:
    """Length of the period asked for, and its dates if it has any."""
    from effbayes.forecasting import day_of
    from effbayes.posterior import years_between

    if start is None and end is None:
        return years, None
    if years is not None:
        raise UsageError("a period is --years N or --from DATE --to DATE, not both")
    if start is None or end is None:
        raise UsageError("a period from one date to another needs both --from and --to")
    first, last = day_of(start), day_of(end)
    return years_between(first, last), [str(first), str(last)]


def _rate(text: str, fits: dict[str, Analysis]) -> Rate:
    """What an option says of a rate; runs that are read for it are added to `fits`."""
    from effbayes.rates import parse

    def read_run(path: str) -> np.ndarray:
        fits[path] = kept.read_one(path)
        return fits[path].draws["rate"]

    return parse(text, read_run)


def _effective(
    found: Effective, interval: Interval, fits: Mapping[str, Analysis], span: list[str] | None
) -> dict[str, Any]:
    from effbayes.posterior import as_dict

    components = {}
    for name, part in found.components.items():
        components[name] = {
            "given": part.text,
            "kind": part.kind,
            "rate_per_year": as_dict(part.rate_per_year),
            "doubling_time_months": as_dict(part.doubling_time_months),
            "share": as_dict(part.share),
        }
        if part.kind == "run":
            fit = fits[part.text]
            components[name] |= {"run": fit.series.id, "verdict": fit.verdict.verdict}
    bad = [fit for fit in fits.values() if not fit.verdict.ok]
    return {
        "schema": "effbayes.effective/1",
        "ci": interval._asdict(),
        "components": components,
        "doubling_time_months": as_dict(found.doubling_time_months),
        "rate_per_year": as_dict(found.rate_per_year),
        "factor_per_year": as_dict(found.factor_per_year),
        "factor": None
        if found.factor is None
        else {"years": found.years, "span": span, **as_dict(found.factor)},
        "prob_growth": found.prob_growth,
        "draws": found.draws,
        "notes": [
            f"{fit.series.id}: the rate of model {fit.settings['model']} changes; here it is the "
            "mean over its rows."
            for fit in fits.values()
            if fit.settings["model"] in OF_RATES
        ],
        "verdict": bad[0].verdict.verdict if bad else "ok",
    }
